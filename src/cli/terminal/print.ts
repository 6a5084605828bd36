import { oneLine, printableLines } from "../../printable.ts";

/** Writes to stdout. Names come from etcd, the API server and files, so unsafe characters are escaped. */
export function print(text: string): void {
  process.stdout.write(printableLines(text));
}

/** Writes one line to stderr, beginning with the program's name as usual for commands. */
export function complain(message: string): void {
  process.stderr.write(`claviger: ${oneLine(message)}\n`);
}
