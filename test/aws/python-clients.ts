import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { run } from "../controlplane/run.ts";

const PROGRAMS = join(import.meta.dirname, "python");
const REQUIREMENTS = join(PROGRAMS, "requirements.txt");
const NONE =
  "python3 with venv is not installed: boto3, the aws CLI and the AWS Encryption SDK were not tried";

const AWS_LAUNCHER = '#!/bin/sh\nexec "$(dirname "$0")/python3" -W ignore -m awscli "$@"\n';

/** boto3, the aws CLI and the AWS Encryption SDK for Python, in a virtual environment of ours. */
export class PythonClients {
  /** The folder with `aws` and `python3`. */
  readonly bin: string;

  private constructor(folder: string) {
    this.bin = join(folder, "bin");
  }

  /** Installs the clients once per version of their list; undefined on a machine without python3-venv. */
  static async install(): Promise<PythonClients | undefined> {
    if ((await run("python3", ["-c", "import venv, ensurepip"])).code !== 0) return missing();
    const hash = createHash("sha256").update(await readFile(REQUIREMENTS));
    const folder = join(homedir(), ".cache", "claviger", `aws-clients-${hash.digest("hex").slice(0, 16)}`);
    if (!existsSync(folder)) await create(folder);
    return new PythonClients(folder);
  }

  /** Returns the arguments that run one of our programs. */
  program(name: string): [string, string[]] {
    return [join(this.bin, "python3"), ["-W", "ignore", join(PROGRAMS, name)]];
  }
}

function missing(): undefined {
  if (process.env.CI) throw new Error(`${NONE}, and CI must try them`);
  console.warn(NONE);
  return undefined;
}

/** Skips the test if there are no clients. */
export function needed(clients: PythonClients | undefined, context: TestContext): PythonClients {
  return clients ?? context.skip(NONE);
}

/** Complete before it gets its name, because another run may be looking for it now. */
async function create(folder: string): Promise<void> {
  await mkdir(join(folder, ".."), { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  await succeed("python3", "-m", "venv", draft);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
  await succeed(join(draft, "bin", "python3"), ...pip, "-r", REQUIREMENTS);
  // pip's launcher has the path of the draft in its first line.
  await writeFile(join(draft, "bin", "aws"), AWS_LAUNCHER, { mode: 0o755 });
  try {
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}

async function succeed(command: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${stdout}${stderr}`);
}
