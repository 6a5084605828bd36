import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";

const REQUIREMENTS = join(import.meta.dirname, "requirements.txt");

/** How a command ended, and its output. */
export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a command to its end. `input` is its standard input. */
export function run(command: string, args: readonly string[], input = ""): Ended {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", input });
  return { status, output: error === undefined ? stdout + stderr : String(error) };
}

/**
 * Returns a Python that can import `cryptography`: the system's own, or one in a folder of ours; undefined
 * without python3.
 */
export function pythonWithCryptography(): string | undefined {
  if (run("python3", ["--version"]).status !== 0) return undefined;
  if (run("python3", ["-c", "import cryptography"]).status === 0) return "python3";
  return join(environment(), "bin", "python3");
}

/** Returns a virtual environment with our requirements, created once per version of them. */
function environment(): string {
  const hash = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 16);
  const folder = join(tmpdir(), `claviger-vectors-${hash}`);
  if (existsSync(folder)) return ours(folder);
  // Complete before it gets its name, because another run may be looking for it now.
  const draft = mkdtempSync(`${folder}-`);
  succeed("python3", "-m", "venv", draft);
  succeed(join(draft, "bin", "python3"), "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS);
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return ours(folder);
}

/** Anybody can create a folder of that name in /tmp, and we run programs only from our own. */
function ours(folder: string): string {
  const { uid } = lstatSync(folder);
  if (uid !== process.getuid?.()) throw new Error(`${folder} belongs to uid ${uid}: remove it`);
  return folder;
}

function succeed(command: string, ...args: readonly string[]): void {
  const { status, output } = run(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${output}`);
}

const NO_PYTHON = "python3 is not installed: the vectors were not checked by the second implementation";
let skipped = false;

/** Returns a Python with `cryptography`. Without Python a laptop skips the test; CI never does. */
export function python(context: TestContext): string {
  const found = pythonWithCryptography();
  if (found !== undefined) return found;
  if (process.env.CI) throw new Error("python3 is not installed, and CI must check the vectors with it");
  if (!skipped) console.warn(NO_PYTHON);
  skipped = true;
  return context.skip(NO_PYTHON);
}
