/** Counts the calls that have no record, by reason, until the log itself says how many they are. */
export class MissingRecords<Reason extends string> {
  readonly #none: Readonly<Record<Reason, number>>;
  #counts: Record<Reason, number>;
  #isNoting = false;

  /** `none` has each reason, with the number 0. */
  constructor(none: Readonly<Record<Reason, number>>) {
    this.#none = none;
    this.#counts = { ...none };
  }

  add(reason: Reason): void {
    this.#counts[reason] += 1;
  }

  /**
   * Writes the counts by `write`, if there are any, or if the log `fails` as far as was noticed: so a log that works again
   * is noticed without a call. Never rejects: counts that could not be written stay.
   */
  async note(
    fails: boolean,
    write: (counts: Readonly<Record<Reason, number>>) => Promise<void>,
  ): Promise<void> {
    const counts = this.#counts;
    const reasons = Object.keys(this.#none) as Reason[];
    if (this.#isNoting || (!fails && reasons.every((reason) => counts[reason] === 0))) return;
    this.#isNoting = true;
    this.#counts = { ...this.#none };
    try {
      await write(counts);
    } catch {
      for (const reason of reasons) this.#counts[reason] += counts[reason];
    }
    this.#isNoting = false;
  }
}
