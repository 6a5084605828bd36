import { keyAlias, NOW } from "../testing.ts";
import {
  type Etcd,
  freshEtcd,
  freshMasterKey,
  KEY_NAMES,
  masterKeyOf,
  withMasterKey,
  withObject,
} from "./etcd.ts";
import type { Event } from "./events.ts";
import { ModelLeader } from "./model-leader.ts";
import { ModelNode } from "./model-node.ts";
import { checkComplete, checkCurrent, checkReadable } from "./promises.ts";

const MINUTE = 60_000;
/** More passes than anything takes that ends at all. */
const ENDLESS = 100;
/** Together with their pauses longer than the longest pause of a round, eight minutes. */
const STILL = 4;
/** So many objects a minute that a round takes two. */
const HALF = 5;
/** Longer than an API server takes to settle. */
const PAUSE_SECONDS = 200;
/** More than the waiting periods of this model. */
const WEEK_SECONDS = 8 * 86_400;

/** etcd with two MasterKeys and an alias, and nodes whose keyrings and API servers outlive what happens to it. */
export class ClusterModel {
  readonly nodes: readonly ModelNode[];
  /** versionIds whose material was destroyed, which was checked then. */
  readonly destroyed = new Set<string>();
  etcd: Etcd;
  readonly #leader: ModelLeader;
  #now = NOW.getTime();
  #backup: Etcd;
  #tokens = 0;
  /** The nodes whose reports are from before a restore, and the keys whose status is. */
  readonly #outdated = new Set<string>();

  constructor(size: number, census: boolean) {
    this.nodes = Array.from({ length: size }, (_, index) => new ModelNode(`node-${index}`));
    for (const node of this.nodes) {
      node.heard = this.#now;
      node.peers = this.nodes;
    }
    this.#leader = new ModelLeader(this.nodes, census);
    this.etcd = freshEtcd(this.nodes.map(({ name }) => name));
    this.#backup = this.etcd;
  }

  /** The time that is true. */
  get now(): number {
    return this.#now;
  }

  /** Lets it happen. Throws where a promise is broken, by what happens or afterwards. */
  apply(event: Event): void {
    const before = this.etcd;
    this.#apply(event);
    this.#check(before);
  }

