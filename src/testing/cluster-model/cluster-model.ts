import { SILENCE_MILLISECONDS } from "../../api-server-times.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { keyAlias, NOW } from "../objects.ts";
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
import { type FileName, RESOURCES } from "./files.ts";
import { ModelLeader } from "./model-leader.ts";
import { ModelNode } from "./model-node.ts";
import { Promises } from "./promises.ts";

const MINUTE = 60_000;
/** More passes than anything needs that ends at all. */
const ENDLESS = 100;
/** Together with their pauses longer than the longest pause of a round, eight minutes. */
const STILL = 4;
/** Objects per minute, so few that a round takes two minutes. */
const HALF = 5;
/** Together with a minute longer than an API server takes to settle. */
const PAUSE_SECONDS = 200;
/** Longer than the waiting periods of this model. */
const WEEK_SECONDS = 8 * 86_400;

/** How soon a stalled watch is started again. */
const STALL_MILLISECONDS = 180_000;

export interface ClusterOptions {
  /** The number of nodes. */
  readonly size: number;
  /** True if operators can count the objects in etcd, and how long a count takes. */
  readonly census: boolean;
  readonly countMilliseconds: number;
  /** True if API servers report the file that they use. */
  readonly tells: boolean;
}

/** etcd with two MasterKeys and an alias, and nodes whose keyrings and API servers outlive its loss. */
export class ClusterModel {
  readonly nodes: readonly ModelNode[];
  /** versionIds of destroyed versions. The destruction was checked when it happened. */
  readonly destroyed = new Set<string>();
  etcd: Etcd;
  readonly promises: Promises;
  readonly #leader: ModelLeader;
  #now = NOW.getTime();
  #backup: Etcd;
  #tokens = 0;
  /** The nodes whose reports are from before a restore, and the keys whose status is. */
  readonly #outdated = new Set<string>();
  /** Objects that were stored through an excused node, with the node's name. */
  readonly #excused = new Map<string, string>();
  /** True if an alias has moved since the leader last looked at the keys. */
  #moved = false;
  #frozenSince = 0;

  constructor({ size, tells, ...options }: ClusterOptions) {
    this.nodes = Array.from({ length: size }, (_, index) => new ModelNode(`node-${index}`, tells));
    this.promises = new Promises(this.nodes);
    for (const node of this.nodes) {
      node.heard = this.#now;
      node.peers = this.nodes;
    }
    this.#leader = new ModelLeader(this.nodes, this.promises, options);
    this.etcd = freshEtcd(this.nodes.map(({ name }) => name));
    this.#backup = this.etcd;
  }

  /** The true time. */
  get now(): number {
    return this.#now;
  }

  /** Applies an event. Throws if a promise is broken, by the event or afterwards. */
  apply(event: Event): void {
    const before = this.etcd;
    this.#apply(event);
    this.#check(before);
  }

