import { isDeepStrictEqual } from "node:util";
import { objectText } from "../resources/object-text.ts";
import type { KeyAlias, KeyGrant, MasterKey } from "../resources/resources.ts";
import type { KeyAliasStatus } from "../resources/schemas/key-alias.ts";
import type { KeyGrantStatus } from "../resources/schemas/key-grant.ts";
import type { MasterKeyStatus } from "../resources/schemas/master-key.ts";
import type { Events, ObjectRef, ResourceEvent } from "../store/events.ts";
import type { Leadership, StatusWrites } from "../store/roles.ts";
import { atWritePoint } from "../write-points.ts";
import type { LeaderAudit } from "./audit/leader-audit.ts";
import { keyAliasRecords, masterKeyRecords } from "./audit/status-records.ts";
import { keyAliasEvents, keyGrantEvents, masterKeyEvents } from "./events.ts";
import { mustLead } from "./must-lead.ts";

export type StatusStore = Leadership & StatusWrites & Events;

/** Writes the leader's statuses, each only if it has changed, and reports the changes. */
export class StatusWriter {
  readonly #store: StatusStore;
  readonly #audit: Pick<LeaderAudit, "record"> | undefined;

  /** `audit` is undefined if no audit log is configured. */
  constructor(store: StatusStore, audit?: Pick<LeaderAudit, "record">) {
    this.#store = store;
    this.#audit = audit;
  }

  /**
   * Returns true if there was something to write. Throws Conflict if this operator does not lead any more.
   */
  async writeMasterKey(masterKey: MasterKey, status: MasterKeyStatus): Promise<boolean> {
    if (isDeepStrictEqual(masterKey.status, status)) return false;
    mustLead(this.#store, `the status of MasterKey ${objectText(masterKey)}`);
    await this.#audit?.record(status.keyId, masterKeyRecords(masterKey.status, status));
    await atWritePoint("masterkey.status", () => this.#store.applyStatus<"MasterKey">(masterKey, status));
    await this.#record(masterKey, masterKeyEvents(masterKey.status, status));
    return true;
  }

  /**
   * Returns true if there was something to write. Throws Conflict if this operator does not lead any more.
   */
  async writeKeyAlias(alias: KeyAlias, status: KeyAliasStatus): Promise<boolean> {
    if (isDeepStrictEqual(alias.status, status)) return false;
    mustLead(this.#store, `the status of KeyAlias ${objectText(alias)}`);
    await this.#audit?.record(status.keyId, keyAliasRecords(alias.status, status));
    await atWritePoint("keyalias.status", () => this.#store.applyStatus<"KeyAlias">(alias, status));
    await this.#record(alias, keyAliasEvents(alias.status, status));
    return true;
  }

  /** Throws Conflict if this operator does not lead any more. */
  async writeKeyGrant(grant: KeyGrant, status: KeyGrantStatus): Promise<void> {
    if (isDeepStrictEqual(grant.status, status)) return;
    mustLead(this.#store, `the status of KeyGrant ${objectText(grant)}`);
    await atWritePoint("keygrant.status", () => this.#store.applyStatus<"KeyGrant">(grant, status));
    await this.#record(grant, keyGrantEvents(grant.status, status));
  }

  async #record(object: ObjectRef, events: readonly ResourceEvent[]): Promise<void> {
    for (const event of events) await this.#store.recordEvent(object, event);
  }
}
