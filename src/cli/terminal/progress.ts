import { printable } from "../../printable.ts";
import { durationText } from "./ago.ts";
import { wrapped } from "./wrap.ts";

const WIDTH = 30;
/** A person or a CI job that sees no line for longer takes the command for dead. */
const REPEAT_MILLISECONDS = 30_000;
/** Moves to the beginning of the line and clears it. */
const CLEAR = "\r\x1b[K";
/** Moves to the line above and clears it. */
const CLEAR_ABOVE = "\x1b[1A\x1b[K";

/** A state of long work. */
export interface Progress {
  readonly text: string;
  readonly done?: number;
  readonly total?: number;
  readonly secondsLeft?: number;
}

interface ProgressOptions {
  readonly now?: () => number;
  readonly seldom?: boolean;
}

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/**
 * Shows progress. On a terminal, a text with a bar and the time that has passed changes in place, on as many
 * lines as it needs. Elsewhere each new text is a line, and a text that stays is repeated every thirty
 * seconds, with the time and the counts. Unsafe characters are escaped.
 */
export class ProgressLine {
  readonly #output: Output;
  readonly #now: () => number;
  readonly #seldom: boolean;
  #started: number | undefined;
  #shown = "";
  /** The time at which a plain line was last written. */
  #writtenAt = 0;
  /** The number of terminal lines that the text takes. */
  #lines = 1;

  /**
   * `seldom` is for progress beside the output of a command: without a terminal, nothing is written in the
   * first thirty seconds, and then a line every thirty seconds.
   */
  constructor(
    output: Output = process.stdout,
    { now = () => performance.now(), seldom = false }: ProgressOptions = {},
  ) {
    this.#output = output;
    this.#now = now;
    this.#seldom = seldom;
  }

  show(progress: Progress): void {
    if (this.#started === undefined) {
      this.#started = this.#now();
      this.#writtenAt = this.#started;
    }
    const passed = this.#now() - this.#started;
    const safe = { ...progress, text: printable(progress.text) };
    if (this.#output.isTTY)
      this.#showInPlace(`${barOf(safe)}${passed < 1_000 ? "" : ` (${durationText(passed)})`}`);
    else this.#showPlain(safe, passed);
  }

  #showInPlace(line: string): void {
    if (line === this.#shown) return;
    this.#shown = line;
    this.#draw(line);
  }

  #showPlain(progress: Progress, passed: number): void {
    const { text } = progress;
    const isNew = text !== this.#shown && !this.#seldom;
    if (!isNew && this.#now() - this.#writtenAt < REPEAT_MILLISECONDS) return;
    this.#shown = text;
    this.#writtenAt = this.#now();
    const still = ` (${[...countsOf(progress), `after ${durationText(passed)}`].join(", ")})`;
    this.#output.write(`${text}${isNew ? "" : still}\n`);
  }

  /** Wraps the text itself, because nobody knows how many lines to clear if the terminal wraps it. */
  #draw(line: string): void {
    const { columns = 80, rows = 24 } = this.#output;
    const lines = wrapped(line, Math.max(1, columns - 1)).slice(0, Math.max(1, rows - 1));
    this.#output.write(`${this.#cleared()}${lines.join("\n")}`);
    this.#lines = lines.length;
  }

  #cleared(): string {
    return `${CLEAR}${CLEAR_ABOVE.repeat(this.#lines - 1)}`;
  }

  /** Clears the text. */
  clear(): void {
    if (this.#output.isTTY && this.#shown !== "") this.#output.write(this.#cleared());
    this.#shown = "";
    this.#lines = 1;
  }

  /** Replaces the text by a last line that stays. */
  end(text: string): void {
    this.clear();
    this.#output.write(`${printable(text)}\n`);
  }
}

function countsOf({ done, total, secondsLeft }: Progress): string[] {
  if (done === undefined || total === undefined) return [];
  return [
    `${done}/${total}`,
    ...(secondsLeft === undefined ? [] : [`${durationText(secondsLeft * 1000)} left`]),
  ];
}

function barOf({ text, done, total, secondsLeft }: Progress): string {
  if (done === undefined || total === undefined || total === 0) return text;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * WIDTH);
  const left = secondsLeft === undefined ? "" : `, ${durationText(secondsLeft * 1000)} left`;
  return `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}] ${Math.floor(share * 100)} % ${done}/${total}${left}  ${text}`;
}
