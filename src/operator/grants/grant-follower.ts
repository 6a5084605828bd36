import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { codeOf } from "../../errors.ts";
import { ENDED_GRANT_MILLISECONDS, type GrantRow } from "../../keyring/grant-row.ts";
import { recordFollowed } from "../../keyring/tables/followed-kinds.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { nameText, type ObjectName, parseNameText } from "../../names.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { KeyGrants } from "../../store/roles.ts";
import { writePoint } from "../../write-points.ts";
import { TimeSlice } from "../time/time-slice.ts";
import { isGrantProven } from "./grant-prover.ts";
import { needsProof, planGrant } from "./plan-grant.ts";

/** Names in one transaction, which costs a sync of the disk. */
const NAMES_AT_ONCE = 200;
/** How often rows of ended grants are looked for, which reads the whole table. */
const FORGET_MILLISECONDS = 60_000;

export interface GrantFollowerOptions {
  readonly config: Pick<NodeConfig, "account">;
  readonly store: KeyGrants;
  readonly keyring: KeyringWriter;
  readonly seals: SealSource;
  readonly clock: Pick<Clock, "now">;
}

/** Keeps this node's record of KeyGrants in step. Each node's operator has one, leader or not. */
export class GrantFollower {
  readonly #options: GrantFollowerOptions;
  /** NAMESPACE/NAME of KeyGrants that changed since they were last looked at. */
  readonly #changed = new Set<string>();
  #all = true;
  #forgotAt = 0;
  /** True if the keyring says that it has had all grants. */
  #recorded = false;

  constructor(options: GrantFollowerOptions) {
    this.#options = options;
  }

  changed(name: ObjectName): void {
    this.#changed.add(nameText(name));
  }

  /** Looks at every KeyGrant in the next pass, and at every record, of which the object may be gone. */
  changedAll(): void {
    this.#all = true;
  }

  /** Makes one pass over all that has changed. Throws the first failure, after the rest; what failed is next again. */
  async pass(): Promise<void> {
    const { store, keyring } = this.#options;
    const grants = store.keyGrants();
    if (grants === undefined) return;
    if (this.#all) {
      for (const grant of grants) this.changed(objectName(grant));
      for (const name of keyring.grants.names()) this.changed(name);
      this.#all = false;
    }
    const names = [...this.#changed];
    const failures: unknown[] = [];
    for (let at = 0; at < names.length; at += NAMES_AT_ONCE)
      failures.push(...(await this.#take(names.slice(at, at + NAMES_AT_ONCE))));
    this.#forgetEnded();
    if (failures.length > 0) throw failures[0];
    this.#recordFollowed();
  }

  /** An object that fails stops only itself. */
  async #take(names: readonly string[]): Promise<readonly unknown[]> {
    const slice = new TimeSlice();
    const planned: { readonly name: string; readonly rows: readonly GrantRow[] }[] = [];
    const failures: unknown[] = [];
    for (const name of names) {
      this.#changed.delete(name);
      try {
        planned.push({ name, rows: await this.#plan(parseNameText(name)) });
      } catch (error) {
        this.#changed.add(name);
        failures.push(error);
      }
      await slice.pause();
    }
    try {
      this.#write(planned.flatMap(({ rows }) => rows));
    } catch (error) {
      for (const { name } of planned) this.#changed.add(name);
      failures.push(error);
    }
    return failures;
  }

  /** From now on the absence of a row says that there is no such grant. */
  #recordFollowed(): void {
    if (!this.#recorded) recordFollowed(this.#options.keyring, "KeyGrant");
    this.#recorded = true;
  }

  #forgetEnded(): void {
    const { keyring, clock } = this.#options;
    const now = clock.now().getTime();
    if (Math.abs(now - this.#forgotAt) < FORGET_MILLISECONDS) return;
    this.#forgotAt = now;
    keyring.grants.forgetEndedBefore(now - ENDED_GRANT_MILLISECONDS);
  }

  async #plan(name: ObjectName): Promise<readonly GrantRow[]> {
    const { store, keyring, config, clock } = this.#options;
    const { account } = config;
    const grant = store.keyGrant(name);
    const rows = keyring.grants.named(name);
    const proven = await this.#isProven(grant, needsProof(grant, rows, account));
    return planGrant(grant, rows, proven, { account, now: clock.now().getTime() });
  }

  async #isProven(grant: KeyGrant | undefined, row: GrantRow | undefined): Promise<boolean> {
    const proof = grant?.status?.proof;
    return row !== undefined && proof !== undefined && isProven(this.#options.seals, row, proof);
  }

  #write(rows: readonly GrantRow[]): void {
    if (rows.length === 0) return;
    const { keyring } = this.#options;
    writePoint("keyring.grants", "before");
    keyring.transaction(() => {
      for (const row of rows) keyring.grants.put(row);
    });
    writePoint("keyring.grants", "after");
  }
}

/** A text that no statement can be made of was proven by nobody. */
async function isProven(...args: Parameters<typeof isGrantProven>): Promise<boolean> {
  try {
    return await isGrantProven(...args);
  } catch (error) {
    if (codeOf(error) === "InvalidArgument") return false;
    throw error;
  }
}
