import type { EventEmitter } from "node:events";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * npm hands a terminal's Ctrl-C, which its child has already had, on to it once
 * more, and a supervisor may follow it by a SIGTERM. On a slow machine that
 * comes late, and would end in its middle a stop that nobody found too slow.
 */
export const SAME_REQUEST_MILLISECONDS = 3_000;

export interface StopSignalOptions {
  /** Called at each SIGHUP, which then is no request to stop. */
  readonly onHangUp?: () => void;
}

/** What a test puts in the place of the process and its clock. */
export interface StopSignalParts extends StopSignalOptions {
  readonly signals?: EventEmitter;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  readonly exit?: (code: number) => void;
}

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP, with which of them as the reason. A terminal
 * that closes sends SIGHUP: a command then cleans up as after Ctrl-C. A process that is to
 * outlive its terminal gives an `onHangUp`. A request that comes more than three seconds
 * after the first ends the process at once, with exit code 1, as somebody finds the stop too slow.
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
        controller.abort(new Error(`${name} came`));
      } else if (now() - asked > SAME_REQUEST_MILLISECONDS) {
        exit(1);
      }
    });
  }
  return controller.signal;
}
