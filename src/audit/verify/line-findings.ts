import type { Difference } from "./align.ts";
import type { SignedCheckpoint } from "./checkpoint-notes.ts";
import type { ComparedFile, ComparedFiles } from "./compare-files.ts";
import { type Finding, type Findings, rangeText } from "./finding.ts";

/** What is known of lines from the checkpoints. */
export interface LineFacts {
  /** The number of lines of the newest checkpoint. */
  readonly signed: number;
  /** Returns true if it is the leaf hash of a line that was altered, not the line. */
  readonly isLeafAltered: (number: number) => boolean;
  readonly away: readonly AwayRange[];
}

/** Lines whose file is not there. */
export interface AwayRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the lines whose files were moved away: from the end of a file that ends with a checkpoint, or from the
 * beginning of the log, to the beginning of the next file.
 */
export function awayRanges(
  { files }: ComparedFiles,
  checkpoints: readonly SignedCheckpoint[],
): readonly AwayRange[] {
  const sizes = new Set(checkpoints.map(({ size }) => size));
  const [first] = files;
  const before = first === undefined || first.first === 0 ? [] : [{ from: 0, to: first.first }];
  const between = files.flatMap((file, at) => {
    const last = file.differences.at(-1);
    const isAway =
      at < files.length - 1 && last?.kind === "removed" && last.to === file.next && sizes.has(last.from);
    return isAway ? [{ from: last.from, to: last.to }] : [];
  });
  return [...before, ...between];
}

export function addAway(ranges: readonly AwayRange[], findings: Findings): void {
  for (const { from, to } of ranges)
    findings.add({
      kind: "linesAway",
      isFault: false,
      from,
      to,
      message: `the file of lines ${rangeText(from, to)} of the log is not there: it was moved away or removed; its hashes are there and count`,
    });
}

/** Adds a finding for each difference, and for each line that cannot be read. */
export function addLines(compared: ComparedFiles, facts: LineFacts, findings: Findings): void {
  for (const file of compared.files) {
    const { name } = file.segment;
    if (file.unreadable !== undefined)
      findings.add({
        kind: "unreadable",
        isFault: true,
        file: name,
        line: file.count + 1,
        message: `${name} cannot be read after line ${file.count}: ${file.unreadable}`,
      });
    for (const line of file.malformed)
      findings.add({
        kind: "malformed",
        isFault: true,
        file: name,
        line: line + 1,
        message: `line ${line + 1} of ${name} is no JSON object`,
      });
    for (const difference of file.differences)
      if (!isAway(difference, facts.away)) findings.add(findingOf(difference, file, facts));
    addTorn(file, facts, findings);
  }
}

const isAway = (difference: Difference, away: readonly AwayRange[]): boolean =>
  difference.kind === "removed" &&
  away.some(({ from, to }) => from === difference.from && to === difference.to);

function addTorn(file: ComparedFile, { signed }: LineFacts, findings: Findings): void {
  if (!file.isTorn) return;
  const { name } = file.segment;
  findings.add({
    kind: "cut",
    isFault: !file.isNewest || file.first + file.count <= signed,
    file: name,
    line: file.count,
    message: `the last line of ${name}, line ${file.count}, is not whole`,
  });
}

function findingOf(
  difference: Difference,
  file: ComparedFile,
  { signed, isLeafAltered }: LineFacts,
): Finding {
  const { name } = file.segment;
  switch (difference.kind) {
    case "edited": {
      const { from, to } = difference;
      const line = difference.line + 1;
      const range = { isFault: from < signed, from, to, line };
      if (isLeafAltered(from))
        return {
          ...range,
          kind: "leavesAltered",
          file: `${name}.leaves`,
          message: `the leaf hashes of lines ${rangeText(from, to)} of the log were altered; the lines are as they were signed`,
        };
      return {
        ...range,
        kind: "edited",
        file: name,
        message: `line ${rangeText(line, line + to - from)} of ${name} was edited (line ${rangeText(from, to)} of the log)`,
      };
    }
    case "removed": {
      const { from, to } = difference;
      const line = difference.line;
      const isEnd = line >= file.count;
      const place = isEnd ? `at the end of ${name}` : `between lines ${line} and ${line + 1} of ${name}`;
      return {
        kind: isEnd ? "cut" : "removed",
        isFault: from < signed,
        file: name,
        line: line + 1,
        from,
        to,
        message: `line ${rangeText(from, to)} of the log is missing ${place}`,
      };
    }
    case "inserted": {
      const line = difference.line + 1;
      const { count, copyOf } = difference;
      const copy = copyOf === undefined ? "" : `, a copy of line ${copyOf} of the log`;
      return {
        kind: "inserted",
        isFault: true,
        file: name,
        line,
        message: `line ${rangeText(line, line + count)} of ${name} was inserted${copy}`,
      };
    }
    case "moved":
      return {
        kind: "moved",
        isFault: true,
        file: name,
        line: difference.line + 1,
        from: difference.number,
        to: difference.number + 1,
        message: `line ${difference.number} of the log stands in another place, at line ${difference.line + 1} of ${name}`,
      };
    case "swapped": {
      const [from, to] = difference.numbers;
      const [one, other] = [from - file.first + 1, to - file.first + 1];
      return {
        kind: "swapped",
        isFault: true,
        file: name,
        line: one,
        from,
        to: to + 1,
        message: `lines ${one} and ${other} of ${name} were swapped (lines ${from} and ${to} of the log)`,
      };
    }
  }
}
