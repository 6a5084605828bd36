import { type Stats, statSync } from "node:fs";

/**
 * A text that changes when a file is edited, or replaced as editors and Kubernetes
 * volumes do. Never throws: it is asked from timers, of files that anybody may spoil.
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
 * When a file came to be what it is, in epoch milliseconds. `cp -p`, `mv` and `tar`
 * keep an old time of modification; the time of change is the kernel's own.
 */
export const editTime = ({ mtimeMs, ctimeMs }: Stats): number => Math.max(mtimeMs, ctimeMs);
