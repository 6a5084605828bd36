import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { HASH_BYTES } from "./hashes.ts";
import type { Leaves } from "./proofs.ts";

/** 1 MiB a block. */
const BLOCK_LEAVES = 32_768;

/** The leaf hashes of a log as its file had them when it was opened, read a block at a time. */
export class LeafFile implements Leaves {
  readonly size: number;
  /** The bytes after the last whole hash. */
  readonly rest: number;
  readonly #fd: number;

  /** Throws what the disk throws. */
  constructor(path: string) {
    this.#fd = openSync(path, "r");
    const { size } = fstatSync(this.#fd);
    this.size = Math.floor(size / HASH_BYTES);
    this.rest = size % HASH_BYTES;
  }

  *range(from: number, to: number): Generator<Buffer> {
    for (let at = from; at < Math.min(to, this.size); at += BLOCK_LEAVES) {
      const block = this.#read(at, Math.min(BLOCK_LEAVES, to - at, this.size - at));
      for (let start = 0; start + HASH_BYTES <= block.length; start += HASH_BYTES)
        yield block.subarray(start, start + HASH_BYTES);
    }
  }

  /** Returns a leaf; undefined if there is none. */
  at(index: number): Buffer | undefined {
    return index >= 0 && index < this.size ? this.#read(index, 1) : undefined;
  }

  #read(from: number, count: number): Buffer {
    const block = Buffer.alloc(count * HASH_BYTES);
    let length = 0;
    for (let more = -1; more !== 0 && length < block.length; length += more)
      more = readSync(this.#fd, block, length, block.length - length, from * HASH_BYTES + length);
    return block.subarray(0, length);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
