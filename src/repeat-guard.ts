import { createHash } from "node:crypto";
import type { Log, LogFields } from "./log.ts";
import { putNewest } from "./put-newest.ts";

const WINDOW_MILLISECONDS = 600_000;
/** The number of times that one line is logged within a window. A caller's flood has a limit of its own below it. */
const MOST_TIMES = 30;
/** The number of different lines that are remembered. */
const MOST_LINES = 1_000;

interface Seen {
  readonly since: number;
  times: number;
}

/**
 * Bounds every loop that logs the same line again and again, also a loop that nobody has thought of: a line
 * is logged thirty times within ten minutes, then only counted.
 */
export function guardedLog(log: Log, now = () => performance.now()): Log {
  const lines = new Map<string, Seen>();
  return (level, message, fields) => {
    const key = keyOf(level, message, fields);
    const time = now();
    let seen = lines.get(key);
    if (seen === undefined || time - seen.since >= WINDOW_MILLISECONDS) {
      const leftOut = (seen?.times ?? 0) - MOST_TIMES;
      if (leftOut > 0) log(level, `${leftOut} more like this within 10 minutes were not logged: ${message}`);
      seen = { since: time, times: 0 };
      putNewest(lines, key, seen, MOST_LINES);
    }
    seen.times += 1;
    if (seen.times > MOST_TIMES) return;
    const last =
      seen.times === MOST_TIMES ? " (if this line comes again within 10 minutes, it is only counted)" : "";
    log(level, `${message}${last}`, fields);
  };
}

const keyOf = (level: string, message: string, fields: LogFields = {}): string =>
  createHash("sha256")
    .update(JSON.stringify([level, message, fields]))
    .digest("base64");
