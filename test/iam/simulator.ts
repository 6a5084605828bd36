import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "../controlplane/run.ts";
import type { Pair } from "./pairs.ts";

const FILES = ["package.json", "package-lock.json", "simulate.js"] as const;
const MISSING = "the registry of npm is not reached: key policies were not compared with another evaluator";

/**
 * An evaluator of IAM policies by other authors. It is a program of its own, with its own lock file, because its
 * licence is another one: nothing of claviger imports it.
 */
export class Simulator {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Installs the program once for each version of its files; undefined on a machine without a registry. */
  static async install(): Promise<Simulator | undefined> {
    const hash = createHash("sha256");
    for (const file of FILES) hash.update(await readFile(join(import.meta.dirname, file)));
    const folder = join(homedir(), ".cache", "claviger", `iam-${hash.digest("hex").slice(0, 16)}`);
    if (!existsSync(folder) && !(await create(folder))) return missing();
    return new Simulator(folder);
  }

  /** Returns the verdict on each pair. Throws if the program fails. */
  async verdicts(pairs: readonly Pair[]): Promise<readonly string[]> {
    const stdin = pairs.map((pair) => `${JSON.stringify(pair)}\n`).join("");
    const { code, stdout, stderr } = await run(process.execPath, [join(this.#folder, "simulate.js")], {
      stdin,
    });
    const verdicts = stdout.trimEnd().split("\n");
    if (code === 0 && verdicts.length === pairs.length) return verdicts;
    throw new Error(`the simulator ended with ${code} after ${verdicts.length} verdicts: ${stderr}`);
  }
}

function missing(): undefined {
  if (process.env.CI) throw new Error(`${MISSING}, and CI must do so`);
  console.warn(MISSING);
  return undefined;
}

/** Complete before it gets its name, because another run may be looking for it now. */
async function create(folder: string): Promise<boolean> {
  await mkdir(join(folder, ".."), { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  for (const file of FILES) await copyFile(join(import.meta.dirname, file), join(draft, file));
  const { code } = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: draft });
  if (code === 0) await rename(draft, folder).catch(() => undefined);
  await rm(draft, { recursive: true, force: true });
  return existsSync(folder);
}
