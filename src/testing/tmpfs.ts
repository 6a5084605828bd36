/** A small file system for tests, for disks that are full or cannot be written. Only root may mount it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const mount = (...args: readonly string[]) => execFileSync("mount", args, { stdio: "ignore" });

export class Tmpfs {
  readonly path: string;

  constructor(size: string) {
    this.path = mkdtempSync(join(tmpdir(), "claviger-tmpfs-"));
    mount("-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", this.path);
  }

  remount(mode: "ro" | "rw" | `rw,size=${string}`): void {
    mount("-o", `remount,${mode}`, this.path);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", this.path]);
    rmdirSync(this.path);
  }
}

/** Returns true if this process may mount at all. */
export const canMount = (): boolean => {
  const path = mkdtempSync(join(tmpdir(), "claviger-tmpfs-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "tmpfs", path]);
  if (status === 0) spawnSync("umount", [path]);
  rmdirSync(path);
  return status === 0;
};
