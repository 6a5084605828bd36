/** The kinds of findings in a log. */
export type FindingKind =
  | "edited"
  | "removed"
  | "cut"
  | "inserted"
  | "moved"
  | "swapped"
  | "malformed"
  | "unreadable"
  | "linesAway"
  | "leavesAltered"
  | "leavesMissing"
  | "rewritten"
  | "checkpointMissing"
  | "checkpointMalformed"
  | "checkpointWrong"
  | "checkpointUnsigned"
  | "contradiction"
  | "keyUnknown"
  | "keyBroken"
  | "notSigned";

/** Something that a verification has found. Its texts may hold names from hostile files: print them escaped. */
export interface Finding {
  readonly kind: FindingKind;
  /** True for a fault; false for a remark. */
  readonly isFault: boolean;
  /** The name of the file. */
  readonly file?: string | undefined;
  /** The line in this file, from 1 on. */
  readonly line?: number | undefined;
  /** The numbers of the log's lines, from 0 on: `from` itself, and all before `to`. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly message: string;
}

/** More findings than these help nobody, and a hostile log must not fill the memory. */
export const MOST_FINDINGS = 1_000;

/** Collects findings up to a bound, and counts the others. */
export class Findings {
  readonly list: Finding[] = [];
  #faults = 0;
  #more = 0;

  add(finding: Finding): void {
    if (finding.isFault) this.#faults += 1;
    if (this.list.length < MOST_FINDINGS) this.list.push(finding);
    else this.#more += 1;
  }

  /** The number of faults, those that are not listed too. */
  get faults(): number {
    return this.#faults;
  }

  /** The number of findings that are not listed. */
  get more(): number {
    return this.#more;
  }
}

/** Returns "5" or "5 to 9" for the numbers from `from` on and before `to`. */
export const rangeText = (from: number, to: number): string =>
  to - from <= 1 ? String(from) : `${from} to ${to - 1}`;
