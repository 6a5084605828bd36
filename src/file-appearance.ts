import { statSync } from "node:fs";

/** A text that changes when a file is edited, or replaced as editors and Kubernetes volumes do. */
export function appearanceOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}
