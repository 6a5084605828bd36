import { isDeepStrictEqual } from "node:util";
import type { ViewIndex } from "../../operator/claims/view-index.ts";
import { assembleStatus, type StatusPart } from "../../operator/master-key/assemble-status.ts";
import { decideKeyVersionStatus } from "../../operator/master-key/decide-key-version.ts";
import { nodeViews } from "../../operator/nodes/node-views.ts";
import { decideErased } from "../../operator/retirement/decide-erased.ts";
import {
  awaitsCount,
  decideRetirement,
  needsCount,
  retirementParts,
} from "../../operator/retirement/decide-retirement.ts";
import { gatherRetirement } from "../../operator/retirement/gather-retirement.ts";
import { GroundWatch } from "../../operator/retirement/ground-watch.ts";
import type { RetirementFacts } from "../../operator/retirement/key-uses.ts";
import { type RetiringKey, retiringKey, retiringKeys } from "../../operator/retirement/retiring-keys.ts";
import type { StoredObjects } from "../../operator/retirement/usage.ts";
import {
  type Counted,
  goodUntil,
  type UsageCount,
  usableCount,
} from "../../operator/retirement/usage-census.ts";
import type { Waiting } from "../../operator/retirement/waiting-period.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { hasMaterial } from "../../resources/versions.ts";
import type { View } from "../../store/view.ts";
import { rfc3339 } from "../../times.ts";
import { type Etcd, masterKeyOf } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";
import type { Promises } from "./promises.ts";

const NOTHING_SEEN: Waiting = {
  time: { kind: "agreed", independent: false },
  periods: new Map(),
  seen: 0,
};

/** The leader's part in deletion, retention and destruction: the behaviour of Retirement and UsageCensus. */
export class ModelRetirement {
  readonly #promises: Promises;
  readonly #census: boolean;
  /** How long a count takes. */
  readonly #countMilliseconds: number;
  readonly #ground = new GroundWatch();
  #counted: Counted | undefined;
  #running: { readonly began: number; readonly stored: StoredObjects } | undefined;
  /** The node that leads. */
  leader: ModelNode | undefined;

  constructor(promises: Promises, census: boolean, countMilliseconds: number) {
    this.#promises = promises;
    this.#census = census;
    this.#countMilliseconds = countMilliseconds;
  }

  /** Ends the process. */
  forget(): void {
    this.#ground.forget();
    this.#counted = undefined;
    this.#running = undefined;
  }

  /** Assembles a MasterKey's status from what was decided otherwise and from its use, its deletion and what was destroyed. */
  assemble(masterKey: MasterKey, parts: readonly StatusPart[], index: ViewIndex, now: Date): MasterKeyStatus {
    const wall = this.#wall(now);
    const retired = retirementParts(
      masterKey,
      index.versionsFor(masterKey),
      this.#facts(index.view, now),
      wall,
    );
    return assembleStatus(masterKey, [...parts, ...retired], wall);
  }

