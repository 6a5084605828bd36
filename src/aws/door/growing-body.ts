import type { BodyShare } from "./body-memory.ts";

/** The largest request of AWS KMS, an imported RSA key or a key policy, is far smaller. */
export const MAX_BODY_BYTES = 256 * 1024;
/** The first memory of a body that does not say its length, and the most of one that does. */
const FIRST_BYTES = 4 * 1024;
const MAX_FIRST_BYTES = 32 * 1024;

/** The reason why a body is not read. */
export type BodyRefusal = "too-large" | "no-memory";

/**
 * The part of a body that has arrived. Chunks are copied: kept as they come, chunks of one byte each would take
 * hundreds of bytes.
 */
export class GrowingBody {
  readonly #memory: BodyShare;
  #bytes: Buffer;
  #size = 0;

  /** `length` is what the client says. */
  constructor(memory: BodyShare, length = FIRST_BYTES) {
    this.#memory = memory;
    this.#bytes = Buffer.allocUnsafe(Math.min(length, MAX_FIRST_BYTES));
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Returns the reason if the chunk was not added. */
  add(chunk: Buffer): BodyRefusal | undefined {
    const size = this.#size + chunk.length;
    if (size > MAX_BODY_BYTES) return "too-large";
    if (!this.#growTo(size)) return "no-memory";
    this.#size += chunk.copy(this.#bytes, this.#size);
    return undefined;
  }

  /** Memory is doubled, so that a body is copied a few times only. */
  #growTo(size: number): boolean {
    if (size <= this.#bytes.length) return true;
    const capacity = Math.min(Math.max(size, 2 * this.#bytes.length), MAX_BODY_BYTES);
    if (!this.#memory.reserve(capacity)) return false;
    this.#bytes = Buffer.concat([this.bytes], capacity);
    return true;
  }
}
