import { messageOf } from "./errors.ts";

export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One line per event. What it is given is printed: never pass payloads or secrets. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

/** Logs to stderr as `time LEVEL process: message name=value …`. */
export function stderrLog(process_: string): Log {
  return (level, message, fields = {}) => {
    const pairs = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [` ${name}=${quote(String(value))}`],
    );
    const line = `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${process_}: ${oneLine(message)}`;
    process.stderr.write(`${line}${pairs.join("")}\n`);
  };
}

/** A name from outside must not start a line of its own in our log. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, " ");

const quote = (value: string): string => (/^[\w./:@+-]*$/.test(value) ? value : JSON.stringify(value));

/** Says when `signal` stops a process, and why. Returns what is called when it has stopped. */
export function logStop(log: Log, who: string, signal: AbortSignal): () => void {
  const begins = () => log("info", `this ${who} stops: ${messageOf(signal.reason)}`);
  if (signal.aborted) begins();
  else signal.addEventListener("abort", begins, { once: true });
  return () => {
    signal.removeEventListener("abort", begins);
    if (signal.aborted) log("info", `this ${who} has stopped`);
  };
}
