import type { Writable } from "node:stream";
import { messageOf } from "./errors.ts";
import { cut, oneLine, printableJson } from "./printable.ts";

export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Logs one line per event. It prints its arguments, so never pass payloads or secrets. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

/**
 * The limit of output that waits in memory for a stalled reader. The log must not use up the memory that the
 * sockets need.
 */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** The formats of a line. */
export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** A line before it is formatted. */
interface Line {
  readonly time: string;
  readonly level: LogLevel;
  readonly process: string;
  readonly message: string;
  readonly fields: LogFields;
}

const FORMATTERS: Readonly<Record<LogFormat, (line: Line) => string>> = {
  text({ time, level, process: name, message, fields }) {
    const pairs = Object.entries(fields).flatMap(([field, value]) =>
      value === undefined ? [] : [` ${field}=${quote(String(value))}`],
    );
    return `${time} ${level.toUpperCase().padEnd(5)} ${name}: ${oneLine(message)}${pairs.join("")}`;
  },
  json({ fields, message, ...rest }) {
    const shown = Object.entries(fields).map(([field, value]) => [
      field,
      typeof value === "string" ? cut(value, MAX_FIELD_LENGTH) : value,
    ]);
    return printableJson({
      ...rest,
      message: cut(message, MAX_MESSAGE_LENGTH),
      ...Object.fromEntries(shown),
    });
  },
};

/**
 * Logs to stderr: as `time LEVEL process: message name=value …`, or as a JSON object with `time`, `level`,
 * `process`, `message` and the fields. Never waits for a reader: output beyond four megabytes is dropped,
 * and counted in a line of its own.
 */
export function stderrLog(
  process_: string,
  stream: Writable = process.stderr,
  format: LogFormat = "text",
): Log {
  let dropped = 0;
  const write: Log = (level, message, fields = {}) => {
    const time = new Date().toISOString();
    stream.write(`${FORMATTERS[format]({ time, level, process: process_, message, fields })}\n`);
  };
  return (level, message, fields) => {
    if (stream.writableLength > MAX_WAITING_BYTES) {
      dropped += 1;
      return;
    }
    if (dropped > 0) write("warn", `${dropped} lines were dropped, as nobody read this log`);
    dropped = 0;
    write(level, message, fields);
  };
}

const MAX_FIELD_LENGTH = 1_024;
/** As long as a message in text may be. */
const MAX_MESSAGE_LENGTH = 8_192;

/** Quotes as JSON, unless the value is plain. */
function quote(value: string): string {
  const shown = cut(value, MAX_FIELD_LENGTH);
  return /^[\w./:@+-]*$/.test(shown) ? shown : printableJson(shown);
}

/** Logs when `signal` stops a process, and why. Returns a function to call when the process has stopped. */
export function logStop(log: Log, who: string, signal: AbortSignal): () => void {
  const begins = () => log("info", `this ${who} stops: ${messageOf(signal.reason)}`);
  if (signal.aborted) begins();
  else signal.addEventListener("abort", begins, { once: true });
  return () => {
    signal.removeEventListener("abort", begins);
    if (signal.aborted) log("info", `this ${who} has stopped`);
  };
}
