import type { EventEmitter } from "node:events";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * npm forwards a terminal's Ctrl-C to its child, which has already had it, and a supervisor may send SIGTERM
 * after it. Both are the same request. On a slow machine the second signal comes late, and would cut short a
 * stop that nobody found too slow.
 */
export const SAME_REQUEST_MILLISECONDS = 3_000;

export interface StopSignalOptions {
  /** Called at each SIGHUP, which then does not count as a request to stop. */
  readonly onHangUp?: () => void;
}

/** Replacements for the process and its clock, for tests. */
export interface StopSignalParts extends StopSignalOptions {
  readonly signals?: EventEmitter;
  /** Returns milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  readonly exit?: (code: number) => void;
}

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP, with the signal's name as the reason. A terminal that closes
 * sends SIGHUP, and a command then cleans up as after Ctrl-C. A process that must outlive its terminal gives
 * an `onHangUp`. A request more than three seconds after the first ends the process at once with exit code 1:
 * somebody finds the stop too slow.
 */
export function stopSignal({
  onHangUp,
  signals = process,
  now = () => performance.now(),
  exit = (code) => process.exit(code),
}: StopSignalParts = {}): AbortSignal {
  const controller = new AbortController();
  let asked: number | undefined;
  if (onHangUp !== undefined) signals.on("SIGHUP", onHangUp);
  for (const name of onHangUp === undefined ? [...SIGNALS, "SIGHUP"] : SIGNALS) {
    signals.on(name, () => {
      if (asked === undefined) {
        asked = now();
        controller.abort(new Error(`received ${name}`));
      } else if (now() - asked > SAME_REQUEST_MILLISECONDS) {
        exit(1);
      }
    });
  }
  return controller.signal;
}
