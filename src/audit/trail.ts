import type { ClavigerError } from "../errors.ts";

/** The log, as those use it who have something to record. */
export interface AuditTrail {
  /**
   * Resolves once the line, which has no newline, is on the disk. Rejects AuditUnavailable: the disk is full, broken or
   * has not answered in time, or too many lines wait.
   */
  append(line: string): Promise<void>;
  /** The last failure, until a line was written again. */
  readonly problem: ClavigerError | undefined;
  /** Writes what waits, signs a checkpoint, and stops. */
  close(): Promise<void>;
}