  /** Looks once at everything that waits for its destruction. */
  pass(index: ViewIndex, etcd: Etcd, now: Date): Etcd {
    const { checked } = index;
    this.leader?.note(etcd, now);
    if (checked.masterKeys.some(awaitsCount)) this.#count(etcd, index.view, now);
    let after = etcd;
    for (const key of retiringKeys(checked.keyVersions, checked.masterKeys)) {
      const plans = decideRetirement(key, this.#facts(index.view, now), this.#wall(now));
      if (plans.some(needsCount)) this.#count(etcd, index.view, now);
      if (plans.some(({ kind }) => kind === "destroy")) after = this.#destroyDue(key, index, after, now);
    }
    return after;
  }

  /** Decided again for each version, on data read past the cache. */
  #destroyDue({ keyId, versions }: RetiringKey, { record, view }: ViewIndex, etcd: Etcd, now: Date): Etcd {
    let after = etcd;
    for (let left = versions; ; ) {
      const { reports, alias, masterKeys } = after;
      const fresh = {
        ...{ keyServers: reports, keyAliases: alias === undefined ? [] : [alias] },
        heardOf: view.heardOf,
      };
      const key = retiringKey(keyId, left, record.checked(masterKeys));
      const plans = decideRetirement(key, this.#facts(fresh, now), this.#wall(now));
      const plan = plans.find(({ kind }) => kind === "destroy");
      const version = plan?.kind === "destroy" ? plan.versions[0] : undefined;
      if (version === undefined) return after;
      const masterKey = named([version], after);
      this.#promises.checkDestruction(version, masterKey, after, this.#census, now.getTime());
      after = withTombstone(after, version, this.#wall(now));
      left = left.filter((one) => one !== version);
    }
  }

  /** The states of versions follow the MasterKeys as stored, and the erasures that the nodes report. */
  note(etcd: Etcd, heardOf: ReadonlyMap<string, number>, now: Date): Etcd {
    const nodes = nodeViews(etcd.reports, heardOf, now);
    const versions = etcd.versions.map((version) => {
      const decided = decideKeyVersionStatus(version, named([version], etcd));
      const erased = hasMaterial(version) ? undefined : decideErased(version, decided, nodes, now);
      const status = hasMaterial(version) ? decided : (erased ?? version.status ?? decided);
      if (isDeepStrictEqual(status, version.status)) return version;
      const noted = { ...version, status };
      if (version.status?.erasedAt === undefined) this.#promises.checkErased(noted);
      return noted;
    });
    return versions.every((version, index) => version === etcd.versions[index])
      ? etcd
      : { ...etcd, versions };
  }

  #facts(view: Pick<View, "keyServers" | "keyAliases" | "heardOf">, now: Date): RetirementFacts {
    const waiting = this.leader?.waiting(now) ?? NOTHING_SEEN;
    return gatherRetirement({ view, count: this.#usage(view, now), waiting }, now);
  }

  #wall(now: Date): Date {
    return this.leader?.wall(now) ?? now;
  }

  #usage({ keyServers }: Pick<View, "keyServers">, now: Date): UsageCount {
    if (!this.#census) return { kind: "impossible" };
    const since = this.#ground.since(keyServers, now.getTime());
    return usableCount(this.#counted, since, now.getTime()) ?? { kind: "pending" };
  }

  /** Begins a count. All its pages are of the revision of the first page. */
  #count({ objects }: Etcd, view: Pick<View, "keyServers">, now: Date): void {
    const began = now.getTime();
    const since = this.#ground.since(view.keyServers, began);
    if (this.#usage(view, now).kind !== "pending" || began < since) return;
    if (this.#running !== undefined && this.#running.began >= since) return;
    const counts = new Map<string | undefined, number>();
    for (const { kmsKeyId } of objects.values()) counts.set(kmsKeyId, (counts.get(kmsKeyId) ?? 0) + 1);
    this.#running = { began, stored: (id) => counts.get(id) ?? 0 };
  }

  /** Returns true if a count has ended since the last pass: then the leader looks again at once. */
  hasCounted(now: Date): boolean {
    return this.#running !== undefined && now.getTime() >= this.#running.began + this.#countMilliseconds;
  }

  /** Takes a while: a count begun in one pass ends in a later pass. */
  finishCount(now: Date): void {
    if (this.#running === undefined || !this.hasCounted(now)) return;
    const { began } = this.#running;
    this.#counted = { ...this.#running, goodUntil: goodUntil(began, began + this.#countMilliseconds) };
    this.#running = undefined;
  }
}

function named(versions: readonly KeyVersion[], etcd: Etcd): MasterKey | undefined {
  const name = versions[0]?.spec.masterKey.name;
  return name === undefined ? undefined : masterKeyOf(etcd, name);
}

/** Replaces the seal by the tombstone in one write. */
export function withTombstone(etcd: Etcd, version: KeyVersion, now: Date): Etcd {
  const { seal: _, ...identity } = version.spec;
  const proof = { provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" };
  const destroyed = { at: rfc3339(now), reason: "because", proof };
  const spec = { ...identity, destroyed };
  return {
    ...etcd,
    versions: etcd.versions.map((one) =>
      one.spec.versionId === version.spec.versionId && hasMaterial(one) ? { ...one, spec } : one,
    ),
  };
}
