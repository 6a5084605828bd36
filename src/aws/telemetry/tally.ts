/** The number of a series' events, the sum of their seconds, and how many were in each bucket. */
export interface Counts {
  readonly series: string;
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly number[];
}

interface Sums {
  count: number;
  sum: number;
  readonly buckets: number[];
}

/** Counts the events of a metric by its series. A call pays for it with a fraction of a microsecond. */
export class Tally {
  readonly #bounds: readonly number[];
  readonly #sums = new Map<string, Sums>();

  /** Without bounds the events have no duration. */
  constructor(bounds: readonly number[] = []) {
    this.#bounds = bounds;
  }

  add(series: string, seconds = 0): void {
    const sums = this.#of(series);
    sums.count += 1;
    sums.sum += seconds;
    const bucket = this.#bounds.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) sums.buckets[bucket] = (sums.buckets[bucket] ?? 0) + 1;
  }

  /** Adds counts of another process. */
  merge(all: readonly Counts[]): void {
    for (const { series, count, sum, buckets } of all) {
      const sums = this.#of(series);
      sums.count += count;
      sums.sum += sum;
      for (const [bucket, number] of sums.buckets.entries())
        sums.buckets[bucket] = number + (buckets[bucket] ?? 0);
    }
  }

  /** Begins series with 0. */
  begin(all: readonly string[]): void {
    for (const series of all) this.#of(series);
  }

  get all(): readonly Counts[] {
    return [...this.#sums].map(([series, sums]) => ({ series, ...sums }));
  }

  /** Returns the counts of the series that had events, and continues from 0. */
  take(): readonly Counts[] {
    const all = this.all;
    this.#sums.clear();
    return all;
  }

  #of(series: string): Sums {
    const known = this.#sums.get(series);
    if (known !== undefined) return known;
    const sums = { count: 0, sum: 0, buckets: this.#bounds.map(() => 0) };
    this.#sums.set(series, sums);
    return sums;
  }
}
