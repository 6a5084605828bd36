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

/**
 * Logs to stderr as `time LEVEL process: message name=value …`. Never waits for a reader: output beyond four
 * megabytes is dropped, and counted in a line of its own.
 */
export function stderrLog(process_: string, stream: Writable = process.stderr): Log {
  let dropped = 0;
  const write: Log = (level, message, fields = {}) => {
    const pairs = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [` ${name}=${quote(String(value))}`],
    );
    const line = `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${process_}: ${oneLine(message)}`;
    stream.write(`${line}${pairs.join("")}\n`);
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
