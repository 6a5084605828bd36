import type { KeyId, VersionId } from "../crypto/ids.ts";
import { kmsKeyId } from "../crypto/ids.ts";
import { codeOf } from "../errors.ts";
import { nameText, type ObjectName } from "../keyring/rows.ts";
import type { KeyAlias, KeyVersion, MasterKey, MasterKeyStatus } from "../kube/resources.ts";
import type { Log } from "../log.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { proveTombstone } from "../seal/tombstone.ts";
import { atWritePoint } from "../write-points.ts";
import { rfc3339 } from "./conditions.ts";
import { decideFinalizers, statusWithDeletion } from "./decide-deletion.ts";
import { type DestructionPlan, decideDestruction } from "./decide-destruction.ts";
import { decideErased, erasureFinding } from "./decide-erased.ts";
import { toDestroyed } from "./decide-erasure.ts";
import { nodeViews } from "./decide-key-server.ts";
import { decideKeyVersionStatus } from "./decide-key-version.ts";
import type { NodeView } from "./decide-master-key.ts";
import { decideRetention, type RetentionPlan } from "./decide-retention.ts";
import type { ResourceStore, View } from "./resource-store.ts";
import { retentionFinding, withExtraFindings } from "./retention-status.ts";
import { type Use, usesOf } from "./usage.ts";
import type { UsageCensus } from "./usage-census.ts";
import { proofOf } from "./usage-proof.ts";
import { hasMaterial } from "./versions.ts";
import { objectText, type ViewIndex } from "./view-index.ts";

/** What the leader's queue calls the look at everything that waits for its destruction. */
export const RETIREMENT = "Retirement";

