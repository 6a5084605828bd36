import { closeSync, fsyncSync, openSync } from "node:fs";

/** Syncs a file to disk, or a folder: without that, a new name in it may be lost in a power cut. */
export function syncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
