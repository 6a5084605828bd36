import { HASH_BYTES } from "../tree/hashes.ts";
import type { Leaves } from "../tree/proofs.ts";

/** The leaf hashes of a log: those of the file, and after its end those of the lines. */
export class ClaimedLeaves implements Leaves {
  /** The hashes of the file. */
  readonly stored: Leaves;
  readonly #more: Buffer[] = [];
  #count = 0;

  constructor(stored: Leaves) {
    this.stored = stored;
  }

  get size(): number {
    return this.stored.size + this.#count;
  }

  /** Adds the hashes, one after another, of the lines from number `first` on, if they continue what is known. */
  continueWith(first: number, hashes: Buffer): void {
    const known = this.size - first;
    if (known < 0 || known * HASH_BYTES >= hashes.length) return;
    const more = hashes.subarray(known * HASH_BYTES);
    this.#more.push(more);
    this.#count += more.length / HASH_BYTES;
  }

  *range(from: number, to: number): Generator<Buffer> {
    yield* this.stored.range(from, Math.min(to, this.stored.size));
    let at = this.stored.size;
    for (const block of this.#more)
      for (let start = 0; start < block.length; start += HASH_BYTES, at += 1)
        if (at >= from && at < to) yield block.subarray(start, start + HASH_BYTES);
  }
}

/** The leaves of a log whose file of hashes is not there. */
export const NO_LEAVES: Leaves = { size: 0, range: () => [] };
