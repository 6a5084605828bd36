import { setTimeout as sleep } from "node:timers/promises";
import type { AuditSite } from "../../audit/record/api-call.ts";
import { recordLine } from "../../audit/record/record-line.ts";
import { serviceEvent } from "../../audit/record/service-event.ts";
import type { AuditTrail } from "../../audit/trail.ts";
import { arnPrefix } from "../../keys/arn.ts";
import type { StatusRecord } from "./status-records.ts";

/** A rotation must not wait for a disk that hangs. */
const WAIT_MILLISECONDS = 2_000;

/** Writes the records of what the leader decides. */
export class LeaderAudit {
  readonly #trail: AuditTrail;
  readonly #site: AuditSite;
  readonly #now: () => number;

  /** `now` returns epoch milliseconds. */
  constructor(trail: AuditTrail, site: AuditSite, now: () => number) {
    this.#trail = trail;
    this.#site = site;
    this.#now = now;
  }

  /**
   * Writes the records of a key's change, before the change is made. Waits for two seconds at most, and for nothing while
   * the log fails, because the cluster's keys must be led all the same. Never rejects: the log has its own line about a failure.
   */
  async record(keyId: string | undefined, records: readonly StatusRecord[]): Promise<void> {
    if (records.length === 0) return;
    const fails = this.#trail.problem !== undefined;
    const written = Promise.all(records.map((record) => this.#append(keyId, record)));
    const settled = written.then(
      () => undefined,
      () => undefined,
    );
    if (!fails) await Promise.race([settled, sleep(WAIT_MILLISECONDS, undefined, { ref: false })]);
  }

  #append(keyId: string | undefined, { name, details }: StatusRecord): Promise<void> {
    const site = this.#site;
    const keys = keyId === undefined ? [] : [arnPrefix(site, "key") + keyId];
    return this.#trail.append(
      recordLine(serviceEvent({ site, name, at: this.#now(), door: "operator", keys, details })),
    );
  }
}
