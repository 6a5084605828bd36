import type { KeyId } from "../crypto/ids.ts";
import { isLater, type KeyRow, type VersionRow } from "../keyring/rows.ts";
import type { KeyringChange } from "../keyring/writer.ts";
import type { KeyVersion, MasterKeyStatus } from "../kube/resources.ts";
import { decideKeyVersionStatus } from "./decide-key-version.ts";
import { decideKeyring, toKeyVersionSpec } from "./decide-keyring.ts";
import { decideMasterKey, type MasterKeyPlan } from "./decide-master-key.ts";
import { keyId, keyVersion, masterKey, NOW, unserved, versionId } from "./testing.ts";
import { promotionCandidate } from "./versions.ts";

/** What can happen to a cluster, for the property test of the decisions. */
export type Event =
  /** The leader decides and applies. */
  | { readonly kind: "lead" }
  /** The leader makes a version and dies before it writes the status. */
  | { readonly kind: "leadAndCrash" }
  /** A leader decides and is slow; "act" applies that plan if nobody was faster. */
  | { readonly kind: "think" | "act" }
  /** A node stores, hands back and reports; or dies after storing. */
  | { readonly kind: "sync" | "syncAndCrash"; readonly node: number }
  | { readonly kind: "fallSilent" | "comeBack"; readonly node: number }
  /** Somebody asks for a new version. */
  | { readonly kind: "rotate" }
  /** etcd is backed up, or put back to the last backup. */
  | { readonly kind: "backup" | "restore" }
  /** The KeyVersions are deleted, or the MasterKey is deleted and made again. */
  | { readonly kind: "loseVersions" | "recreate" };

export interface ModelNode {
  readonly name: string;
  readonly versions: Map<string, VersionRow>;
  key: KeyRow | undefined;
  prepared: ReadonlySet<string>;
  stale: boolean;
}

interface Etcd {
  readonly status: MasterKeyStatus | undefined;
  readonly versions: readonly KeyVersion[];
}

/** An API server with one MasterKey, and several nodes whose keyrings outlive what happens to it. */
export class ClusterModel {
  readonly nodes: readonly ModelNode[];
  etcd: Etcd = { status: undefined, versions: [] };
  #backup: Etcd = this.etcd;
  #inHand: { readonly plan: MasterKeyPlan; readonly on: Etcd } | undefined;
  #minted = 0;

  constructor(size: number) {
    this.nodes = Array.from({ length: size }, (_, index) => ({
      name: `node-${index}`,
      versions: new Map(),
      key: undefined,
      prepared: new Set(),
      stale: false,
    }));
  }

  /** Lets it happen. Throws where a decision breaks a promise. */
  apply(event: Event): void {
    switch (event.kind) {
      case "lead":
        this.#carryOut(this.#decide());
        break;
      case "leadAndCrash":
        this.#createVersion(this.#decide());
        break;
      case "think":
        this.#inHand = { plan: this.#decide(), on: this.etcd };
        break;
      case "act":
        // The resourceVersion sees to it: a plan made on another state is a Conflict.
        if (this.#inHand?.on === this.etcd) this.#carryOut(this.#inHand.plan);
        this.#inHand = undefined;
        break;
      case "sync":
      case "syncAndCrash":
        this.#sync(this.#node(event.node), event.kind === "sync");
        break;
      case "fallSilent":
        this.#node(event.node).stale = true;
        break;
      case "comeBack":
        this.#node(event.node).stale = false;
        break;
      case "rotate":
        this.#rotate();
        break;
      case "backup":
        this.#backup = this.etcd;
        break;
      case "restore":
        this.etcd = { ...this.#backup };
        break;
      case "loseVersions":
        this.etcd = { ...this.etcd, versions: [] };
        break;
      case "recreate":
        this.etcd = { ...this.etcd, status: undefined };
        break;
    }
  }

  /** Everybody is there and works until nothing moves any more. */
  settle(): void {
    for (const node of this.nodes) node.stale = false;
    let before: string;
    do {
      before = this.#snapshot();
      for (const node of this.nodes) this.#sync(node, true);
      this.#carryOut(this.#decide());
    } while (this.#snapshot() !== before);
  }

  /** The versions that their status says are current. */
  currentVersions(): KeyVersion[] {
    return this.etcd.versions.filter(
      (version) => decideKeyVersionStatus(version, this.#masterKey()).state === "Current",
    );
  }

  #decide(): MasterKeyPlan {
    return decideMasterKey(
      {
        ...unserved,
        masterKey: this.#masterKey(),
        versions: this.etcd.versions,
        nodes: this.nodes.map((node) => ({ ...node, lastHeard: NOW })),
        // The leader is the first node that works.
        ...this.#held(this.nodes.find((node) => !node.stale)),
        freshKeyId: keyId(this.#mint()),
        arnPrefix: "",
      },
      NOW,
    );
  }

  #held(leader: ModelNode | undefined): { readonly heldKeyId?: KeyId } {
    return leader?.key?.current === undefined ? {} : { heldKeyId: leader.key.keyId };
  }

  #carryOut(plan: MasterKeyPlan): void {
    this.#checkPromotion(plan);
    this.#createVersion(plan);
    const before = this.etcd.status;
    const [was, is] = [before?.currentVersion?.number ?? 0, plan.status.currentVersion?.number ?? 0];
    if (before?.keyId === plan.status.keyId && is < was)
      throw new Error(`the status went from ${was} to ${is}`);
    this.etcd = { ...this.etcd, status: plan.status };
  }

  #checkPromotion({ step }: MasterKeyPlan): void {
    if (step.kind !== "promote") return;
    const lacking = this.nodes.find((node) => !node.versions.has(step.version.spec.versionId));
    if (lacking !== undefined) throw new Error(`promoted before ${lacking.name} has it`);
  }

  #createVersion({ step }: MasterKeyPlan): void {
    if (step.kind === "createVersion") this.#addVersion(step.keyId, step.number);
  }

