import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { syncFile } from "../../files/sync-file.ts";
import { closedFiles } from "./log-paths.ts";

const MODE = 0o600;

/**
 * Compresses the closed files of the log at `path`. A file is removed once its compressed file is on the disk and was
 * read back. Never rejects: a file that cannot be compressed stays as it is, and the next call tries again. Two
 * processes may do it at once.
 */
export async function compressClosed(path: string): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder).catch((): string[] => []);
  for (const { name, isCompressed } of closedFiles(path, names)) {
    if (!isCompressed) await compress(join(folder, name)).catch(() => undefined);
  }
}

async function compress(file: string): Promise<void> {
  const draft = `${file}.gz.${process.pid}`;
  try {
    const packed = createWriteStream(draft, { mode: MODE, flush: true });
    await pipeline(createReadStream(file), createGzip(), packed);
    const [before, after] = await Promise.all([
      digestOf(createReadStream(file)),
      digestOf(createReadStream(draft).pipe(createGunzip())),
    ]);
    if (before !== after) return;
    await rename(draft, `${file}.gz`);
    syncFile(dirname(file));
    await rm(file, { force: true });
  } finally {
    await rm(draft, { force: true });
  }
}

async function digestOf(stream: Readable): Promise<string> {
  const digest = createHash("sha256");
  await pipeline(stream, digest);
  return digest.digest("hex");
}