  /** Everybody is there and works until nothing has moved for longer than anything waits. */
  settle(): void {
    for (const node of this.nodes) this.#hear(node);
    for (const key of KEY_NAMES) {
      this.#enable(key, true);
      this.#delete(key, false);
    }
    let still = 0;
    for (let pass = 0; still < STILL; pass++) {
      if (pass > ENDLESS) throw new Error("it never settles");
      const before = { etcd: this.etcd, changes: this.#keyringChanges() };
      this.apply({ kind: "everybody" });
      this.apply({ kind: "pass", seconds: PAUSE_SECONDS });
      for (const key of KEY_NAMES) {
        if (masterKeyOf(this.etcd, key).status?.keyState === "Destroyed") this.#recreate(key);
      }
      const same = this.etcd === before.etcd && this.#keyringChanges() === before.changes;
      still = same ? still + 1 : 0;
      if (still >= STILL && this.#keepsForNow()) {
        this.apply({ kind: "pass", seconds: WEEK_SECONDS });
        still = 0;
      }
    }
  }

  #apply(event: Event): void {
    const now = new Date(this.#now);
    switch (event.kind) {
      case "lead":
        this.#lead();
        break;
      case "leadAndCrash":
        this.etcd = this.#leader.createAndCrash(keyName(event.key), this.etcd, now);
        this.#leader.forget();
        break;
      case "think":
        this.#leader.think(keyName(event.key), this.etcd, now);
        break;
      case "act":
        this.etcd = this.#leader.act(this.etcd, now);
        break;
      case "sync":
      case "syncAndCrash":
        this.#sync(this.#node(event.node), event.kind === "sync");
        break;
      case "fallSilent":
        this.#node(event.node).silent = true;
        break;
      case "comeBack":
        this.#hear(this.#node(event.node));
        break;
      case "restartPlugin":
        for (const socket of this.#node(event.node).sockets) socket.restart(this.#now);
        break;
      case "restartApiServer":
        for (const entry of this.#node(event.node).entries) entry.restart();
        break;
      case "poll":
      case "pollInVain":
        this.#entry(event).poll(this.#now, event.kind === "poll");
        break;
      case "write":
        this.#write(event);
        break;
      case "work":
        this.etcd = this.#leader.rewriter.advance(
          this.etcd,
          this.#node(event.node),
          event.objects,
          this.#now,
        );
        break;
      case "workFails":
        this.#leader.rewriter.fail(this.#now);
        break;
      case "leaderRestarts":
        this.#leader.forget();
        break;
      case "pass":
        this.#pass(event.seconds * 1_000);
        break;
      case "rotate":
        this.#rotate(keyName(event.key));
        break;
      case "disable":
      case "enable":
        this.#enable(keyName(event.key), event.kind === "enable");
        break;
      case "delete":
      case "cancel":
        this.#delete(keyName(event.key), event.kind === "delete");
        break;
      case "retain":
        this.#respec(keyName(event.key), (spec) => ({
          ...spec,
          retention: { policy: "Destroy", afterDays: 7 },
        }));
        break;
      case "recreate":
        this.#recreate(keyName(event.key));
        break;
      case "retarget":
        this.#retarget(keyName(event.key));
        break;
      case "deleteAlias":
        this.etcd = { ...this.etcd, alias: undefined };
        break;
      case "backup":
        this.#backup = this.etcd;
        break;
      case "restore":
        this.#restore();
        break;
      case "loseVersions":
        this.etcd = { ...this.etcd, versions: [] };
        this.#forgetDestructions();
        break;
      case "everybody":
        this.#apiServers();
        this.#operators(MINUTE);
        break;
      case "operators":
        this.#operators(MINUTE / 12);
        break;
      case "apiServers":
        this.#apiServers();
        break;
    }
  }

  #check(before: Etcd): void {
    for (const { spec } of this.etcd.versions)
      if (spec.destroyed !== undefined) this.destroyed.add(spec.versionId);
    checkReadable(this.etcd, this.nodes, this.destroyed, this.#now);
    if (before.versions !== this.etcd.versions || currentIn(before) !== currentIn(this.etcd))
      checkCurrent(this.etcd);
    for (const key of this.etcd.masterKeys) {
      if (!this.#outdated.has(key.metadata.name)) checkComplete(this.etcd, key, this.nodes, this.#now);
    }
  }

  /** After a restore the first status that was decided on new reports counts. */
  #lead(): void {
    const informed = this.nodes.every(({ name }) => !this.#outdated.has(name));
    this.etcd = this.#leader.lead(this.etcd, new Date(this.#now));
    if (informed && this.nodes.some(({ silent }) => !silent)) this.#outdated.clear();
  }

  #sync(node: ModelNode, toTheEnd: boolean): void {
    this.etcd = node.sync(this.etcd, new Date(this.#now), toTheEnd);
    if (toTheEnd && !node.silent) this.#outdated.delete(node.name);
  }

  #hear(node: ModelNode): void {
    node.silent = false;
    node.heard = this.#now;
  }

  #pass(milliseconds: number): void {
    this.#now += milliseconds;
    for (const node of this.nodes) if (!node.silent) node.heard = this.#now;
  }

  #write({ late, object, ...at }: Extract<Event, { kind: "write" }>): void {
    const entry = this.#entry(at);
    const under = late ? entry.mayStoreUnder(this.#now).at(-1) : entry.encryptsUnder(this.#now);
    if (under !== undefined) this.etcd = withObject(this.etcd, `${entry.resource} ${object}`, under);
  }

  #rotate(name: string): void {
    this.#tokens += 1;
    this.#respec(name, (spec) => ({
      ...spec,
      ...(spec.rotation && { rotation: { ...spec.rotation, requestToken: `token-${this.#tokens}` } }),
    }));
  }

  #enable(name: string, enabled: boolean): void {
    this.#respec(name, (spec) => ({ ...spec, enabled }));
  }

  #delete(name: string, asked: boolean): void {
    this.#respec(name, ({ deletion: _, ...spec }) => ({
      ...spec,
      ...(asked && { deletion: { pendingWindowInDays: 7, withoutCensus: true } }),
    }));
  }

  #respec(name: string, change: (spec: ReturnType<typeof freshMasterKey>["spec"]) => typeof spec): void {
    const key = masterKeyOf(this.etcd, name);
    const metadata = { ...key.metadata, generation: key.metadata.generation + 1 };
    this.etcd = withMasterKey(this.etcd, { ...key, metadata, spec: change(key.spec) });
  }

  #recreate(name: string): void {
    const { spec } = masterKeyOf(this.etcd, name);
    this.etcd = withMasterKey(this.etcd, { ...freshMasterKey(name), spec });
  }

  #retarget(masterKey: string): void {
    const { alias } = this.etcd;
    const spec = { masterKey };
    this.etcd = { ...this.etcd, alias: alias === undefined ? keyAlias({ spec }) : { ...alias, spec } };
  }

  /** API servers are stopped for it: what the leader had in hand ends in errors. */
  #restore(): void {
    this.etcd = { ...this.#backup };
    this.#forgetDestructions();
    this.#leader.forget();
    for (const { name } of this.nodes) this.#outdated.add(name);
    for (const name of KEY_NAMES) this.#outdated.add(name);
  }

  /** What etcd has lost and no node has heard of did not happen. */
  #forgetDestructions(): void {
    for (const id of this.destroyed) {
      if (!this.nodes.some(({ keyring }) => keyring.tombstones.has(id))) this.destroyed.delete(id);
    }
  }

  #apiServers(): void {
    for (const { entries } of this.nodes) for (const entry of entries) entry.poll(this.#now, true);
  }

  #operators(milliseconds: number): void {
    for (const node of this.nodes) this.#sync(node, true);
    this.#lead();
    const [first] = this.nodes;
    if (first !== undefined) this.etcd = this.#leader.rewriter.advance(this.etcd, first, HALF, this.#now);
    this.#pass(milliseconds);
  }

  /** Whether a node that saw a waiting period begin later than the leader keeps what was destroyed. */
  #keepsForNow(): boolean {
    return this.nodes.some(({ problems }) => problems.some(({ reason }) => reason === "DestructionNotDue"));
  }

  #keyringChanges(): number {
    return this.nodes.reduce((sum, { keyring }) => sum + keyring.changes, 0);
  }

  #node(index: number): ModelNode {
    const node = this.nodes[index % this.nodes.length];
    if (node === undefined) throw new Error("a cluster has at least one node");
    return node;
  }

  #entry({ node, entry }: { readonly node: number; readonly entry: number }) {
    const { entries } = this.#node(node);
    const found = entries[entry % entries.length];
    if (found === undefined) throw new Error("an API server has at least one entry");
    return found;
  }
}

const currentIn = ({ masterKeys }: Etcd): string =>
  masterKeys.map(({ status }) => `${status?.keyId} ${status?.currentVersion?.versionId}`).join();

const keyName = (index: number): string => KEY_NAMES[index % KEY_NAMES.length] ?? KEY_NAMES[0];
