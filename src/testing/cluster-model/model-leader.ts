import { isDeepStrictEqual } from "node:util";
import { decideKeyAlias } from "../../operator/alias/decide-key-alias.ts";
import { gatherKeyAlias } from "../../operator/alias/gather-key-alias.ts";
import { leavingPart } from "../../operator/claims/leaving-claims.ts";
import { OwnRecord } from "../../operator/claims/own-record.ts";
import { ViewIndex } from "../../operator/claims/view-index.ts";
import { decideMasterKey, type MasterKeyPlan } from "../../operator/master-key/decide-master-key.ts";
import { gatherKey, gatherMasterKey } from "../../operator/master-key/gather-master-key.ts";
import { needsFreshKeyServers } from "../../operator/master-key/planner.ts";
import { isDestroyed } from "../../operator/retirement/decide-deletion.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import type { View } from "../../store/view.ts";
import { keyId, keyVersion, versionId } from "../objects.ts";
import { type Etcd, KEY_NAMES, masterKeyOf, NAMESPACE, withMasterKey } from "./etcd.ts";
import type { ModelKeyring } from "./model-keyring.ts";
import type { ModelNode } from "./model-node.ts";
import { ModelRetirement } from "./model-retirement.ts";
import { ModelRewriter } from "./model-rewriter.ts";
import type { Promises } from "./promises.ts";

/** A plan, and the object for which it was made. */
interface Thought {
  readonly plan: MasterKeyPlan;
  readonly on: MasterKey;
  readonly index: ViewIndex;
  readonly name: string;
}

/** An index, and its sources, because most looks find the same. */
interface KnownIndex {
  readonly etcd: Etcd;
  readonly keyring: ModelKeyring;
  readonly changes: number;
  readonly index: ViewIndex;
}

/** The leader's part of the cluster: the first node whose operator works leads. */
export class ModelLeader {
  readonly rewriter: ModelRewriter;
  /** Its view of etcd while its watches deliver nothing and do not end. */
  frozen: Etcd | undefined;
  readonly #retirement: ModelRetirement;
  readonly #nodes: readonly ModelNode[];
  readonly #promises: Promises;
  readonly #census: boolean;
  /** When each node's operator last renewed its Lease. */
  readonly #heardOf = new Map<string, number>();
  #known: KnownIndex | undefined;
  #name: string | undefined;
  #thought: Thought | undefined;
  #minted = 0;

  constructor(
    nodes: readonly ModelNode[],
    promises: Promises,
    { census, countMilliseconds }: { readonly census: boolean; readonly countMilliseconds: number },
  ) {
    this.#nodes = nodes;
    this.#promises = promises;
    this.rewriter = new ModelRewriter(promises, countMilliseconds);
    this.#retirement = new ModelRetirement(promises, census, countMilliseconds);
    this.#census = census;
  }

  /** Does everything once, one step each. */
  lead(etcd: Etcd, now: Date): Etcd {
    this.#retirement.finishCount(now);
    let after = etcd;
    for (const name of KEY_NAMES) {
      if (isDestroyed(masterKeyOf(after, name), after.versions)) {
        after = this.#retire(name, after, now);
        continue;
      }
      const thought = this.#decide(name, after, now);
      if (thought === undefined) return after;
      after = this.#carryOut(thought, after, now);
    }
    after = this.#point(this.#retirement.note(after, this.#heardOf, now), now);
    const leader = this.#leader();
    if (leader === undefined) return after;
    return this.#retirement.pass(this.#index(leader, this.frozen ?? after), after, now);
  }

  /** Calls back as UsageCensus does. */
  hasCounted(now: Date): boolean {
    return this.#retirement.hasCounted(now);
  }

  createAndCrash(name: string, etcd: Etcd, now: Date): Etcd {
    if (isDestroyed(masterKeyOf(etcd, name), etcd.versions)) return etcd;
    const thought = this.#decide(name, etcd, now);
    return thought === undefined ? etcd : this.#createVersion(thought, etcd);
  }

  think(name: string, etcd: Etcd, now: Date): void {
    this.#thought = this.#decide(name, etcd, now);
  }

  /** The resourceVersion protects the object: a plan made for another state is a Conflict. */
  act(etcd: Etcd, now: Date): Etcd {
    const thought = this.#thought;
    this.#thought = undefined;
    if (thought === undefined) return etcd;
    if (isDestroyed(thought.on, etcd.versions)) return etcd;
    return this.#carryOut(thought, etcd, now);
  }

  dropThought(): void {
    this.#thought = undefined;
  }

  /** A process that ends loses its plans, its counts and its work in progress. */
  forget(): void {
    this.#thought = undefined;
    this.frozen = undefined;
    this.rewriter.forget();
    this.#retirement.forget();
  }

