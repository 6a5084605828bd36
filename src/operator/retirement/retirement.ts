import type { KeyId, VersionId } from "../../crypto/ids.ts";
import { ClavigerError, codeOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { nameText } from "../../names.ts";
import { toVersionRow } from "../../resources/key-version-rows.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { proveTombstone } from "../../seal/tombstone.ts";
import type { Events } from "../../store/events.ts";
import type {
  FreshObjects,
  Leadership,
  Resources,
  StatusWrites,
  TombstoneWrites,
} from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import { rfc3339 } from "../../times.ts";
import { atWritePoint } from "../../write-points.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import { decideKeyVersionStatus } from "../master-key/decide-key-version.ts";
import { mustLead } from "../must-lead.ts";
import { toDestroyed } from "../node/decide-erasure.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { nodeViews } from "../nodes/node-views.ts";
import type { TimeKeeper } from "../time/time-keeper.ts";
import { decideErased } from "./decide-erased.ts";
import { awaitsCount, decideRetirement, needsCount, type RetirementPlan } from "./decide-retirement.ts";
import { gatherRetirement } from "./gather-retirement.ts";
import { GroundWatch } from "./ground-watch.ts";
import type { RetirementFacts } from "./key-uses.ts";
import { type RetiringKey, retiringKey, retiringKeys } from "./retiring-keys.ts";
import type { UsageCensus } from "./usage-census.ts";

/** How soon to look again: time passes without an event. */
const AGAIN_MILLISECONDS = 5_000;

export type RetirementStore = Resources & FreshObjects & Leadership & StatusWrites & TombstoneWrites & Events;

/** Retires keys and versions for the leader: deletion, retention, destruction. */
export class Retirement {
  readonly #store: RetirementStore;
  readonly #seals: SealSource;
  readonly #log: Log;
  readonly #census: UsageCensus;
  readonly #time: Pick<TimeKeeper, "ask" | "note" | "waiting">;
  readonly #ground = new GroundWatch();
  readonly #said = new Map<string, string>();

  constructor(options: {
    readonly store: RetirementStore;
    readonly seals: SealSource;
    readonly log: Log;
    readonly usageCensus: UsageCensus;
    readonly time: Pick<TimeKeeper, "ask" | "note" | "waiting">;
  }) {
    this.#store = options.store;
    this.#seals = options.seals;
    this.#log = options.log;
    this.#census = options.usageCensus;
    this.#time = options.time;
  }

  /** Starts to lead, perhaps again: earlier observations and counts are dropped. */
  begin(): void {
    this.#ground.forget();
    this.#census.forget();
  }

  /** Stops the background work. */
  close(): void {
    this.#census.close();
  }

  /**
   * Returns the facts that decide if a key or its versions may be destroyed. Only an alias in the key's own
   * namespace can use it.
   */
  factsFor(masterKey: MasterKey, index: ViewIndex): RetirementFacts {
    return this.#facts({ ...index.view, keyAliases: index.aliasesBeside(masterKey) });
  }

  /**
   * Returns the same facts, read past the cache. Throws Conflict if the MasterKey's spec has changed meanwhile:
   * the caller decided on the former spec.
   */
  async freshFactsFor(
    masterKey: MasterKey,
    { view: { heardOf } }: ViewIndex,
    signal: AbortSignal,
  ): Promise<RetirementFacts> {
    const keyServers = await this.#store.fresh("KeyServer", signal);
    const keyAliases = await this.#store.fresh("KeyAlias", signal);
    mustBeUnchanged(masterKey, await this.#store.fresh("MasterKey", signal));
    return this.#facts({ keyServers, keyAliases, heardOf });
  }

  /**
   * Destroys the versions that are due and that no guard holds back, and records the versions that are erased
   * everywhere. A failure for one key does not stop the others. Returns after how many milliseconds to look
   * again.
   */
  async pass(index: ViewIndex, signal: AbortSignal, now: Date): Promise<number> {
    const { checked } = index;
    this.#time.note(checked);
    if (checked.masterKeys.some(awaitsCount)) this.#census.begin(this.#since(index.view));
    const failures: unknown[] = [];
    for (const key of retiringKeys(checked.keyVersions, checked.masterKeys)) {
      if (signal.aborted) break;
      try {
        await this.#retire(key, index, signal, now);
      } catch (error) {
        failures.push(error);
      }
    }
    // A Conflict is retried silently, so it must not hide another failure.
    if (failures.length > 0) throw failures.find((error) => codeOf(error) !== "Conflict") ?? failures[0];
    return AGAIN_MILLISECONDS;
  }

  async #retire(key: RetiringKey, index: ViewIndex, signal: AbortSignal, now: Date): Promise<void> {
    const plans = decideRetirement(key, this.#facts(index.view), now);
    if (plans.some(needsCount)) this.#census.begin(this.#since(index.view));
    if (plans.some(({ kind }) => kind === "destroy")) await this.#destroyDue(key, index, signal, now);
    else this.#say(key.keyId, plans);
    await this.#note(key.versions, index, now);
  }

  /**
   * Decided again for each version, on data read past the cache: destruction cannot be undone, and a deletion
   * may be cancelled between two versions.
   */
  async #destroyDue(
    { keyId, versions }: RetiringKey,
    { record, view: { heardOf } }: ViewIndex,
    signal: AbortSignal,
    now: Date,
  ): Promise<void> {
    // The API server's answer may be older than the last step of its clock.
    await this.#time.ask(signal);
    for (let left = versions; ; ) {
      const keyServers = await this.#store.fresh("KeyServer", signal);
      const keyAliases = await this.#store.fresh("KeyAlias", signal);
      const masterKeys = record.checked(await this.#store.fresh("MasterKey", signal));
      const facts = this.#facts({ keyServers, keyAliases, heardOf });
      const plans = decideRetirement(retiringKey(keyId, left, masterKeys), facts, now);
      const plan = plans.find(({ kind }) => kind === "destroy");
      const version = plan?.kind === "destroy" ? plan.versions[0] : undefined;
      if (plan?.kind !== "destroy" || version === undefined) return;
      await this.#destroy(version, plan.why, masterKeys, now);
      left = left.filter((one) => one !== version);
    }
  }

  async #destroy(
    version: KeyVersion,
    why: string,
    masterKeys: readonly MasterKey[],
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
    await this.#mustBeGenuine(version);
    const proof = await proveTombstone(this.#seals, text);
    mustLead(this.#store, `the destruction of version ${number} of MasterKey ${nameText(name)}`);
    await atWritePoint("keyversion.destroy", () =>
      this.#store.destroyVersion(version, toDestroyed({ ...text, proof })),
    );
    const what = `version ${number} of MasterKey ${nameText(name)} was destroyed: ${why}`;
    const masterKey = masterKeys.find((key) => objectText(key) === nameText(name));
    if (masterKey === undefined) {
      this.#log("warn", what, { key_version: version.metadata.name });
      return;
    }
    const message = `${what}; etcd snapshots and backups from before hold it sealed, and what is under it in older snapshots is not readable any more`;
    await this.#store.recordEvent(masterKey, { type: "Warning", reason: "VersionDestroyed", message });
  }

  /**
   * Nodes erase every row with the tombstone's versionId. A KeyVersion copied under another key or number has
   * the same id, so destroying the copy would destroy the original: check the seal's binding first. Throws
   * SealMismatch.
   */
  async #mustBeGenuine(version: KeyVersion): Promise<void> {
    const row = toVersionRow(version);
    using _ = await this.#seals.unseal(row, row.sealed);
  }

  /** Writes the status of versions whose MasterKey is gone, and of tombstones that every node has erased. */
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
    const { waiting } = this.#time;
    // Nodes are silent by the real clock, whatever clock the decisions use.
    return gatherRetirement({ view, count: this.#census.countSince(this.#since(view)), waiting }, new Date());
  }

  /** Returns the time before which a count proves nothing. */
  #since({ keyServers }: Pick<View, "keyServers">): number {
    return this.#ground.since(keyServers, this.#census.now());
  }

  /** If the MasterKey is gone, the log is the only place to report it. */
  #say(keyId: string, plans: readonly RetirementPlan[]): void {
    const waiting = plans.find((plan) => plan.kind === "wait");
    const message = waiting?.kind === "wait" ? waiting.message : undefined;
    if (message !== undefined && this.#said.get(keyId) !== message)
      this.#log("warn", message, { key: keyId });
    if (message === undefined) this.#said.delete(keyId);
    else this.#said.set(keyId, message);
  }
}

function mustBeUnchanged(
  { metadata: { uid, generation, ...name } }: MasterKey,
  now: readonly MasterKey[],
): void {
  const same = now.some(({ metadata }) => metadata.uid === uid && metadata.generation === generation);
  if (same) return;
  const message = `MasterKey ${name.namespace}/${name.name} was changed meanwhile: its next step is decided again`;
  throw new ClavigerError("Conflict", message);
}

/** Nodes are silent by the real clock, whatever clock the decisions use. */
const nodesOf = ({ keyServers, heardOf }: Pick<View, "keyServers" | "heardOf">): NodeView[] =>
  nodeViews(keyServers, heardOf, new Date());
