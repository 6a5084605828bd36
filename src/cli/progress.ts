import { printable } from "../printable.ts";

const WIDTH = 30;
/** To the line's beginning, and nothing on it. */
const CLEAR = "\r\x1b[K";

/** One state of long work. */
export interface Progress {
  readonly text: string;
  readonly done?: number;
  readonly total?: number;
  readonly secondsLeft?: number;
}

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** On a terminal one line with a bar that changes; elsewhere a line for each new text. Nothing in a text steers the terminal. */
export class ProgressLine {
  readonly #output: Output;
  #shown = "";

  constructor(output: Output = process.stdout) {
    this.#output = output;
  }

  show(progress: Progress): void {
    const text = printable(progress.text);
    const line = this.#output.isTTY ? barOf({ ...progress, text }) : text;
    if (line === this.#shown) return;
    this.#shown = line;
    if (this.#output.isTTY) this.#output.write(`${CLEAR}${line.slice(0, (this.#output.columns ?? 80) - 1)}`);
    else this.#output.write(`${line}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#output.isTTY && this.#shown !== "") this.#output.write(CLEAR);
    this.#shown = "";
  }

  /** Leaves a last line in its place. */
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
