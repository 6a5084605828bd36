import type { KeyId, VersionId } from "../crypto/ids.ts";
import { nameText, type ObjectName } from "../keyring/rows.ts";
import type { KeyVersion, MasterKey, MasterKeyStatus } from "../kube/resources.ts";
import type { Log } from "../log.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { proveTombstone } from "../seal/tombstone.ts";
import { atWritePoint } from "../write-points.ts";
import { rfc3339 } from "./conditions.ts";
import { decideFinalizers } from "./decide-deletion.ts";
import type { DestructionPlan } from "./decide-destruction.ts";
import { decideErased } from "./decide-erased.ts";
import { toDestroyed } from "./decide-erasure.ts";
import { nodeViews } from "./decide-key-server.ts";
import { decideKeyVersionStatus } from "./decide-key-version.ts";
import type { NodeView } from "./decide-master-key.ts";
import {
  awaitsCount,
  byKeyId,
  decideRetirement,
  isRetiring,
  masterKeyUses,
  needsCount,
  type RetirementFacts,
  type RetirementPlan,
  type RetiringKey,
  retirementStatus,
} from "./decide-retirement.ts";
import type { ResourceStore, View } from "./resource-store.ts";
import type { UsageCensus } from "./usage-census.ts";
import { hasMaterial } from "./versions.ts";
import { objectText, type ViewIndex } from "./view-index.ts";

/** What the leader's queue calls the look at everything that waits for its destruction. */
export const RETIREMENT = "Retirement";

/** What retires keys and versions for the leader: deletion, retention, destruction. */
export class Retirement {
  readonly #store: ResourceStore;
  readonly #seals: SealSource;
  readonly #log: Log;
  readonly #census: UsageCensus;
  readonly #said = new Map<string, string>();

  constructor(options: {
    readonly store: ResourceStore;
    readonly seals: SealSource;
    readonly log: Log;
    readonly usageCensus: UsageCensus;
  }) {
    this.#store = options.store;
    this.#seals = options.seals;
    this.#log = options.log;
    this.#census = options.usageCensus;
  }

  /** Stops what works beside it. */
  close(): void {
    this.#census.close();
  }

  /** Completes a MasterKey's status by its use, its deletion and what was destroyed. */
  complete(masterKey: MasterKey, status: MasterKeyStatus, index: ViewIndex, now: Date): MasterKeyStatus {
    return retirementStatus(masterKey, status, index.versionsFor(masterKey), this.#facts(index.view), now);
  }

  /** Holds an object back, or lets it go. */
  async settleFinalizers(masterKey: MasterKey, index: ViewIndex): Promise<void> {
    const versions = index.versionsFor(masterKey);
    const uses = masterKeyUses(masterKey, versions, this.#facts(index.view));
    const finalizers = decideFinalizers(masterKey, versions, uses);
    if (finalizers === undefined) return;
    await atWritePoint("masterkey.finalizers", () => this.#store.setFinalizers(masterKey, finalizers));
  }

  /** Destroys what is due and past every guard, and notes what is erased everywhere. */
  async pass(index: ViewIndex, signal: AbortSignal, now: Date): Promise<void> {
    if (index.view.masterKeys.some(awaitsCount)) this.#census.begin();
    for (const [keyId, versions] of byKeyId(index.view.keyVersions)) {
      const name = versions[0]?.spec.masterKey;
      const key = { keyId, versions, masterKey: name && index.masterKey(name) };
      if (!isRetiring(key)) continue;
      const plans = decideRetirement(key, this.#facts(index.view), now);
      if (plans.some(needsCount)) this.#census.begin();
      if (plans.some(({ kind }) => kind === "destroy")) await this.#destroyDue(key, index.view, signal, now);
      else this.#say(keyId, plans);
      await this.#note(versions, index, now);
    }
  }

  /** Decided once more on what is read past the cache: what comes now cannot be undone. */
  async #destroyDue(
    { keyId, versions }: RetiringKey,
    view: View,
    signal: AbortSignal,
    now: Date,
  ): Promise<void> {
    const keyServers = await this.#store.freshKeyServers(signal);
    const keyAliases = await this.#store.fresh("KeyAlias", signal);
    const masterKeys = await this.#store.fresh("MasterKey", signal);
    const find = (name: ObjectName) => masterKeys.find((key) => objectText(key) === nameText(name));
    const name = versions[0]?.spec.masterKey;
    const key = { keyId, versions, masterKey: name && find(name) };
    const facts = this.#facts({ keyServers, keyAliases, heardOf: view.heardOf });
    for (const plan of decideRetirement(key, facts, now)) {
      if (plan.kind === "destroy") await this.#destroy(plan, find, now);
    }
  }

  async #destroy(
    { versions, why }: Extract<DestructionPlan, { kind: "destroy" }>,
    find: (name: ObjectName) => MasterKey | undefined,
    now: Date,
  ): Promise<void> {
    for (const version of versions) {
      const { number, masterKey: name, keyId, versionId } = version.spec;
      const text = {
        keyId: keyId as KeyId,
        versionId: versionId as VersionId,
        number,
        destroyedAt: rfc3339(now),
        reason: why,
      };
      const proof = await proveTombstone(this.#seals, text);
      await atWritePoint("keyversion.destroy", () =>
        this.#store.destroyVersion(version, toDestroyed({ ...text, proof })),
      );
      const what = `version ${number} of MasterKey ${nameText(name)} was destroyed: ${why}`;
      this.#log("warn", what, { key_version: version.metadata.name });
      const masterKey = find(name);
      if (masterKey === undefined) continue;
      const message = `${what}; etcd snapshots and backups from before hold it sealed, and what is under it in older snapshots is not readable any more`;
      await this.#store.recordEvent(masterKey, { type: "Warning", reason: "VersionDestroyed", message });
    }
  }

  /** Status of versions whose MasterKey is gone, and of tombstones that every node has erased. */
  async #note(versions: readonly KeyVersion[], index: ViewIndex, now: Date): Promise<void> {
    const nodes = nodesOf(index.view);
    for (const version of versions.filter((one) => !hasMaterial(one))) {
      const masterKey = index.masterKey(version.spec.masterKey);
      const status = decideErased(version, decideKeyVersionStatus(version, masterKey), nodes, now);
      if (status === undefined) continue;
      await atWritePoint("keyversion.status", () => this.#store.applyStatus<"KeyVersion">(version, status));
    }
  }

  #facts(view: Pick<View, "keyServers" | "keyAliases" | "heardOf">): RetirementFacts {
    const { keyServers, keyAliases } = view;
    return { keyServers, keyAliases, nodes: nodesOf(view), count: this.#census.count };
  }

  /** Where the MasterKey is gone, the log is the only place. */
  #say(keyId: string, plans: readonly RetirementPlan[]): void {
    const waiting = plans.find((plan) => plan.kind === "wait");
    const message = waiting?.kind === "wait" ? waiting.message : undefined;
    if (message !== undefined && this.#said.get(keyId) !== message)
      this.#log("warn", message, { key: keyId });
    if (message === undefined) this.#said.delete(keyId);
    else this.#said.set(keyId, message);
  }
}

/** Nodes are silent by the real clock, whatever the clock of the decisions says. */
const nodesOf = ({ keyServers, heardOf }: Pick<View, "keyServers" | "heardOf">): NodeView[] =>
  nodeViews(keyServers, heardOf, new Date());
