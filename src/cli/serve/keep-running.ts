import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";

const MIN_RESTART_MILLISECONDS = 500;
const MAX_RESTART_MILLISECONDS = 30_000;
/** After a run of this length a child counts as healthy, and its next restart is quick again. */
const GOOD_RUN_MILLISECONDS = 60_000;

/** A child process that is to run until `signal` is aborted. */
export interface KeptChild {
  readonly start: () => ChildProcess;
  readonly signal: AbortSignal;
  /** The time that it has to stop, in milliseconds. It may be killed at any moment. */
  readonly stopTime: number;
  /** Called when it has ended by itself: how, and after how many seconds it is started again. */
  readonly onEnd: (how: string, seconds: number) => void;
  /** Called when it is killed, because it did not stop in time. */
  readonly onKill?: () => void;
}

/** Runs a child until aborted, and starts it again each time it ends. */
export async function keepRunning(child: KeptChild): Promise<void> {
  const { start, signal, onEnd } = child;
  let delay = MIN_RESTART_MILLISECONDS;
  while (!signal.aborted) {
    const started = performance.now();
    const how = await ended(start(), child);
    if (signal.aborted) return;
    delay = performance.now() - started > GOOD_RUN_MILLISECONDS ? MIN_RESTART_MILLISECONDS : delay * 2;
    delay = Math.min(delay, MAX_RESTART_MILLISECONDS);
    onEnd(how, delay / 1000);
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }
}

/** Returns how the child ended. At the stop it is asked to end, and killed if it does not. */
function ended(child: ChildProcess, { signal, stopTime, onKill }: KeptChild): Promise<string> {
  let insist: NodeJS.Timeout | undefined;
  const kill = () => {
    onKill?.();
    child.kill("SIGKILL");
  };
  const terminate = () => {
    child.kill("SIGTERM");
    insist = setTimeout(kill, stopTime);
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
