import { once } from "node:events";
import { oneLine, printable, printableLines } from "../../printable.ts";
import { renderStyles } from "./style.ts";

/** Writes to stdout. Names come from etcd, the API server and files, so unsafe characters are escaped. */
export function print(text: string): void {
  process.stdout.write(printableLines(text));
}

/** Does the same, and waits until a reader that is slow, such as a pager, has taken it: for output without end. */
export async function printAll(text: string): Promise<void> {
  if (!process.stdout.write(printableLines(text))) await once(process.stdout, "drain");
}

/** Writes a text with styles to stdout: with colours or without. Unsafe characters are escaped. */
export function printStyled(text: string, colour: boolean): void {
  process.stdout.write(renderStyles(text, colour, printableLines));
}

/** Writes the user's own bytes to stdout as they are; on a terminal, unsafe characters are escaped. */
export function printBytes(bytes: Uint8Array): void {
  process.stdout.write(process.stdout.isTTY ? printableLines(Buffer.from(bytes).toString("utf8")) : bytes);
}

/** Writes rows of fields with tabs between them. Unsafe characters in a field are escaped, tabs too. */
export function printFields(rows: readonly (readonly string[])[]): void {
  process.stdout.write(rows.map((row) => `${row.map((field) => printable(field)).join("\t")}\n`).join(""));
}

/** Clears a terminal, and what scrolled off it stays. */
export function clearScreen(): void {
  process.stdout.write("\x1b[H\x1b[2J");
}

/** Writes one line to stderr, beginning with the program's name as usual for commands. */
export function complain(message: string): void {
  process.stderr.write(`claviger: ${oneLine(message)}\n`);
}
