/** The `q` quantile (0 to 1) with linear interpolation. Throws for no values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error("no values were measured");
  return below + (above - below) * (position - Math.floor(position));
}

/** The middle value, or halfway between the two middle ones. Throws for no values. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/**
 * The candidates in the order of round `round` (0, 1, 2…): each takes each place
 * equally often, and after one cycle the order turns round, so that none always
 * follows the same other one. Two candidates: ab, ba, ba, ab.
 */
export function inTurn<T>(candidates: readonly T[], round: number): T[] {
  const shift = round % candidates.length;
  const rotated = [...candidates.slice(shift), ...candidates.slice(0, shift)];
  return Math.floor(round / candidates.length) % 2 === 0 ? rotated : rotated.reverse();
}

/** What each candidate measured, round by round. */
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

  /** The median over all rounds. */
  median(candidate: string): number {
    return median(this.of(candidate));
  }

  /**
   * The median of the rounds' own ratios. What slows the machine down for a round
   * slows both, so that this is steadier than the ratio of two medians.
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
