import { type Stats, statSync } from "node:fs";

/**
 * Returns a text that changes when a file is edited, or replaced as editors and Kubernetes volumes do. Never
 * throws: timers call it, for files that anybody may spoil.
 */
export function appearanceOf(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return "none";
    return `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "for an unknown reason";
    return `unreadable ${code}`;
  }
}

/**
 * Returns the time of a file's last change, in epoch milliseconds. `cp -p`, `mv` and `tar` keep an old
 * modification time, but the kernel itself sets the change time.
 */
export const editTime = ({ mtimeMs, ctimeMs }: Stats): number => Math.max(mtimeMs, ctimeMs);
