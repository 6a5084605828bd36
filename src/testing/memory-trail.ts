/** An audit trail in memory, whose disk can be broken. */
import type { AuditTrail } from "../audit/trail.ts";
import { ClavigerError } from "../errors.ts";

export class MemoryTrail implements AuditTrail {
  readonly lines: string[] = [];
  /** Set to false to let appends fail. */
  works = true;
  problem: ClavigerError | undefined;

  /** The records that were written. */
  get records() {
    return this.lines.map((line) => JSON.parse(line));
  }

  async append(line: string): Promise<void> {
    this.problem = this.works
      ? undefined
      : new ClavigerError("AuditUnavailable", "no space left on the disk");
    if (this.problem !== undefined) throw this.problem;
    this.lines.push(line);
  }

  async close(): Promise<void> {}
}
