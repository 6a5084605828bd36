import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { codeOf } from "../../errors.ts";
import { type GrantUses, readNodeGrantUsage } from "../../keyring/usage/grant-usage.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { KeyGrants, StatusWrites } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";
import { dueReports, type Reported, statusWithUse } from "./decide-usage.ts";
import { grantIdOf } from "./grant-record.ts";

/** KeyGrants that a node writes in one pass, which is made once a minute: etcd has better things to do. */
const MOST_WRITES = 60;

export interface GrantUsageReporterOptions {
  readonly config: Pick<NodeConfig, "nodeName" | "stateDir">;
  readonly store: KeyGrants & StatusWrites;
  readonly keyring: Pick<KeyringWriter, "grants">;
  readonly clock: Pick<Clock, "now">;
}

/** Writes into KeyGrants how often this node's AWS KMS API has used them. Each node's operator has one, leader or not. */
export class GrantUsageReporter {
  readonly #options: GrantUsageReporterOptions;
  #reported = new Map<string, Reported>();

  constructor(options: GrantUsageReporterOptions) {
    this.#options = options;
  }

  /** Reports the grants whose turn it is. Throws the errors of the store but Conflict: then the next pass tries again. */
  async pass(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#options;
    const used = readNodeGrantUsage(config.stateDir);
    this.#reported = new Map([...this.#reported].filter(([grantId]) => used.has(grantId)));
    for (const grantId of dueReports(used, this.#reported, MOST_WRITES)) {
      if (signal.aborted) return;
      const uses = await this.#report(grantId, used);
      this.#reported.set(grantId, { uses, at: clock.now().getTime() });
    }
  }

  /** Returns the uses that the KeyGrant has now; undefined if it has to wait for its next turn. */
  async #report(grantId: string, used: GrantUses): Promise<number | undefined> {
    const { store, config } = this.#options;
    const use = used.get(grantId);
    const grant = this.#grantOf(grantId);
    if (use === undefined || grant?.status === undefined) return undefined;
    const status = statusWithUse(grant.status, config.nodeName, use);
    if (status === undefined) return use.uses;
    try {
      await atWritePoint("keygrant.status", () => store.applyStatus<"KeyGrant">(grant, status));
      return use.uses;
    } catch (error) {
      if (codeOf(error) === "Conflict") return undefined;
      throw error;
    }
  }

  /** Returns the KeyGrant of an id, unless its object is gone. */
  #grantOf(grantId: string): KeyGrant | undefined {
    const { store, keyring } = this.#options;
    const row = keyring.grants.get(grantId);
    const grant = row && store.keyGrant(row);
    return grant !== undefined && grantIdOf(grant) === grantId ? grant : undefined;
  }
}
