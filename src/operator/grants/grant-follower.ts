import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { codeOf } from "../../errors.ts";
import { ENDED_GRANT_MILLISECONDS, type GrantRow } from "../../keyring/grant-row.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { nameText, type ObjectName, parseNameText } from "../../names.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { KeyGrants } from "../../store/roles.ts";
import { writePoint } from "../../write-points.ts";
import { isGrantProven } from "./grant-prover.ts";
import { needsProof, planGrant } from "./plan-grant.ts";

/** Names in one transaction, which costs a sync of the disk. */
const NAMES_AT_ONCE = 200;

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

  /** Makes one pass over all that has changed. What fails is looked at again in the next pass. */
  async pass(): Promise<void> {
    const { store, keyring, clock } = this.#options;
    const grants = store.keyGrants();
    if (grants === undefined) return;
    if (this.#all) {
      for (const grant of grants) this.changed(objectName(grant));
      for (const name of keyring.grants.names()) this.changed(name);
      this.#all = false;
    }
    while (this.#changed.size > 0) await this.#take([...this.#changed].slice(0, NAMES_AT_ONCE));
    keyring.grants.forgetEndedBefore(clock.now().getTime() - ENDED_GRANT_MILLISECONDS);
  }

  async #take(names: readonly string[]): Promise<void> {
    for (const name of names) this.#changed.delete(name);
    try {
      const rows: GrantRow[] = [];
      for (const name of names) rows.push(...(await this.#plan(parseNameText(name))));
      this.#write(rows);
    } catch (error) {
      for (const name of names) this.#changed.add(name);
      throw error;
    }
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
