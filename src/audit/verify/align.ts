/** A difference between the lines that a log had and the lines of a file. Lines of the file count from 0 here. */
export type Difference =
  /** Lines from `from` on and before `to` have other texts, in the file from `line` on. */
  | { readonly kind: "edited"; readonly from: number; readonly to: number; readonly line: number }
  /** Lines are not there; `line` would be their place. */
  | { readonly kind: "removed"; readonly from: number; readonly to: number; readonly line: number }
  /** `count` lines are too many; `copyOf` is the line that the first of them repeats. */
  | { readonly kind: "inserted"; readonly line: number; readonly count: number; readonly copyOf?: number }
  | { readonly kind: "moved"; readonly number: number; readonly line: number }
  | { readonly kind: "swapped"; readonly numbers: readonly [number, number] };

/** How the lines of a file stand to the lines that the log had. */
export interface Alignment {
  readonly differences: readonly Difference[];
  /** The number of each line of the file, counted from the beginning of the log's part; -1 for a foreign line. */
  readonly numbers: Int32Array;
  /** For each line of the file, if it has the text that the log had. */
  readonly isSame: (line: number) => boolean;
}

/**
 * Aligns the hashes of a file's lines with the hashes that the log had, so that each fault is one difference: lines keep
 * their order along the longest increasing sequence of known hashes, and what is between belongs together in turn.
 */
export function align(had: readonly string[], found: readonly string[]): Alignment {
  const numbers = positions(had, found);
  const swapped = had.length === found.length ? undoSwaps(numbers) : [];
  const isKept = increasing(numbers);
  const isThere = new Uint8Array(had.length);
  for (const [line, number] of numbers.entries()) if (isKept[line] === 1) isThere[number] = 1;
  const strays = strayLines(numbers, isKept, isThere);
  const differences: Difference[] = swapped.map((pair) => ({ kind: "swapped", numbers: pair }));
  let number = 0;
  let foreign: number[] = [];
  for (let line = 0; line <= found.length; line += 1) {
    const next = line === found.length ? had.length : isKept[line] === 1 ? (numbers[line] ?? 0) : -1;
    if (next < 0) {
      foreign.push(line);
      continue;
    }
    const missing: number[] = [];
    for (; number < next; number += 1) if (isThere[number] === 0) missing.push(number);
    differences.push(...gap({ missing, foreign, line, strays, numbers }));
    foreign = [];
    number = next + 1;
  }
  return {
    differences: differences.sort((a, b) => placeOf(a) - placeOf(b)),
    numbers,
    isSame: (line) => isKept[line] === 1,
  };
}

const placeOf = (difference: Difference): number =>
  "line" in difference ? difference.line : difference.numbers[0];

function positions(had: readonly string[], found: readonly string[]): Int32Array {
  const numberOf = new Map<string, number>();
  for (const [number, hash] of had.entries()) numberOf.set(hash, number);
  return Int32Array.from(found, (hash, line) => (had[line] === hash ? line : (numberOf.get(hash) ?? -1)));
}

/** Finds pairs of lines that stand in each other's place, and puts them right. */
function undoSwaps(numbers: Int32Array): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  for (const [line, number] of numbers.entries()) {
    if (number <= line || numbers[number] !== line) continue;
    pairs.push([line, number]);
    numbers[line] = line;
    numbers[number] = number;
  }
  return pairs;
}

/** Marks a longest strictly increasing sequence of known numbers (patience sorting). */
function increasing(numbers: Int32Array): Uint8Array {
  const tails: number[] = [];
  const before = new Int32Array(numbers.length).fill(-1);
  for (const [line, number] of numbers.entries()) {
    if (number < 0) continue;
    const at = lowerBound(tails, numbers, number);
    before[line] = at === 0 ? -1 : (tails[at - 1] ?? -1);
    tails[at] = line;
  }
  const isKept = new Uint8Array(numbers.length);
  for (let line = tails.at(-1) ?? -1; line >= 0; line = before[line] ?? -1) isKept[line] = 1;
  return isKept;
}

function lowerBound(tails: readonly number[], numbers: Int32Array, number: number): number {
  let low = 0;
  let high = tails.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[tails[middle] ?? 0] ?? 0) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Stray = { readonly kind: "moved" | "copy"; readonly number: number };

/** Returns the known lines that stand elsewhere: a line of the log that is nowhere else has moved; others are copies. */
function strayLines(numbers: Int32Array, isKept: Uint8Array, isThere: Uint8Array): Map<number, Stray> {
  const strays = new Map<number, Stray>();
  for (const [line, number] of numbers.entries()) {
    if (number < 0 || isKept[line] === 1) continue;
    strays.set(line, { kind: isThere[number] === 1 ? "copy" : "moved", number });
    isThere[number] = 1;
  }
  return strays;
}

interface Gap {
  readonly missing: readonly number[];
  readonly foreign: readonly number[];
  /** The line after the gap. */
  readonly line: number;
  readonly strays: ReadonlyMap<number, Stray>;
  readonly numbers: Int32Array;
}

/** Returns the differences between two lines that are as they were. */
function gap({ missing, foreign, line, strays, numbers }: Gap): Difference[] {
  const differences: Difference[] = [];
  const others: number[] = [];
  for (const each of foreign) {
    const stray = strays.get(each);
    if (stray?.kind === "moved") {
      differences.push({ kind: "moved", number: stray.number, line: each });
      numbers[each] = -1;
    } else others.push(each);
  }
  const edited = Math.min(missing.length, others.length);
  for (let at = 0; at < edited; at += 1) {
    const [number = 0, place = 0] = [missing[at], others[at]];
    numbers[place] = number;
    extend(differences, { kind: "edited", from: number, to: number + 1, line: place });
  }
  for (const number of missing.slice(edited))
    extend(differences, { kind: "removed", from: number, to: number + 1, line });
  for (const place of others.slice(edited)) {
    numbers[place] = -1;
    const stray = strays.get(place);
    const copy = stray === undefined ? {} : { copyOf: stray.number };
    extend(differences, { kind: "inserted", line: place, count: 1, ...copy });
  }
  return differences;
}

/** Adds a difference, or makes the last one longer if it continues there. */
function extend(differences: Difference[], next: Difference): void {
  const last = differences.at(-1);
  if (last?.kind === "edited" && next.kind === "edited") {
    if (last.to === next.from && last.line + last.to - last.from === next.line) {
      differences[differences.length - 1] = { ...last, to: next.to };
      return;
    }
  } else if (last?.kind === "removed" && next.kind === "removed" && last.to === next.from) {
    differences[differences.length - 1] = { ...last, to: next.to };
    return;
  } else if (last?.kind === "inserted" && next.kind === "inserted" && last.line + last.count === next.line) {
    differences[differences.length - 1] = { ...last, count: last.count + 1 };
    return;
  }
  differences.push(next);
}
