import type { SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { spawnTracked } from "./reaper.ts";

/** The result of a finished command; `code` is null if a signal ended it. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds after which the command is killed. */
  readonly deadline?: number;
}

/** Runs a command to its end and collects its output. Rejects only if it could not start. */
export async function run(
  binary: string,
  args: readonly string[],
  { stdin = "", deadline, ...rest }: CommandOptions = {},
): Promise<CommandResult> {
  const options: SpawnOptions = { ...rest, stdio: "pipe" };
  const child = spawnTracked(binary, args, options);
  if (!child.stdin || !child.stdout || !child.stderr) throw new Error(`${binary} has no pipes`);
  const ended = once(child, "close");
  // A command that ends before it has read all of its input breaks the pipe. Its exit code is enough.
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  const killer = deadline === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), deadline);
  try {
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code: child.exitCode, stdout, stderr };
  } finally {
    clearTimeout(killer);
  }
}
