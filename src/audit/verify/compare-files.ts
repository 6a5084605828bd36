import type { Leaves } from "../tree/proofs.ts";
import type { Difference } from "./align.ts";
import type { ClaimedLeaves } from "./claimed-leaves.ts";
import { compareSegment, type Part } from "./compare-segment.ts";
import type { KeyEvent } from "./key-chain.ts";
import { hashAt, readSegment, type SegmentLines } from "./read-segment.ts";
import type { Segment, Segments } from "./segments.ts";

/** A file of lines after it was compared with its leaf hashes. */
export interface ComparedFile extends Part {
  readonly segment: Segment;
  readonly isNewest: boolean;
  readonly differences: readonly Difference[];
  /** Lines of the file, from 0 on, that are no JSON objects. */
  readonly malformed: readonly number[];
  readonly unreadable: string | undefined;
  readonly isTorn: boolean;
  /** The lines of the file. */
  readonly count: number;
}

/** The files of a log after they were compared. */
export interface ComparedFiles {
  readonly files: readonly ComparedFile[];
  readonly keyEvents: readonly KeyEvent[];
  /** The hashes of edited lines by number. */
  readonly edited: ReadonlyMap<number, Buffer>;
  /** The number after the last line, those after the newest leaf hash too. */
  readonly end: number;
}

const MOST_EDITED = 100_000;

/** Reads all files of lines, and compares them with the leaf hashes. */
export async function compareFiles(
  { closed, newest }: Segments,
  leaves: ClaimedLeaves,
  onProgress?: (step: "lines", lines: number) => void,
): Promise<ComparedFiles> {
  const comparing = new Comparing(leaves);
  let read = 0;
  const linesOf = (segment: Segment) =>
    readSegment(segment, (count) => {
      read += count;
      onProgress?.("lines", read);
    });
  // The newest file is read first: it is the only file that changes.
  const newestLines = newest && (await linesOf(newest));
  const newestFirst = newestLines && firstOf(newest?.first, newestLines, leaves.stored);
  for (const segment of closed) {
    const { first } = segment;
    const firsts = [...closed.map((each) => each.first), newestFirst];
    const following = firsts.find((each) => each !== undefined && each > first);
    const next = following ?? (newest === undefined ? leaves.stored.size : undefined);
    comparing.take(segment, await linesOf(segment), { first, next });
  }
  if (newest !== undefined && newestLines !== undefined)
    comparing.take(newest, newestLines, { first: newestFirst ?? comparing.end, isNewest: true });
  return comparing.compared();
}

class Comparing {
  readonly #leaves: ClaimedLeaves;
  readonly #files: ComparedFile[] = [];
  readonly #keyEvents: KeyEvent[] = [];
  readonly #edited = new Map<number, Buffer>();
  #end = 0;

  constructor(leaves: ClaimedLeaves) {
    this.#leaves = leaves;
  }

  /** The number after the last line so far. */
  get end(): number {
    return this.#end;
  }

  take(
    segment: Segment,
    lines: SegmentLines,
    place: { readonly first: number; readonly next?: number | undefined; readonly isNewest?: boolean },
  ): void {
    const { first, isNewest = false } = place;
    const { stored } = this.#leaves;
    const known = Math.max(first, stored.size);
    // If the newest file does not say its first line, the file before it is taken to be whole.
    const next = place.next ?? (isNewest ? known : Math.min(known, first + lines.count));
    const part = { first, next: Math.min(next, known), isOpen: isNewest || next > known };
    const compared = compareSegment(lines, stored, part);
    this.#leaves.continueWith(first, lines.hashes);
    for (const [line, event] of lines.keyEvents) {
      const number = compared.numberOf(line);
      if (number !== undefined) this.#keyEvents.push({ ...event, number });
    }
    collectEdited(compared.differences, lines, first, this.#edited);
    this.#end = Math.max(this.#end, compared.end);
    const { count, malformed, unreadable, isTorn } = lines;
    const { differences } = compared;
    this.#files.push({ ...part, isNewest, segment, differences, malformed, unreadable, isTorn, count });
  }

  compared(): ComparedFiles {
    const end = Math.max(this.#end, this.#leaves.stored.size);
    return { files: this.#files, keyEvents: this.#keyEvents, edited: this.#edited, end };
  }
}

function collectEdited(
  differences: readonly Difference[],
  lines: SegmentLines,
  first: number,
  edited: Map<number, Buffer>,
): void {
  for (const each of differences) {
    if (each.kind === "edited")
      for (let number = each.from; number < each.to && edited.size < MOST_EDITED; number += 1)
        edited.set(number, hashAt(lines, each.line + number - each.from));
    // The hashes may have been swapped instead of the lines.
    if (each.kind === "swapped")
      for (const number of each.numbers) edited.set(number, hashAt(lines, number - first));
  }
}

/** The lines at which a guess is tried. */
const TRIED_LINES = 64;

/**
 * Returns the number of the newest file's first line: as the line says, or so that the file ends with the log, if lines
 * have the leaf hashes of there. Returns undefined if neither is so.
 */
function firstOf(said: number | undefined, lines: SegmentLines, leaves: Leaves): number | undefined {
  if (leaves.size === 0) return said;
  const guesses = [said, Math.max(0, leaves.size - lines.count)].filter((guess) => guess !== undefined);
  const best = guesses.find((guess) => matches(lines, leaves, guess) > 0);
  return best ?? (said !== undefined && said >= leaves.size ? said : undefined);
}

function matches(lines: SegmentLines, leaves: Leaves, first: number): number {
  let found = 0;
  let line = 0;
  for (const leaf of leaves.range(first, first + Math.min(TRIED_LINES, lines.count))) {
    if (leaf.equals(hashAt(lines, line))) found += 1;
    line += 1;
  }
  return found;
}
