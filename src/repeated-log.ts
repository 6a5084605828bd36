import type { Log, LogFields, LogLevel } from "./log.ts";

/** Lines of one kind that are logged in full within a window. */
const LINES = 10;
const WINDOW_MILLISECONDS = 10_000;

/** A line. Lines of the same kind are counted together; callers must not be able to invent kinds. */
export interface RepeatedLine {
  readonly kind: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: LogFields;
}

interface Window {
  readonly timer: NodeJS.Timeout;
  lines: number;
  last: RepeatedLine;
}

/**
 * A log for messages that callers can cause as often as they like: it has ten lines of each kind within ten
 * seconds, and at their end a line with the number of further lines.
 */
export class RepeatedLog {
  readonly #log: Log;
  readonly #windows = new Map<string, Window>();

  constructor(log: Log) {
    this.#log = log;
  }

  note(line: RepeatedLine): void {
    const window = this.#windows.get(line.kind) ?? this.#open(line);
    window.lines += 1;
    window.last = line;
    if (window.lines <= LINES) this.#log(line.level, line.message, line.fields);
  }

  /** Logs the counts of lines that were left out. */
  close(): void {
    for (const kind of this.#windows.keys()) this.#end(kind);
  }

  #open(line: RepeatedLine): Window {
    const timer = setTimeout(() => this.#end(line.kind), WINDOW_MILLISECONDS);
    timer.unref();
    const window = { timer, lines: 0, last: line };
    this.#windows.set(line.kind, window);
    return window;
  }

  #end(kind: string): void {
    const window = this.#windows.get(kind);
    if (window === undefined) return;
    clearTimeout(window.timer);
    this.#windows.delete(kind);
    const { lines, last } = window;
    const seconds = WINDOW_MILLISECONDS / 1000;
    if (lines > LINES)
      this.#log(
        last.level,
        `${lines - LINES} more like this within ${seconds} s: ${last.message}`,
        last.fields,
      );
  }
}
