import { statSync } from "node:fs";
import { flawOnTheWay, isWritableByOthers, octal } from "./private-path.ts";
import { readRegularText } from "./regular-file.ts";

/**
 * Reads a file that decides what this process does, such as which programs it runs. Others may read the file,
 * but only root and our own user may be able to change or replace it. Throws an Error that says who else
 * could and how to fix that, or why there is no such file.
 */
export function readOwnFile(path: string, maxBytes: number): string {
  const text = readRegularText(path, { maxBytes });
  // Checked after reading: if nobody else can change the path now, the bytes that were read are the right
  // ones.
  const flaw = flawOnTheWay(path, { readOnlyMounts: true }) ?? flawOfFile(path);
  if (flaw !== undefined) throw new Error(flaw);
  return text;
}

function flawOfFile(path: string): string | undefined {
  const user = process.geteuid?.();
  if (user === undefined) return undefined;
  const stat = statSync(path);
  if (stat.uid !== user && stat.uid !== 0) {
    return `it belongs to user ${stat.uid} (mode ${octal(stat)}), who can change it; run: chown ${user} ${path}`;
  }
  if (!isWritableByOthers(stat)) return undefined;
  return `it has mode ${octal(stat)}, and others can change it; run: chmod go-w ${path}`;
}