  /** As the API server would, refuses a second object of one name. */
  #addVersion(key: string, number: number): void {
    const version = keyVersion(number, { spec: { keyId: key, versionId: versionId(this.#mint()) } });
    const taken = this.etcd.versions.some(({ metadata }) => metadata.name === version.metadata.name);
    if (!taken) this.etcd = { ...this.etcd, versions: [...this.etcd.versions, version] };
  }

  #rotate(): void {
    const { status, versions } = this.etcd;
    if (status?.keyId === undefined) return;
    const numbers = versions.filter(({ spec }) => spec.keyId === status.keyId).map(({ spec }) => spec.number);
    this.#addVersion(status.keyId, Math.max(0, status.currentVersion?.number ?? 0, ...numbers) + 1);
  }

  #sync(node: ModelNode, toTheEnd: boolean): void {
    if (node.stale) return;
    const key = this.#masterKey();
    const contents = { keys: node.key ? [node.key] : [], aliases: [], versions: [...node.versions.values()] };
    const observed = { masterKeys: [key], keyVersions: this.etcd.versions, keyAliases: [] };
    const acceptable = new Set(this.etcd.versions.map(({ spec }) => spec.versionId));
    const plan = decideKeyring(observed, contents, acceptable);
    for (const change of plan.changes) applyChange(node, change);
    if (!toTheEnd) return;
    const candidate = promotionCandidate(key, this.etcd.versions)?.spec.versionId;
    node.prepared = new Set(candidate !== undefined && node.versions.has(candidate) ? [candidate] : []);
    const back = plan.handBack.map((row) => keyVersion(row.number, { spec: toKeyVersionSpec(row) }));
    if (back.length > 0) this.etcd = { ...this.etcd, versions: [...this.etcd.versions, ...back] };
  }

  #masterKey() {
    return masterKey(this.etcd.status && { status: this.etcd.status });
  }

  #node(index: number): ModelNode {
    const node = this.nodes[index % this.nodes.length];
    if (node === undefined) throw new Error("a cluster has at least one node");
    return node;
  }

  #mint(): number {
    this.#minted += 1;
    return this.#minted;
  }

  #snapshot(): string {
    const nodes = this.nodes.map(({ key, versions, prepared }) => [key, [...versions.keys()], [...prepared]]);
    return JSON.stringify([this.etcd, nodes]);
  }
}

/** What the keyring's writer does, with its refusals. */
function applyChange(node: ModelNode, change: KeyringChange): void {
  switch (change.kind) {
    case "putVersion":
      node.versions.set(change.version.versionId, change.version);
      break;
    case "putKey": {
      const { key } = node;
      const same = key?.keyId === change.key.keyId;
      const left = same || key?.current === undefined ? [] : [key.keyId];
      const formerKeyIds = [...(key?.formerKeyIds ?? []), ...left];
      if (formerKeyIds.includes(change.key.keyId)) throw new Error(`${node.name}: a keyId came back`);
      node.key = { ...change.key, formerKeyIds, ...(same && key.current && { current: key.current }) };
      break;
    }
    case "setCurrent": {
      const { versionId: id, keyId: key, number } = change.version;
      if (node.key?.keyId !== key) throw new Error(`${node.name}: current version of another key`);
      if (!node.versions.has(id)) throw new Error(`${node.name}: current version is not stored`);
      if (node.key.current && isLater(node.key.current, change.version)) {
        throw new Error(`${node.name}: the current version went back`);
      }
      node.key = { ...node.key, current: { versionId: id, number } };
      break;
    }
    case "putAlias":
    case "destroyVersion":
      break;
  }
}
