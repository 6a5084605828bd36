import { oneLine, printableLines } from "../../printable.ts";

/** Writes to stdout. Names come from etcd, the API server and files: none may steer the terminal. */
export function print(text: string): void {
  process.stdout.write(printableLines(text));
}

/** Writes one line to stderr, which begins with our name as is usual for commands. */
export function complain(message: string): void {
  process.stderr.write(`claviger: ${oneLine(message)}\n`);
}
