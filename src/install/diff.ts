/** Texts of more lines than this are shown as removed and added as a whole. */
const MOST_LINES = 2_000;
const CONTEXT = 2;

interface Line {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** Returns the difference of two texts in the lines of `diff -u`, without its headers. */
export function lineDiff(before: string, after: string): string[] {
  const lines = alignedLines(linesOf(before), linesOf(after));
  const near = (at: number) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ sign }) => sign !== " ");
  return lines.filter((_, at) => near(at)).map(({ sign, text }) => `${sign}${text}`);
}

const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** Aligns by the longest common subsequence. */
function alignedLines(before: readonly string[], after: readonly string[]): Line[] {
  if (before.length + after.length > MOST_LINES) {
    return [...before.map((text) => ({ sign: "-", text }) as const), ...added(after)];
  }
  const lengths = commonLengths(before, after);
  const length = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const same = i < before.length && j < after.length && before[i] === after[j];
    const removes = i < before.length && (j === after.length || length(i + 1, j) >= length(i, j + 1));
    if (same) lines.push({ sign: " ", text: before[i] ?? "" });
    else if (removes) lines.push({ sign: "-", text: before[i] ?? "" });
    else lines.push({ sign: "+", text: after[j] ?? "" });
    if (same || removes) i += 1;
    if (same || !removes) j += 1;
  }
  return lines;
}

const added = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: "+", text }));

/** Returns the length of the longest common subsequence of every pair of endings. */
function commonLengths(before: readonly string[], after: readonly string[]): number[][] {
  const lengths = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0),
  );
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      const row = lengths[i] ?? [];
      const next = lengths[i + 1] ?? [];
      row[j] = before[i] === after[j] ? (next[j + 1] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return lengths;
}
