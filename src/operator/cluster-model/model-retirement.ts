import { isDeepStrictEqual } from "node:util";
import type { KmsKeyId } from "../../crypto/ids.ts";
import type { KeyVersion, MasterKey, MasterKeyStatus } from "../../kube/resources.ts";
import { rfc3339 } from "../../times.ts";
import { decideKeyVersionStatus } from "../decide-key-version.ts";
import {
  awaitsCount,
  decideRetirement,
  needsCount,
  type RetirementFacts,
  type RetiringKey,
  retirementStatus,
  retiringKey,
  retiringKeys,
} from "../decide-retirement.ts";
import { gatherRetirement } from "../gather-master-key.ts";
import type { View } from "../resource-store.ts";
import type { UsageCount } from "../usage-census.ts";
import { hasMaterial } from "../versions.ts";
import type { ViewIndex } from "../view-index.ts";
import type { Waiting } from "../waiting-period.ts";
import { type Etcd, masterKeyOf } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";
import { checkDestruction } from "./promises.ts";

const NOTHING_SEEN: Waiting = {
  time: { kind: "agreed", independent: false },
  periods: new Map(),
  seen: 0,
};

/** How long a count is good (usage-census.ts). */
const COUNT_MILLISECONDS = 15_000;

/** The leader's part in deletion, retention and destruction: what Retirement and UsageCensus do. */
export class ModelRetirement {
  readonly #nodes: readonly ModelNode[];
  readonly #census: boolean;
  #counted: { readonly counts: ReadonlyMap<KmsKeyId, number>; readonly until: number } | undefined;
  #asked = false;
  /** The node that leads. */
  leader: ModelNode | undefined;

  constructor(nodes: readonly ModelNode[], census: boolean) {
    this.#nodes = nodes;
    this.#census = census;
  }

  /** The process ends. */
  forget(): void {
    this.#counted = undefined;
    this.#asked = false;
  }

  complete(masterKey: MasterKey, status: MasterKeyStatus, index: ViewIndex, now: Date): MasterKeyStatus {
    const facts = this.#facts(index.view, now);
    return retirementStatus(masterKey, status, index.versionsFor(masterKey), facts, this.#wall(now));
  }

  /** One look at everything that waits for its destruction. */
  pass(index: ViewIndex, etcd: Etcd, now: Date): Etcd {
    const { checked } = index;
    this.leader?.note(etcd, now);
    this.#count(etcd, now);
    if (checked.masterKeys.some(awaitsCount)) this.#ask(now);
    let after = etcd;
    for (const key of retiringKeys(checked.keyVersions, checked.masterKeys)) {
      const plans = decideRetirement(key, this.#facts(index.view, now), this.#wall(now));
      if (plans.some(needsCount)) this.#ask(now);
      if (plans.some(({ kind }) => kind === "destroy")) after = this.#destroyDue(key, index, after, now);
    }
    return after;
  }

  /** Decided once more, for each version anew, on what is read past the cache. */
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
      checkDestruction([version], masterKey, after, this.#nodes, this.#census, now.getTime());
      after = withTombstone(after, version, this.#wall(now));
      left = left.filter((one) => one !== version);
    }
  }

  /** States of versions follow the MasterKeys as they are stored. */
  note(etcd: Etcd): Etcd {
    const versions = etcd.versions.map((version) => {
      const status = decideKeyVersionStatus(version, named([version], etcd));
      return isDeepStrictEqual(status, version.status) ? version : { ...version, status };
    });
    return versions.every((version, index) => version === etcd.versions[index])
      ? etcd
      : { ...etcd, versions };
  }

  #facts(view: Pick<View, "keyServers" | "keyAliases" | "heardOf">, now: Date): RetirementFacts {
    const waiting = this.leader?.waiting(now) ?? NOTHING_SEEN;
    return gatherRetirement({ view, count: this.#usage(now), waiting }, now);
  }

  #wall(now: Date): Date {
    return this.leader?.wall(now) ?? now;
  }

  #usage(now: Date): UsageCount {
    if (!this.#census) return { kind: "impossible" };
    const counted = this.#counted;
    if (counted === undefined || now.getTime() >= counted.until) return { kind: "pending" };
    return { kind: "counted", stored: (id) => counted.counts.get(id as KmsKeyId) ?? 0 };
  }

  /** Takes a while: what was asked for in one pass is there in the next. */
  #ask(now: Date): void {
    this.#asked = this.#usage(now).kind === "pending";
  }

  #count({ objects }: Etcd, now: Date): void {
    if (!this.#asked) return;
    this.#asked = false;
    const counts = new Map<KmsKeyId, number>();
    for (const { kmsKeyId } of objects.values()) counts.set(kmsKeyId, (counts.get(kmsKeyId) ?? 0) + 1);
    this.#counted = { counts, until: now.getTime() + COUNT_MILLISECONDS };
  }
}

function named(versions: readonly KeyVersion[], etcd: Etcd): MasterKey | undefined {
  const name = versions[0]?.spec.masterKey.name;
  return name === undefined ? undefined : masterKeyOf(etcd, name);
}

/** In one write the seal goes and the tombstone comes. */
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