  #retire(name: string, etcd: Etcd, now: Date): Etcd {
    const leader = this.#leader();
    if (leader === undefined) return etcd;
    const masterKey = masterKeyOf(this.frozen ?? etcd, name);
    if (masterKey !== masterKeyOf(etcd, name)) return etcd;
    const index = this.#index(leader, this.frozen ?? etcd);
    const status = this.#retirement.assemble(masterKey, [leavingPart(masterKey)], index, now);
    const unchanged = isDeepStrictEqual(masterKey.status, status);
    return unchanged ? etcd : withMasterKey(etcd, { ...masterKey, status });
  }

  #decide(name: string, etcd: Etcd, now: Date): Thought | undefined {
    const leader = this.#leader();
    if (leader === undefined) return undefined;
    if (leader.name !== this.#name) this.forget();
    this.#name = leader.name;
    this.#retirement.leader = leader;
    const seen = this.frozen ?? etcd;
    const on = masterKeyOf(seen, name);
    const index = this.#index(leader, seen);
    const facts = {
      ...{ work: this.rewriter.work(on), reachable: true, census: this.#census, room: {} },
      ...{ freshKeyId: keyId(this.#mint()), arnPrefix: "" },
    };
    const key = gatherKey(on, index, leader.keyring.tables);
    const decide = (keyServers: readonly KeyServer[]) =>
      decideMasterKey(gatherMasterKey(key, keyServers, facts, now), leader.wall(now));
    const first = decide(index.view.keyServers);
    const plan = needsFreshKeyServers(first, on) ? decide(etcd.reports) : first;
    this.#promises.checkDecided(plan, on, etcd);
    return { plan, on, index, name };
  }

  /** As in LeaderLoop: the view, checked against the leader's own keyring. */
  #index(leader: ModelNode, etcd: Etcd): ViewIndex {
    const { keyring } = leader;
    for (const { name, heard } of this.#nodes) this.#heardOf.set(name, heard);
    const known = this.#known;
    if (known?.etcd === etcd && known.keyring === keyring && known.changes === keyring.changes)
      return known.index;
    const record = new OwnRecord([...keyring.versions.values()], [...keyring.tombstones.values()]);
    const index = new ViewIndex(this.#view(etcd), record);
    this.#known = { etcd, keyring, changes: keyring.changes, index };
    return index;
  }

  #view({ masterKeys, versions, alias, reports }: Etcd): View {
    return {
      masterKeys,
      keyVersions: versions,
      keyAliases: alias === undefined ? [] : [alias],
      keyServers: reports,
      keyVersionsUpTo: "1",
      heardOf: this.#heardOf,
    };
  }

  #carryOut(thought: Thought, etcd: Etcd, now: Date): Etcd {
    const { plan, name } = thought;
    const before = masterKeyOf(etcd, name);
    // A Conflict: the plan was decided on another state.
    if (before !== thought.on) return etcd;
    this.#promises.checkPlan(plan, before, etcd, now.getTime());
    const created = this.#createVersion(thought, etcd);
    const status = this.#retirement.assemble(before, [plan], thought.index, now);
    const unchanged = isDeepStrictEqual(before.status, status);
    const masterKey = unchanged ? before : { ...before, status };
    this.rewriter.ensure(masterKey, plan.task, now.getTime());
    return withBegun(unchanged ? created : withMasterKey(created, masterKey), thought);
  }

  /** Refuses a second object of one name, as the API server would. */
  #createVersion({ plan: { step }, name }: Thought, etcd: Etcd): Etcd {
    if (step.kind !== "createVersion") return etcd;
    const spec = {
      keyId: step.keyId,
      masterKey: { namespace: NAMESPACE, name },
      versionId: versionId(scrambled(this.#mint())),
    };
    const version = keyVersion(step.number, { spec });
    const taken = etcd.versions.some(({ metadata }) => metadata.name === version.metadata.name);
    return taken ? etcd : { ...etcd, versions: [...etcd.versions, version] };
  }

  #point(etcd: Etcd, now: Date): Etcd {
    const { alias } = etcd;
    if (alias === undefined) return etcd;
    const leader = this.#leader();
    if (leader === undefined) return etcd;
    const seen = this.frozen ?? etcd;
    if (seen.alias !== alias) return etcd;
    const index = this.#index(leader, seen);
    const sources = { alias, index, keyring: leader.keyring.tables, lack: () => undefined, arnPrefix: "" };
    const { status } = decideKeyAlias(gatherKeyAlias(sources, now), leader.wall(now));
    return isDeepStrictEqual(alias.status, status) ? etcd : { ...etcd, alias: { ...alias, status } };
  }

  /** Undefined if no operator works. */
  #leader(): ModelNode | undefined {
    return this.#nodes.find(({ silent }) => !silent);
  }

  #mint(): number {
    this.#minted += 1;
    return this.#minted;
  }
}

/** versionIds are random, so a later id is not a greater one. */
const scrambled = (n: number): number => (n * 7_919) % 1_000_003;

function withBegun(etcd: Etcd, { plan: { step }, name }: Thought): Etcd {
  if (step.kind !== "beginRotation") return etcd;
  const { number, token } = step;
  const begun = { key: name, number, ...(token !== undefined && { token }) };
  return { ...etcd, begun: [...etcd.begun, begun] };
}
