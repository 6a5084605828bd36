import { spawn } from "node:child_process";
import type { Log } from "../../log.ts";
import { keepRunning } from "./keep-running.ts";

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
export const supervise = ({ name, args, signal, log }: Supervised): Promise<void> =>
  keepRunning({
    start: () =>
      spawn(process.execPath, [process.argv[1] ?? "", ...args], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      }),
    signal,
    stopTime: STOP_MILLISECONDS,
    onEnd: (how, seconds) =>
      log(
        "error",
        `the ${name} ended (${how}) and is started again in ${seconds} s; the sockets continue to serve`,
      ),
    onKill: () => log("warn", `the ${name} did not end within ${STOP_MILLISECONDS / 1000} s and is killed`),
  });

/** Aborts when the `serve` that started this process is gone: a child must not outlive it. */
export function parentGone(): AbortSignal {
  const controller = new AbortController();
  const gone = () => controller.abort(new Error("the serve that started it has ended"));
  if (process.channel !== undefined) process.once("disconnect", gone);
  return controller.signal;
}
