import { isDeepStrictEqual } from "node:util";
import type { MasterKey } from "../../kube/resources.ts";
import { isDestroyed, resting } from "../decide-deletion.ts";
import { decideKeyAlias } from "../decide-key-alias.ts";
import { decideMasterKey, type MasterKeyPlan, type NodeView } from "../decide-master-key.ts";
import { switchesOf } from "../decide-reencryption.ts";
import { nodeViews } from "../node-views.ts";
import { type HeldAlias, rememberAlias } from "../remembered-alias.ts";
import { keyId, keyVersion, versionId } from "../testing.ts";
import { hasMaterial } from "../versions.ts";
import { type Etcd, KEY_NAMES, masterKeyOf, NAMESPACE, withMasterKey } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";
import { ModelRetirement, versionsFor } from "./model-retirement.ts";
import { ModelRewriter } from "./model-rewriter.ts";
import { checkPlan } from "./promises.ts";

/** A plan, and the object that it was made on. */
interface Thought {
  readonly plan: MasterKeyPlan;
  readonly on: ReturnType<typeof masterKeyOf>;
  readonly name: string;
}

/** The leader's part of the cluster: the first node whose operator works leads. */
export class ModelLeader {
  readonly rewriter = new ModelRewriter();
  readonly #retirement: ModelRetirement;
  readonly #nodes: readonly ModelNode[];
  readonly #census: boolean;
  #name: string | undefined;
  #thought: Thought | undefined;
  #minted = 0;

  constructor(nodes: readonly ModelNode[], census: boolean) {
    this.#nodes = nodes;
    this.#retirement = new ModelRetirement(nodes, census);
    this.#census = census;
  }

  /** Everything once, a step each. */
  lead(etcd: Etcd, now: Date): Etcd {
    let after = etcd;
    for (const name of KEY_NAMES) {
      if (isDestroyed(masterKeyOf(after, name), after.versions)) {
        after = this.#retire(masterKeyOf(after, name), after, now);
        continue;
      }
      const thought = this.#decide(name, after, now);
      if (thought === undefined) return after;
      after = this.#carryOut(thought, after, now);
    }
    return this.#retirement.pass(this.#point(this.#retirement.note(after), now), now);
  }

  createAndCrash(name: string, etcd: Etcd, now: Date): Etcd {
    if (isDestroyed(masterKeyOf(etcd, name), etcd.versions)) return etcd;
    const thought = this.#decide(name, etcd, now);
    return thought === undefined ? etcd : this.#createVersion(thought, etcd);
  }

  think(name: string, etcd: Etcd, now: Date): void {
    this.#thought = this.#decide(name, etcd, now);
  }

  /** The resourceVersion sees to it: a plan made on another object is a Conflict. */
  act(etcd: Etcd, now: Date): Etcd {
    const thought = this.#thought;
    this.#thought = undefined;
    if (thought === undefined || masterKeyOf(etcd, thought.name) !== thought.on) return etcd;
    if (isDestroyed(thought.on, etcd.versions)) return etcd;
    return this.#carryOut(thought, etcd, now);
  }

  /** A process that ends takes along what it thought, counted and had going on. */
  forget(): void {
    this.#thought = undefined;
    this.rewriter.forget();
    this.#retirement.forget();
  }

  #retire(masterKey: MasterKey, etcd: Etcd, now: Date): Etcd {
    const status = this.#retirement.complete(masterKey, masterKey.status ?? {}, etcd, now);
    const unchanged = isDeepStrictEqual(masterKey.status, status);
    return unchanged ? etcd : withMasterKey(etcd, { ...masterKey, status });
  }

  #decide(name: string, etcd: Etcd, now: Date): Thought | undefined {
    const leader = this.#leader();
    if (leader === undefined) return undefined;
    if (leader.name !== this.#name) {
      this.rewriter.forget();
      this.#retirement.forget();
    }
    this.#name = leader.name;
    this.#retirement.leader = leader;
    const on = masterKeyOf(etcd, name);
    const held = leader.keyring.current({ key: { namespace: NAMESPACE, name } })?.version;
    const serves = etcd.alias?.status?.masterKey === name ? [`alias ${NAMESPACE}/main`] : [];
    const observed = {
      masterKey: resting(on),
      versions: versionsFor(on, etcd).filter(hasMaterial),
      nodes: this.#views(etcd, now),
      switches: switchesOf(on, new Set(serves), etcd.reports),
      work: this.rewriter.work(on),
      reachable: true,
      census: this.#census,
      room: {},
      ...(held !== undefined && on.status?.keyId === undefined && { held }),
      freshKeyId: keyId(this.#mint()),
      arnPrefix: "",
    };
    return { plan: decideMasterKey(observed, leader.wall(now)), on, name };
  }

  #views({ reports }: Etcd, now: Date): NodeView[] {
    return nodeViews(reports, new Map(this.#nodes.map((node) => [node.name, node.heard])), now);
  }

  #carryOut(thought: Thought, etcd: Etcd, now: Date): Etcd {
    const { plan, name } = thought;
    const before = masterKeyOf(etcd, name);
    checkPlan(plan, before, etcd, this.#nodes);
    const created = this.#createVersion(thought, etcd);
    const status = this.#retirement.complete(before, plan.status, created, now);
    const unchanged = isDeepStrictEqual(before.status, status);
    const masterKey = unchanged ? before : { ...before, status };
    this.rewriter.ensure(masterKey, plan.task, now.getTime());
    return withBegun(unchanged ? created : withMasterKey(created, masterKey), thought);
  }

  /** As the API server would, refuses a second object of one name. */
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
    const named = (name: string | undefined) => (name === undefined ? undefined : masterKeyOf(etcd, name));
    const known = rememberAlias(alias, this.#heldAlias(), named(alias.status?.masterKey));
    const served = named(known.status?.masterKey);
    const target = named(alias.spec.masterKey);
    const nodes = this.#views(etcd, now);
    const observed = {
      alias: known,
      target,
      served,
      inService: true,
      importedAllowed: false,
      nodes,
      arnPrefix: "",
    };
    const { status } = decideKeyAlias(observed, this.#leader()?.wall(now) ?? now);
    return isDeepStrictEqual(alias.status, status) ? etcd : { ...etcd, alias: { ...alias, status } };
  }

  #heldAlias(): HeldAlias | undefined {
    const keyring = this.#leader()?.keyring;
    const row = keyring?.alias(`${NAMESPACE}/main`);
    const key = keyring?.key(`${NAMESPACE}/${row?.masterKey}`);
    return row && { ...row, ...(key && { keyId: key.keyId }) };
  }

  /** Undefined where no operator works. */
  #leader(): ModelNode | undefined {
    return this.#nodes.find(({ silent }) => !silent);
  }

  #mint(): number {
    this.#minted += 1;
    return this.#minted;
  }
}

/** versionIds are random: a later one is not the greater one. */
const scrambled = (n: number): number => (n * 7_919) % 1_000_003;

function withBegun(etcd: Etcd, { plan: { step }, name }: Thought): Etcd {
  if (step.kind !== "beginRotation") return etcd;
  const { number, token } = step;
  const begun = { key: name, number, ...(token !== undefined && { token }) };
  return { ...etcd, begun: [...etcd.begun, begun] };
}
