/** Returns the `q` quantile (0 to 1) with linear interpolation. Throws if there are no values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error("no values were measured");
  return below + (above - below) * (position - Math.floor(position));
}

/** Returns the middle value, or the mean of the two middle values. Throws if there are no values. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/**
 * Returns the candidates in the order of round `round` (0, 1, 2…). Each candidate takes each place equally
 * often, and after one cycle the order is reversed, so that no candidate always follows the same other
 * candidate. For two candidates: ab, ba, ba, ab.
 */
export function inTurn<T>(candidates: readonly T[], round: number): T[] {
  const shift = round % candidates.length;
  const rotated = [...candidates.slice(shift), ...candidates.slice(0, shift)];
  return Math.floor(round / candidates.length) % 2 === 0 ? rotated : rotated.reverse();
}

/** Holds the measurements of each candidate, round by round. */
export class Rounds {
  readonly #values = new Map<string, number[]>();

  add(candidate: string, value: number): void {
    const values = this.#values.get(candidate) ?? [];
    values.push(value);
    this.#values.set(candidate, values);
  }

  of(candidate: string): readonly number[] {
    return this.#values.get(candidate) ?? [];
  }

  /** Returns the median over all rounds. */
  median(candidate: string): number {
    return median(this.of(candidate));
  }

  /**
   * Returns the median of the ratios of the rounds. A slow moment of the machine slows both candidates of a
   * round, so this is steadier than the ratio of two medians.
   */
  ratio(candidate: string, baseline: string): number {
    const values = this.of(candidate);
    const others = this.of(baseline);
    if (values.length !== others.length) {
      throw new Error(`${candidate} has ${values.length} rounds and ${baseline} ${others.length}`);
    }
    return median(values.map((value, round) => value / (others[round] ?? Number.NaN)));
  }
}