/** Everything about a key that decides whether it or its versions may go. */
interface Observed {
  readonly view: Pick<View, "masterKeys" | "keyServers" | "keyAliases">;
  readonly nodes: readonly NodeView[];
}

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
    const observed = { view: index.view, nodes: nodesOf(index.view) };
    const versions = index.versionsFor(masterKey);
    const uses = this.#uses(nameOf(masterKey), masterKey.status?.keyId, versions, observed);
    const { keyId } = masterKey.status ?? {};
    const destruction =
      keyId === undefined ? undefined : this.#destruction(keyId, versions, index, observed, now);
    const obstacle = destruction?.kind === "wait" ? destruction : undefined;
    const completed = statusWithDeletion(
      {
        masterKey,
        status,
        versions,
        uses,
        count: this.#census.count,
        ...(obstacle && { obstacle: { reason: obstacle.reason, message: obstacle.message } }),
      },
      now,
    );
    const retention = this.#retention(masterKey, versions, observed, now);
    const findings = [erasureFinding(masterKey, versions, observed.nodes), retentionFinding(retention)];
    return withExtraFindings(masterKey, completed, findings, now);
  }

  /** Holds an object back, or lets it go. */
  async settleFinalizers(masterKey: MasterKey, index: ViewIndex): Promise<void> {
    const versions = index.versionsFor(masterKey);
    const observed = { view: index.view, nodes: nodesOf(index.view) };
    const uses = this.#uses(nameOf(masterKey), masterKey.status?.keyId, versions, observed);
    const finalizers = decideFinalizers(masterKey, versions, uses);
    if (finalizers === undefined) return;
    await atWritePoint("masterkey.finalizers", () => this.#store.setFinalizers(masterKey, finalizers));
  }

  /** Destroys what is due and past every guard, and notes what is erased everywhere. One key that fails holds up no other. */
  async pass(index: ViewIndex, signal: AbortSignal, now: Date): Promise<void> {
    if (index.view.masterKeys.some(isAskedToGo)) this.#census.begin();
    const failures: unknown[] = [];
    for (const [keyId, versions] of byKeyId(index.view.keyVersions)) {
      if (signal.aborted) break;
      if (!isRetiring(versions, index)) continue;
      try {
        await this.#retire(keyId, versions, index, signal, now);
      } catch (error) {
        failures.push(error);
      }
    }
    // A Conflict is tried again without a word: it must not hide another failure.
    if (failures.length > 0) throw failures.find((error) => codeOf(error) !== "Conflict") ?? failures[0];
  }

  async #retire(
    keyId: string,
    versions: readonly KeyVersion[],
    index: ViewIndex,
    signal: AbortSignal,
    now: Date,
  ): Promise<void> {
    const observed = { view: index.view, nodes: nodesOf(index.view) };
    const due = [
      this.#destruction(keyId, versions, index, observed, now),
      ...this.#retentions(keyId, versions, index, observed, now),
    ];
    if (due.some((plan) => plan.kind === "wait" && plan.reason === "NotCounted")) this.#census.begin();
    if (due.some(({ kind }) => kind === "destroy"))
      await this.#destroyDue(keyId, versions, index, signal, now);
    else this.#say(keyId, due);
    await this.#note(versions, index, now);
  }

  /**
   * Decided once more on what is read past the cache, for each version anew: what
   * comes now cannot be undone, and a deletion may be cancelled between two of them.
   */
  async #destroyDue(
    keyId: string,
    versions: readonly KeyVersion[],
    { view }: ViewIndex,
    signal: AbortSignal,
    now: Date,
  ): Promise<void> {
    for (let left = versions; ; ) {
      const keyServers = await this.#store.freshKeyServers(signal);
      const keyAliases = await this.#store.fresh("KeyAlias", signal);
      const masterKeys = await this.#store.fresh("MasterKey", signal);
      const nodes = nodeViews(keyServers, view.heardOf, new Date());
      const observed = { view: { masterKeys, keyServers, keyAliases }, nodes };
      const find = (name: ObjectName) => masterKeys.find((key) => objectText(key) === nameText(name));
      const index = { masterKey: find };
      const plans = [
        this.#destruction(keyId, left, index, observed, now),
        ...this.#retentions(keyId, left, index, observed, now),
      ];
      const plan = plans.find(({ kind }) => kind === "destroy");
      const version = plan?.kind === "destroy" ? plan.versions[0] : undefined;
      if (plan?.kind !== "destroy" || version === undefined) return;
      await this.#destroy(version, plan.why, find, now);
      left = left.filter((one) => one !== version);
    }
  }

  async #destroy(
    version: KeyVersion,
    why: string,
    find: (name: ObjectName) => MasterKey | undefined,
    now: Date,
  ): Promise<void> {
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
    if (masterKey === undefined) return;
    const message = `${what}; etcd snapshots and backups from before hold it sealed, and what is under it in older snapshots is not readable any more`;
    await this.#store.recordEvent(masterKey, { type: "Warning", reason: "VersionDestroyed", message });
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

  #destruction(
    keyId: string,
    versions: readonly KeyVersion[],
    index: Pick<ViewIndex, "masterKey">,
    observed: Observed,
    now: Date,
  ): DestructionPlan {
    const own = versions.filter(({ spec }) => spec.keyId === keyId);
    const { nodes } = observed;
    const { count } = this.#census;
    // All who have to do with the key are asked: one KeyVersion may name whomever its writer liked.
    const plans = namesOf(keyId, own, observed.view.masterKeys).map((name) => {
      const uses = this.#uses(name, keyId, own, observed);
      const masterKey = index.masterKey(name);
      return decideDestruction({ name, keyId, versions: own, masterKey, uses, nodes, count }, now);
    });
    return plans.find(({ kind }) => kind !== "destroy") ?? plans[0] ?? { kind: "none" };
  }

  #retentions(
    keyId: string,
    versions: readonly KeyVersion[],
    index: Pick<ViewIndex, "masterKey">,
    observed: Observed,
    now: Date,
  ): RetentionPlan[] {
    const name = versions[0]?.spec.masterKey;
    const masterKey = name && index.masterKey(name);
    if (masterKey === undefined || masterKey.status?.keyId !== keyId) return [];
    return [this.#retention(masterKey, versions, observed, now)];
  }

  #retention(
    masterKey: MasterKey,
    versions: readonly KeyVersion[],
    observed: Observed,
    now: Date,
  ): RetentionPlan {
    const uses = this.#uses(nameOf(masterKey), masterKey.status?.keyId, versions, observed);
    const serves = new Set([
      objectText(masterKey),
      ...observed.view.keyAliases.filter(pointsTo(masterKey)).map((alias) => `alias ${objectText(alias)}`),
    ]);
    const proof = proofOf(masterKey, versions, observed.view.keyServers, serves);
    const { nodes } = observed;
    const { count } = this.#census;
    return decideRetention({ masterKey, versions, nodes, uses, proof, count }, now);
  }

  #uses(
    name: ObjectName,
    keyId: string | undefined,
    versions: readonly KeyVersion[],
    { view }: Observed,
  ): Use[] {
    const own = versions.filter(({ spec }) => spec.keyId === keyId);
    const kmsKeyIds = new Set<string>(
      own.map(({ spec }) => kmsKeyId(spec.keyId as KeyId, spec.versionId as VersionId)),
    );
    const key = { ...name, kmsKeyIds, ...(keyId !== undefined && { keyId }) };
    const { count } = this.#census;
    return usesOf(key, { ...view, ...(count.kind === "counted" && { stored: count.stored }) });
  }

  /** Where the MasterKey is gone, the log is the only place. */
  #say(keyId: string, plans: readonly (DestructionPlan | RetentionPlan)[]): void {
    const waiting = plans.find((plan) => plan.kind === "wait");
    const message = waiting?.kind === "wait" ? waiting.message : undefined;
    if (message !== undefined && this.#said.get(keyId) !== message)
      this.#log("warn", message, { key: keyId });
    if (message === undefined) this.#said.delete(keyId);
    else this.#said.set(keyId, message);
  }
}

