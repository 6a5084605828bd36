/** Places for work that is done at once, of which no holder may take more than its share. */
export class Shares {
  readonly #most: number;
  readonly #share: number;
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** `most` places in all, and `share` of them for one holder. */
  constructor(most: number, share: number) {
    this.#most = most;
    this.#share = share;
  }

  /** Takes a place for a holder; returns false if all places are taken, or all of the holder's share. */
  take(holder: string): boolean {
    const taken = this.#taken.get(holder) ?? 0;
    if (this.#all >= this.#most || taken >= this.#share) return false;
    this.#all += 1;
    this.#taken.set(holder, taken + 1);
    return true;
  }

  /** Releases a place that was taken for the holder. */
  release(holder: string): void {
    const left = (this.#taken.get(holder) ?? 0) - 1;
    this.#all -= 1;
    if (left > 0) this.#taken.set(holder, left);
    else this.#taken.delete(holder);
  }
}
