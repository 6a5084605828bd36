import { HASH_BYTES } from "../tree/hashes.ts";
import { RightEdge } from "../tree/right-edge.ts";
import type { LogFiles } from "./log-files.ts";

const BLOCK_LEAVES = 32_768;

/** The leaf hashes of a log as its file has them, read a block at a time. */
export class StoredLeaves {
  readonly #files: Pick<LogFiles, "readLeaves" | "leavesBytes">;
  readonly #block = Buffer.alloc(BLOCK_LEAVES * HASH_BYTES);
  #from = 0;
  #count = 0;

  constructor(files: Pick<LogFiles, "readLeaves" | "leavesBytes">) {
    this.#files = files;
  }

  /** The number of whole hashes. */
  get count(): number {
    return Math.floor(this.#files.leavesBytes / HASH_BYTES);
  }

  /** Returns the hash of a line; undefined if the file is shorter. */
  at(index: number): Buffer | undefined {
    if (index < this.#from || index >= this.#from + this.#count) this.#read(index);
    if (this.#count === 0) return undefined;
    const at = (index - this.#from) * HASH_BYTES;
    return Buffer.from(this.#block.subarray(at, at + HASH_BYTES));
  }

  /** Returns the tree of the first `size` lines, or of all there are if they are fewer. */
  edge(size: number): RightEdge {
    const edge = new RightEdge();
    this.#count = 0;
    while (edge.size < size) {
      const leaf = this.at(edge.size);
      if (leaf === undefined) break;
      edge.append(leaf);
    }
    return edge;
  }

  #read(index: number): void {
    this.#from = index;
    this.#count = Math.floor(this.#files.readLeaves(this.#block, index) / HASH_BYTES);
  }
}
