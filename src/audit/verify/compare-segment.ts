import { HASH_BYTES } from "../tree/hashes.ts";
import type { Leaves } from "../tree/proofs.ts";
import { align, type Difference } from "./align.ts";
import { hashAt, type SegmentLines } from "./read-segment.ts";

/** The lines of a file compared with the leaf hashes of its part of the log. */
export interface Comparison {
  /** Differences; numbers are those of the log. */
  readonly differences: readonly Difference[];
  /** The number of a line of the file, if it has the text that the log had. */
  readonly numberOf: (line: number) => number | undefined;
  /** The number after the last line of this file. */
  readonly end: number;
}

/** The leaf hashes of a file, from `first` on and before `next`. An open file may have new lines after them. */
export interface Part {
  readonly first: number;
  readonly next: number;
  readonly isOpen: boolean;
}

/** Compares a file with its leaf hashes. */
export function compareSegment(lines: SegmentLines, leaves: Leaves, part: Part): Comparison {
  const { first, next, isOpen } = part;
  const same = commonStart(lines, leaves, first, next);
  const end = first + same;
  if (same === lines.count || end === next) return alike(lines, same, part);
  const had = [...leaves.range(end, next)].map((hash) => hash.toString("latin1"));
  const found = Array.from({ length: lines.count - same }, (_, at) =>
    hashAt(lines, same + at).toString("latin1"),
  );
  const { differences, numbers, isSame } = align(had, found);
  return {
    differences: differences
      .map((each) => withCopy(shifted(each, end, same), lines, { first, same }))
      .filter((each) => !(isOpen && isTail(each, lines.count))),
    numberOf: (line) => {
      if (line < same) return first + line;
      const number = numbers[line - same] ?? -1;
      return number >= 0 && isSame(line - same) ? end + number : undefined;
    },
    end: next,
  };
}

/** All lines are as they were, up to the end of the file or of the leaf hashes. */
function alike(lines: SegmentLines, same: number, { first, next, isOpen }: Part): Comparison {
  const end = first + same;
  const numberOf = (line: number) => first + line;
  if (end < next)
    return {
      differences: [{ kind: "removed", from: end, to: next, line: lines.count }],
      numberOf,
      end: next,
    };
  const more = lines.count - same;
  if (more === 0 || isOpen)
    return { differences: copiesAfter(lines, same, first), numberOf, end: end + more };
  return { differences: [{ kind: "inserted", line: same, count: more }], numberOf, end };
}

/** New lines that are looked up among the lines before them. */
const MOST_LOOKED_UP = 1_000;

/** Returns the new lines that repeat a line: each line of a log has an id of its own. */
function copiesAfter(lines: SegmentLines, same: number, first: number): Difference[] {
  const copies: Difference[] = [];
  for (let line = same; line < Math.min(lines.count, same + MOST_LOOKED_UP); line += 1) {
    const at = lines.hashes.indexOf(hashAt(lines, line));
    if (at < line * HASH_BYTES && at % HASH_BYTES === 0)
      copies.push({ kind: "inserted", line, count: 1, copyOf: first + at / HASH_BYTES });
  }
  return copies;
}

function commonStart({ hashes }: SegmentLines, leaves: Leaves, first: number, next: number): number {
  let same = 0;
  for (const leaf of leaves.range(first, next)) {
    const at = same * HASH_BYTES;
    if (at >= hashes.length || leaf.compare(hashes, at, at + HASH_BYTES) !== 0) return same;
    same += 1;
  }
  return same;
}

/** Looks an inserted line up among the lines before the first difference, which were not compared with it. */
function withCopy(
  difference: Difference,
  { hashes }: SegmentLines,
  { first, same }: { readonly first: number; readonly same: number },
): Difference {
  if (difference.kind !== "inserted" || difference.copyOf !== undefined) return difference;
  const at = hashes.subarray(0, same * HASH_BYTES).indexOf(hashAt({ hashes }, difference.line));
  return at < 0 || at % HASH_BYTES !== 0 ? difference : { ...difference, copyOf: first + at / HASH_BYTES };
}

/** Lines after the last hash are new, not inserted, unless they repeat a line. */
const isTail = (difference: Difference, count: number): boolean =>
  difference.kind === "inserted" &&
  difference.copyOf === undefined &&
  difference.line + difference.count === count;

function shifted(difference: Difference, number: number, line: number): Difference {
  switch (difference.kind) {
    case "edited":
    case "removed":
      return {
        ...difference,
        from: difference.from + number,
        to: difference.to + number,
        line: difference.line + line,
      };
    case "inserted":
      return {
        ...difference,
        line: difference.line + line,
        ...(difference.copyOf !== undefined && { copyOf: difference.copyOf + number }),
      };
    case "moved":
      return { ...difference, number: difference.number + number, line: difference.line + line };
    case "swapped":
      return { kind: "swapped", numbers: [difference.numbers[0] + number, difference.numbers[1] + number] };
  }
}
