/** Every body may take this much: no request of AWS KMS but one with many grant tokens is larger. */
const OWN_BYTES = 32 * 1024;
/** What all larger bodies together may take beyond their own. */
const SHARED_BYTES = 32 * 1024 * 1024;

/**
 * The memory for bodies that are read or answered. Nobody has verified who sends them, so it is bounded, and those who
 * send large bodies, or send them slowly, take nothing from those who send small bodies.
 */
export class BodyMemory {
  #left = SHARED_BYTES;

  /** Returns the memory of one more body. It is released at the end of its scope. */
  body(): BodyShare {
    return new BodyShare((bytes) => this.#take(bytes));
  }

  #take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** The memory of one body. */
export class BodyShare implements Disposable {
  readonly #take: (bytes: number) => boolean;
  #taken = 0;

  constructor(take: (bytes: number) => boolean) {
    this.#take = take;
  }

  /** Asks for this much in all. Returns false if there is no such memory. */
  reserve(bytes: number): boolean {
    const more = Math.max(bytes - OWN_BYTES, 0) - this.#taken;
    if (more <= 0) return true;
    if (!this.#take(more)) return false;
    this.#taken += more;
    return true;
  }

  [Symbol.dispose](): void {
    this.#take(-this.#taken);
    this.#taken = 0;
  }
}
