import { randomBytes, randomFillSync } from "node:crypto";

const POOL_BYTES = 4_096;
/** Larger requests are drawn by themselves. */
const MOST_FROM_POOL = 256;

/**
 * Random bytes of the system's generator, drawn in bulk because a draw costs as much as an encryption. Bytes are
 * given once, as a copy, and zeroed here. Whoever reads this memory learns bytes that are still to come; the state of
 * the generator, which is in the same memory, would tell the same.
 */
export class RandomPool {
  readonly #bytes = Buffer.alloc(POOL_BYTES);
  #next = POOL_BYTES;

  take(size: number): Buffer {
    if (size > MOST_FROM_POOL) return randomBytes(size);
    if (this.#next + size > POOL_BYTES) {
      randomFillSync(this.#bytes);
      this.#next = 0;
    }
    const taken = Buffer.alloc(size);
    const end = this.#next + size;
    this.#bytes.copy(taken, 0, this.#next, end);
    this.#bytes.fill(0, this.#next, end);
    this.#next = end;
    return taken;
  }
}
