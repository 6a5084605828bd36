import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";

const MIN_RESTART_MILLISECONDS = 500;
const MAX_RESTART_MILLISECONDS = 30_000;
/** After a run of this length the child counts as healthy, and its next restart is quick again. */
const GOOD_RUN_MILLISECONDS = 60_000;
/**
 * The time that a child has to stop. A stop takes it some seconds at most, and it may be killed at any moment.
 */
const STOP_MILLISECONDS = 10_000;

/** A command of claviger that `serve` runs as a child. */
export interface Supervised {
  /** Its name in the log, for example "operator". */
  readonly name: string;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  readonly log: Log;
}

/**
 * Runs a command of claviger until aborted, and starts it again each time it ends. The IPC channel only lets it
 * notice that this process is gone.
 */
export async function supervise({ name, args, signal, log }: Supervised): Promise<void> {
  let delay = MIN_RESTART_MILLISECONDS;
  while (!signal.aborted) {
    const started = performance.now();
    const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const how = await ended(child, { name, args, signal, log });
    if (signal.aborted) return;
    delay = performance.now() - started > GOOD_RUN_MILLISECONDS ? MIN_RESTART_MILLISECONDS : delay * 2;
    delay = Math.min(delay, MAX_RESTART_MILLISECONDS);
    log(
      "error",
      `the ${name} ended (${how}) and is started again in ${delay / 1000} s; the sockets continue to serve`,
    );
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }
}

/** Returns how the child ended. At the stop it is asked to end, and killed if it does not. */
function ended(child: ChildProcess, { name, signal, log }: Supervised): Promise<string> {
  let insist: NodeJS.Timeout | undefined;
  const kill = () => {
    log("warn", `the ${name} did not end within ${STOP_MILLISECONDS / 1000} s and is killed`);
    child.kill("SIGKILL");
  };
  const terminate = () => {
    child.kill("SIGTERM");
    insist = setTimeout(kill, STOP_MILLISECONDS);
  };
  signal.addEventListener("abort", terminate, { once: true });
  if (signal.aborted) terminate();
  return new Promise((resolve) => {
    const done = (how: string) => {
      signal.removeEventListener("abort", terminate);
      clearTimeout(insist);
      resolve(how);
    };
    child.once("error", (error) => done(messageOf(error)));
    child.once("exit", (code, killedBy) => done(killedBy ?? `exit code ${code}`));
  });
}

/** Aborts when the `serve` that started this process is gone: a child must not outlive it. */
export function parentGone(): AbortSignal {
  const controller = new AbortController();
  const gone = () => controller.abort(new Error("the serve that started it has ended"));
  if (process.channel !== undefined) process.once("disconnect", gone);
  return controller.signal;
}
