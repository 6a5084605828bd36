/** Returns " (did you mean …?)" if one of the words is similar to this word, else "". */
export function didYouMean(word: string, words: readonly string[]): string {
  const near = words
    .map((candidate) => ({ candidate, distance: distance(word, candidate) }))
    .filter((each) => each.distance <= Math.max(1, Math.floor(each.candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0] === undefined ? "" : ` (did you mean ${near[0].candidate}?)`;
}

/**
 * Returns how many letters have to be inserted, removed, replaced, or swapped with the next (optimal string
 * alignment).
 */
function distance(from: string, to: string): number {
  // No word that exists is that long, and comparing takes time.
  if (from.length > 40) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next[column] = Math.min(
        (next[column - 1] ?? 0) + 1,
        (last[column] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, last] = [last, next];
  }
  return last[to.length] ?? 0;
}