/** A deletion is accepted only once it is counted that nothing is stored under the key. */
const isAskedToGo = ({ spec, status }: MasterKey): boolean =>
  spec.deletion !== undefined && status?.deletion === undefined && status?.keyId !== undefined;

/** Nodes are silent by the real clock, whatever the clock of the decisions says. */
const nodesOf = ({ keyServers, heardOf }: View): NodeView[] => nodeViews(keyServers, heardOf, new Date());

const nameOf = ({ metadata }: MasterKey): ObjectName => ({
  namespace: metadata.namespace ?? "",
  name: metadata.name,
});

/** The names of the MasterKeys that have a keyId or that its versions name. */
function namesOf(
  keyId: string,
  versions: readonly KeyVersion[],
  masterKeys: readonly MasterKey[],
): ObjectName[] {
  const names = [
    ...masterKeys.filter(({ status }) => status?.keyId === keyId).map(nameOf),
    ...versions.map(({ spec }) => spec.masterKey),
  ];
  return [...new Map(names.map((name) => [nameText(name), name])).values()];
}

function byKeyId(versions: readonly KeyVersion[]): Map<string, KeyVersion[]> {
  const map = new Map<string, KeyVersion[]>();
  for (const version of versions) {
    const list = map.get(version.spec.keyId);
    if (list === undefined) map.set(version.spec.keyId, [version]);
    else list.push(version);
  }
  return map;
}

/** Most keys never are: they cost one look. */
const isRetiring = (versions: readonly KeyVersion[], index: ViewIndex): boolean =>
  versions.some(({ spec, status }) => {
    const { retention } = index.masterKey(spec.masterKey)?.spec ?? {};
    const unnoted = spec.destroyed !== undefined && status?.erasedAt === undefined;
    return status?.deletion !== undefined || unnoted || retention?.policy === "Destroy";
  });

/** Also one that is to leave, or to come: its API server may use either key. */
const pointsTo =
  ({ metadata }: MasterKey) =>
  (alias: KeyAlias): boolean =>
    alias.metadata.namespace === metadata.namespace &&
    [alias.spec.masterKey, alias.status?.masterKey].includes(metadata.name);
