import type { RawRow } from "../sqlite.ts";
import type { KeyringWriter } from "../writer.ts";

/** A waiting period in progress, as this node saw it. Times are epoch milliseconds of this node's clock. */
export interface WaitingPeriod {
  readonly kind: "deletion" | "retention";
  /**
   * The keyId of a deletion; for a retention, the key_id of the version that replaced the earlier versions.
   */
  readonly subject: string;
  /** When this node first saw it in progress. */
  readonly since: number;
  /** The latest end that anybody has claimed; 0 if nobody has. */
  readonly until: number;
  /** The longest period that was requested, in milliseconds. */
  readonly length: number;
  /** How much time this node's operators had seen pass at `since` (`OperatorTime.seen`). */
  readonly seenAt: number;
  /** True if another machine's clock agreed with ours at `since`. */
  readonly agreed: boolean;
  /** True if a MasterKey asked for it in its spec, which no node may write. */
  readonly asked: boolean;
}

/** The operator's record of time, for its next start and for the plugin. */
export interface OperatorTime {
  /** The milliseconds for which operators of this node have run, by a clock that never steps. */
  readonly seen: number;
  /**
   * The time of this write, in epoch milliseconds: by this node's clock when it was last known to be right,
   * and since then by a clock that never steps. 0 if it was never known to be right.
   */
  readonly agreedAt: number;
  /** True if this node's clock may be wrong. */
  readonly doubted: boolean;
}

/**
 * Returns the time by which material expires, in epoch milliseconds; `passed` is the time since the
 * operator wrote. While this node's clock may be wrong, it does not count: time continues from
 * when the clock was last known to be right, so that neither a wrong clock nor somebody who only
 * raises the doubt moves or stops an expiry. A clock that was never known to be right counts all the same.
 */
export const expiryTime = ({ doubted, agreedAt }: OperatorTime, passed: number, now: number): number =>
  doubted && agreedAt > 0 ? agreedAt + passed : now;

export const periodKey = ({ kind, subject }: Pick<WaitingPeriod, "kind" | "subject">): string =>
  `${kind} ${subject}`;

/** The waiting periods and the time in a keyring. */
export class WaitingPeriods {
  readonly #keyring: KeyringWriter;

  constructor(keyring: KeyringWriter) {
    this.#keyring = keyring;
  }

  all(): WaitingPeriod[] {
    return this.#keyring.all("SELECT * FROM waiting_periods ORDER BY kind, subject").map(toPeriod);
  }

  /** Writes and removes periods in one transaction. */
  apply(put: readonly WaitingPeriod[], drop: readonly WaitingPeriod[]): void {
    this.#keyring.transaction(() => {
      for (const { kind, subject } of drop)
        this.#keyring.run("DELETE FROM waiting_periods WHERE kind = ? AND subject = ?", kind, subject);
      for (const period of put) this.#put(period);
    });
  }

  #put({ kind, subject, since, until, length, seenAt, agreed, asked }: WaitingPeriod): void {
    this.#keyring.run(
      "INSERT OR REPLACE INTO waiting_periods VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[kind, subject, since, until, length, seenAt, agreed ? 1 : 0, asked ? 1 : 0],
    );
  }

  time(): OperatorTime {
    const row = this.#keyring.all("SELECT * FROM operator_time")[0];
    return row === undefined ? NEVER : toOperatorTime(row);
  }

  putTime({ seen, agreedAt, doubted }: OperatorTime): void {
    this.#keyring.run(
      "INSERT OR REPLACE INTO operator_time VALUES (1, ?, ?, ?)",
      ...[seen, agreedAt, doubted ? 1 : 0],
    );
  }

  /** Returns the keyIds of which this node holds versions. */
  held(): Set<string> {
    return new Set(
      this.#keyring.all("SELECT DISTINCT key_id FROM versions").map((row) => String(row.key_id)),
    );
  }
}

const NEVER: OperatorTime = { seen: 0, agreedAt: 0, doubted: false };

export const toOperatorTime = (row: RawRow): OperatorTime => ({
  seen: Number(row.seen),
  agreedAt: Number(row.agreed_at),
  doubted: row.doubted === 1,
});

const toPeriod = (row: RawRow): WaitingPeriod => ({
  kind: row.kind === "deletion" ? "deletion" : "retention",
  subject: String(row.subject),
  since: Number(row.since),
  until: Number(row.until),
  length: Number(row.length),
  seenAt: Number(row.seen_at),
  agreed: row.agreed === 1,
  asked: row.asked === 1,
});
