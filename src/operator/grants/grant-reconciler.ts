import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import type { KeyId } from "../../crypto/ids.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { objectName, objectText } from "../../resources/object-text.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type {
  GrantGuard,
  Grantor,
  GrantReviews,
  KeyGrantRemoval,
  KeyGrants,
  Leadership,
  Resources,
} from "../../store/roles.ts";
import { findIn } from "../claims/indexed.ts";
import { ownKeyId } from "../claims/leader-keyring.ts";
import { mustLead } from "../must-lead.ts";
import { type StatusStore, StatusWriter } from "../status-writer.ts";
import { decideGrant, type GrantPlan } from "./decide-grant.ts";
import type { ObservedGrant } from "./grant-checks.ts";
import { isGrantProven, proveGrant } from "./grant-prover.ts";
import { grantIdOf, grantRowOf } from "./grant-record.ts";
import { GrantRoom } from "./grant-room.ts";
import { RecentDenials } from "./recent-denials.ts";

export type GrantStore = KeyGrants & GrantReviews & KeyGrantRemoval & Leadership & Resources & StatusStore;

export interface GrantReconcilerOptions {
  readonly config: Pick<NodeConfig, "account">;
  readonly store: GrantStore;
  readonly keyring: KeyringWriter;
  readonly seals: SealSource;
  readonly clock: Pick<Clock, "now">;
}

/** Decides for the leader which KeyGrants are accepted. */
export class GrantReconciler {
  readonly #options: GrantReconcilerOptions;
  readonly #writer: StatusWriter;
  readonly #room: GrantRoom;
  readonly #denials = new RecentDenials();

  constructor(options: GrantReconcilerOptions) {
    this.#options = options;
    this.#writer = new StatusWriter(options.store);
    this.#room = new GrantRoom(options.keyring.grants, options.clock);
  }

  /** Starts to lead, perhaps again. */
  begin(): void {
    this.#room.forget();
  }

  /** One step for one KeyGrant. Returns after how many milliseconds to look again, if a wait is needed. */
  async reconcile(grant: KeyGrant, signal: AbortSignal): Promise<number | undefined> {
    const observed = await this.#observe(grant, signal);
    const now = this.#options.clock.now();
    const plan = decideGrant(observed, now);
    if (plan.kind !== "ask") return this.#carryOut(plan, grant);
    const mayGrant = await this.#ask(plan.grantor, grant, signal);
    return this.#carryOut(decideGrant({ ...observed, mayGrant }, now), grant);
  }

  async #carryOut(plan: GrantPlan, grant: KeyGrant): Promise<number | undefined> {
    const { store, seals } = this.#options;
    switch (plan.kind) {
      case "settle":
        await this.#writer.writeKeyGrant(grant, plan.status);
        return plan.next;
      case "accept": {
        const proof = await proveGrant(seals, plan.row);
        await this.#writer.writeKeyGrant(grant, { ...plan.status, proof });
        this.#room.take(plan.row.keyId);
        return plan.next;
      }
      case "remove":
        mustLead(store, `KeyGrant ${nameText(objectName(grant))}`);
        await store.deleteKeyGrant?.(grant);
        return undefined;
      case "ask":
        return undefined;
    }
  }

  async #ask(grantor: Grantor, grant: KeyGrant, signal: AbortSignal): Promise<boolean> {
    const { uid } = grant.metadata;
    if (this.#denials.has(uid, performance.now())) return false;
    const may = (await this.#options.store.mayGrant?.(grantor, masterKeyOf(grant), signal)) ?? false;
    if (!may) this.#denials.note(uid, performance.now());
    return may;
  }

  async #observe(grant: KeyGrant, signal: AbortSignal): Promise<ObservedGrant> {
    const { keyring, config, store } = this.#options;
    const key = nameText(masterKeyOf(grant));
    const parent = this.#parentOf(grant);
    const held = keyring.grants.get(grantIdOf(grant));
    const proven = await this.#isProven(grant);
    const isNew = held === undefined && !proven && grant.spec.ended === undefined;
    return {
      grant,
      masterKey: findIn(store.view()?.masterKeys ?? [], key, objectText),
      keyId: ownKeyId(key, keyring),
      ...{ held, proven },
      parent: parent && keyring.grants.get(grantIdOf(parent)),
      guard: isNew ? await this.#readGuard(signal) : undefined,
      hasRoom: (keyId) => this.#room.has(keyId, performance.now()),
      mayGrant: undefined,
      account: config.account,
    };
  }

  #parentOf({ metadata, spec }: KeyGrant): KeyGrant | undefined {
    const { namespace = "" } = metadata;
    return spec.parent === undefined
      ? undefined
      : this.#options.store.keyGrant({ namespace, name: spec.parent });
  }

  async #isProven(grant: KeyGrant): Promise<boolean> {
    const { keyId, proof } = grant.status ?? {};
    if (keyId === undefined || proof === undefined) return false;
    const { seals, config } = this.#options;
    return isGrantProven(seals, grantRowOf(grant, keyId as KeyId, config.account), proof);
  }

  /**
   * Reads the policy after the grant was seen, each time: with an earlier answer a grant that was created after
   * the policy had gone would pass as guarded.
   */
  async #readGuard(signal: AbortSignal): Promise<GrantGuard | undefined> {
    return this.#options.store.grantGuard?.(signal);
  }
}

const masterKeyOf = (grant: KeyGrant): ObjectName => ({
  namespace: objectName(grant).namespace,
  name: grant.spec.masterKey,
});
