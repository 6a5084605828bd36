import type { ClavigerError } from "../errors.ts";

/** An append-only list of lines, as the doors write to it. */
export interface AuditTrail {
  /** Resolves once the line is on the disk. Rejects AuditUnavailable: the disk is full, broken, or has not answered within the deadline. */
  append(line: string): Promise<void>;
  /** The last failure while appends fail; undefined if the last append succeeded. */
  readonly problem: ClavigerError | undefined;
  close(): Promise<void>;
}