  /** Lets everybody work until nothing has changed for longer than the longest wait. */
  settle(): void {
    for (const node of this.nodes) this.#mend(node);
    this.#leader.rewriter.allowAll();
    for (const key of KEY_NAMES) {
      this.#enable(key, true);
      this.#delete(key, false);
    }
    let still = 0;
    for (let pass = 0; still < STILL; pass++) {
      if (pass > ENDLESS) throw new Error("it never settles");
      const before = { etcd: this.etcd, changes: this.#keyringChanges() };
      this.apply({ kind: "everybody" });
      this.apply({ kind: "idle", seconds: PAUSE_SECONDS });
      for (const key of KEY_NAMES) {
        if (masterKeyOf(this.etcd, key).status?.keyState === "Destroyed") this.#recreate(key);
      }
      const same = this.etcd === before.etcd && this.#keyringChanges() === before.changes;
      still = same ? still + 1 : 0;
      if (still >= STILL && this.#keepsForNow()) {
        this.apply({ kind: "idle", seconds: WEEK_SECONDS });
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
        this.#node(event.node).cutOff = true;
        break;
      case "comeBack":
        this.#hear(this.#node(event.node));
        break;
      case "syncLate":
        this.#sync(this.#node(event.node), true, true);
        break;
      case "restartPlugin":
      case "killPlugin":
        for (const socket of this.#node(event.node).sockets)
          socket.restart(this.#now, event.kind === "restartPlugin");
        break;
      case "restartApiServer":
        this.#restartApiServer(this.#node(event.node), this.#node(event.node).file);
        break;
      case "restartWithoutFlag":
        // A key that is destroyed although an EncryptionConfiguration names it causes other problems.
        if (this.etcd.masterKeys.every(({ spec }) => spec.deletion === undefined))
          this.#restartApiServer(this.#node(event.node), undefined);
        break;
      case "edit":
        this.#edit(this.#node(event.node), event.file);
        break;
      case "roll":
        for (const node of this.nodes) {
          this.#edit(node, event.file);
          this.#reload(node);
        }
        break;
      case "reload":
        this.#reload(this.#node(event.node));
        break;
      case "probe":
        this.#probe(this.#node(event.node));
        break;
      case "takeImage":
        this.#node(event.node).takeImage();
        break;
      case "comeBackFromImage":
        this.#comeBackFromImage(this.#node(event.node));
        break;
      case "deleteReport":
        this.#deleteReport(this.#node(event.node).name);
        break;
      case "lie":
      case "endLie":
        this.#lie(this.#node(event.node), event.kind === "lie");
        break;
      case "freeze":
        this.#leader.frozen ??= this.etcd;
        this.#frozenSince = this.#now;
        break;
      case "poll":
      case "pollInVain":
        this.#node(event.node).apiServer.poll(this.#now, event.kind === "poll", event.entry);
        break;
      case "write":
        this.#write(event);
        break;
      case "work":
        this.#work(this.#node(event.node), event.objects);
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
      case "idle":
        this.#idle(event.seconds * 1_000);
        break;
      case "refuse":
      case "allow":
        this.#leader.rewriter.refuse(objectName(event), event.kind === "refuse");
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
        if (event.kind === "cancel" || this.nodes.every(({ apiServer }) => apiServer.file !== undefined))
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
        // A node that came back from an image from before a deletion continues to serve what it knew then.
        if (this.nodes.every(({ hasReturned }) => !hasReturned))
          this.etcd = { ...this.etcd, alias: undefined };
        break;
      case "backup":
        this.#backup = this.etcd;
        break;
      case "restore":
        this.#restore();
        break;
      case "loseVersions":
        if (this.#mayBeLost()) break;
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
    for (const { sockets } of this.nodes) {
      for (const socket of sockets) {
        this.promises.counts.checked("a key_id that was left does not return", socket.switched);
        socket.switched = 0;
      }
    }
    for (const { spec } of this.etcd.versions)
      if (spec.destroyed !== undefined) this.destroyed.add(spec.versionId);
    this.promises.checkReadable(this.etcd, this.destroyed, this.#now);
    if (before.versions !== this.etcd.versions || currentIn(before) !== currentIn(this.etcd))
      this.promises.checkCurrent(this.etcd);
    if (this.#moved) return;
    const excused = new Set(this.#excused.keys());
    for (const key of this.etcd.masterKeys) {
      if (!this.#outdated.has(key.metadata.name))
        this.promises.checkComplete(this.etcd, key, excused, this.#now);
    }
  }

  /**
   * After a restore, the first status that was decided on new reports counts, which a stalled watch does not
   * show.
   */
  #lead(): void {
    const informed = this.nodes.every(({ name }) => !this.#outdated.has(name));
    const before = this.etcd.alias?.status?.masterKey;
    const keys = this.etcd.masterKeys;
    const { frozen } = this.#leader;
    this.etcd = this.#leader.lead(this.etcd, new Date(this.#now));
    if (this.nodes.every(({ silent }) => silent)) return;
    if (informed && frozen === undefined) this.#outdated.clear();
    const stands = this.#moved && frozen !== undefined;
    this.#moved = stands || this.etcd.alias?.status?.masterKey !== before;
    if (!this.#moved) this.#checkCompleted(keys);
    const reported = frozen === undefined ? this.nodes.filter(({ excuse }) => excuse?.reported) : [];
    for (const node of reported) this.#endExcuse(node);
    // Drops the leader's open plan: a process looks at a key again only after it has carried out its plan.
    if (reported.length > 0) this.#leader.dropThought();
  }

  /** A new claim was decided on KeyServers read past the cache. */
  #checkCompleted(before: readonly MasterKey[]): void {
    const unreported = new Set(
      this.nodes.filter(({ excuse }) => excuse?.reported === false).map(({ name }) => name),
    );
    const excused = new Set(
      [...this.#excused].flatMap(([object, name]) => (unreported.has(name) ? [object] : [])),
    );
    for (const key of this.etcd.masterKeys) {
      const was = before.find(({ metadata }) => metadata.name === key.metadata.name)?.status?.reencryption
        ?.phase;
      const isNew = was !== "Complete" && key.status?.reencryption?.phase === "Complete";
      if (isNew && !this.#outdated.has(key.metadata.name))
        this.promises.checkCompleted(this.etcd, key, excused, this.#now);
    }
  }

  #sync(node: ModelNode, toTheEnd: boolean, late = false): void {
    const wasUnknown = node.unknown;
    this.etcd = node.sync(this.etcd, new Date(this.#now), toTheEnd, late);
    if (node.silent || !toTheEnd) return;
    this.#outdated.delete(node.name);
    if (wasUnknown) node.heard = this.#now;
    const { excuse } = node;
    if (excuse !== undefined && excuse.from <= this.#now && !late && !node.isLying)
      node.excuse = { ...excuse, reported: true };
  }

  /**
   * Nobody can know what the node's API server does until its operator has reported it, and a leader has
   * looked.
   */
  #excuse(node: ModelNode): void {
    // An API server that does not report its file is noticed by its silence.
    const from = this.#now + (node.tells ? 0 : SILENCE_MILLISECONDS);
    node.excuse = { from, reported: false };
  }

  #endExcuse(node: ModelNode): void {
    node.excuse = undefined;
    node.lies = false;
    for (const [object, name] of this.#excused) if (name === node.name) this.#excused.delete(object);
  }

  #restartApiServer(node: ModelNode, file: FileName | undefined): void {
    const same = node.apiServer.file === file;
    node.apiServer.restart(file, this.#now);
    if (!same) this.#excuse(node);
  }

  /**
   * Without the API server's own report an Encrypt is all that is known, and it may belong to a file that the
   * API server only tried.
   */
  #edit(node: ModelNode, file: FileName): void {
    if (!node.tells) return;
    node.file = file;
    node.editedAt = this.#now;
  }

  #probe(node: ModelNode): void {
    if (!node.tells) return;
    for (const socket of node.sockets) socket.probed();
    node.apiServer.probe(node.file, this.#now);
  }

  #reload(node: ModelNode): void {
    if (node.apiServer.file === node.file || node.apiServer.file === undefined) return;
    if (node.apiServer.reload(node.file, this.#now)) this.#excuse(node);
    else for (const socket of node.sockets) socket.probed();
  }

  #comeBackFromImage(node: ModelNode): void {
    const stored = new Set(this.etcd.versions.map(({ spec }) => spec.versionId));
    const held = this.nodes.flatMap(({ keyring }) => [...keyring.versions.keys()]);
    // Objects that etcd has lost could be lost with this disk.
    if (!held.every((id) => stored.has(id)) || this.etcd.alias === undefined) return;
    if (node.comeBackFromImage(this.#now)) this.#excuse(node);
  }

  #deleteReport(name: string): void {
    const reports = this.etcd.reports.filter(({ metadata }) => metadata.name !== name);
    this.etcd = { ...this.etcd, reports };
  }

  #lie(node: ModelNode, lies: boolean): void {
    if (!lies && !node.isLying) return;
    node.isLying = lies;
    node.lies = true;
    node.hasLied = true;
    this.#excuse(node);
  }

  /** The repair that somebody makes in the end: the node runs, with the file that all nodes have. */
  #mend(node: ModelNode): void {
    this.#hear(node);
    this.#lie(node, false);
    this.#edit(node, "all");
    if (node.apiServer.file !== "all") this.#restartApiServer(node, "all");
  }

  #hear(node: ModelNode): void {
    node.cutOff = false;
    if (!node.silent && !node.unknown) node.heard = this.#now;
  }

  #pass(milliseconds: number): void {
    this.#now += milliseconds;
    for (const node of this.nodes) if (!node.silent && !node.unknown) node.heard = this.#now;
    if (this.#now - this.#frozenSince >= STALL_MILLISECONDS) this.#leader.frozen = undefined;
  }

  /** An API server makes each switch in the first minute. */
  #idle(milliseconds: number): void {
    this.#apiServers();
    this.#pass(milliseconds);
    for (const { apiServer } of this.nodes) apiServer.pollUntil(this.#now);
  }

  #work(node: ModelNode, objects: number): void {
    const before = this.etcd.objects;
    this.etcd = this.#leader.rewriter.advance(this.etcd, node, objects, this.#now);
    for (const [name, under] of this.etcd.objects) if (before.get(name) !== under) this.#stored(name, node);
  }

  #stored(object: string, node: ModelNode): void {
    if (node.excuse === undefined) this.#excused.delete(object);
    else this.#excused.set(object, node.name);
  }

  #write({ late, object, ...at }: Extract<Event, { kind: "write" }>): void {
    const node = this.#node(at.node);
    const resource = RESOURCES[at.entry % RESOURCES.length] ?? "";
    const under = late
      ? node.apiServer.mayStoreUnder(resource, this.#now).at(-1)
      : node.apiServer.storesUnder(resource, this.#now);
    if (under === undefined) return;
    const name = objectName({ entry: at.entry, object });
    if (this.#leader.rewriter.refuses(name)) return;
    this.etcd = withObject(this.etcd, name, under);
    this.#stored(name, node);
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

  /** API servers are stopped for a restore, so that the leader's work in progress ends in errors. */
  #restore(): void {
    if (this.#mayBeLost()) return;
    this.etcd = { ...this.#backup };
    this.#forgetDestructions();
    this.#leader.forget();
    for (const node of this.nodes) {
      this.#outdated.add(node.name);
      // Its report about its API server is in etcd as it was at the backup.
      this.#excuse(node);
    }
    for (const name of KEY_NAMES) this.#outdated.add(name);
  }

  /**
   * Returns true if a node's disk was restored, so that a version may be in etcd alone: nobody promised to
   * survive both.
   */
  #mayBeLost(): boolean {
    return this.nodes.some(({ behind }) => behind);
  }

  /** A destruction that etcd has lost and no node knows of did not happen. */
  #forgetDestructions(): void {
    for (const id of this.destroyed) {
      if (!this.nodes.some(({ keyring }) => keyring.tombstones.has(id))) this.destroyed.delete(id);
    }
  }

  #apiServers(): void {
    for (const { apiServer } of this.nodes) apiServer.poll(this.#now, true);
  }

  #operators(milliseconds: number): void {
    for (const node of this.nodes) this.#sync(node, true);
    this.#lead();
    if (this.#leader.hasCounted(new Date(this.#now))) this.#lead();
    const [first] = this.nodes;
    if (first !== undefined) this.#work(first, HALF);
    this.#pass(milliseconds);
  }

  /**
   * Returns true if a node that saw a waiting period begin later than the leader still keeps destroyed
   * material.
   */
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
}

const currentIn = ({ masterKeys }: Etcd): string =>
  masterKeys.map(({ status }) => `${status?.keyId} ${status?.currentVersion?.versionId}`).join();

const objectName = ({ entry, object }: { readonly entry: number; readonly object: number }): string =>
  `${RESOURCES[entry % RESOURCES.length]} ${object}`;

const keyName = (index: number): string => KEY_NAMES[index % KEY_NAMES.length] ?? KEY_NAMES[0];
