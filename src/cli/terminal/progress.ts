import { printable } from "../../printable.ts";
import { wrapped } from "./wrap.ts";

const WIDTH = 30;
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

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/**
 * Shows progress. On a terminal, a text with a bar changes in place, on as many lines as it needs. Elsewhere
 * each new text is a line. Unsafe characters are escaped.
 */
export class ProgressLine {
  readonly #output: Output;
  #shown = "";
  /** The number of terminal lines that the text takes. */
  #lines = 1;

  constructor(output: Output = process.stdout) {
    this.#output = output;
  }

  show(progress: Progress): void {
    const text = printable(progress.text);
    const line = this.#output.isTTY ? barOf({ ...progress, text }) : text;
    if (line === this.#shown) return;
    this.#shown = line;
    if (this.#output.isTTY) this.#draw(line);
    else this.#output.write(`${line}\n`);
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

function barOf({ text, done, total, secondsLeft }: Progress): string {
  if (done === undefined || total === undefined || total === 0) return text;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * WIDTH);
  const left = secondsLeft === undefined ? "" : `, ${secondsLeft} s left`;
  return `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}] ${Math.floor(share * 100)} % ${done}/${total}${left}  ${text}`;
}
