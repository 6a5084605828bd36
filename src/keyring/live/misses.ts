/** Reads of keyring and root key that may fail between two looks at the file, because callers cause them. */
const MOST = 20;

/** Counts the reads that led to nothing since the last look at the file. */
export class Misses {
  #count = 0;

  /** True if so many reads failed that no more are made before the next look. */
  get often(): boolean {
    return this.#count >= MOST;
  }

  add(): void {
    this.#count += 1;
  }

  /** Takes one count back, because the read succeeded. */
  takeBack(): void {
    this.#count -= 1;
  }

  reset(): void {
    this.#count = 0;
  }
}
