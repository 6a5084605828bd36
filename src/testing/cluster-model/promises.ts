import { decideKeyVersionStatus } from "../../operator/master-key/decide-key-version.ts";
import type { MasterKeyPlan } from "../../operator/master-key/decide-master-key.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { type Etcd, resourceOf, type Used } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";
import { BrokenPromise, PromiseCounts } from "./promise-names.ts";

const PROMOTED = "a version is promoted only when every node has it";
const FORWARD = "a status never goes back to an earlier version";
const BEGUN = "what was asked for once begins once";
const ASKED = "nothing is destroyed unasked, or before its time";
const STORED = "nothing is destroyed that an object is stored under";
const MAY_STORE = "nothing is destroyed that an API server may still store under";
const OPENS = "what is stored opens on every node";
const CURRENT = "one version of a key is current";
const COMPLETE = "nothing is stored under anything else when Complete is said";
const MAY_WRITE = "no API server may store under anything else when Complete is said";
const CONDITION = "Reencrypted is True only while it is Complete";
const REWRITTEN = "what is written again can be read wherever it could be before";

const HEARD = "nothing is promoted or said to be complete while a node is not heard of";
const REPORTED = "a promotion is decided on what every node reports at that moment";
const WRITTEN_FOR = "what is written again is under the key_id that it is written for";
const ERASED = "a version is said to be erased only once no node holds it";

/** The duration of a node's Lease. */
const LEASE_MILLISECONDS = 40_000;
const WEEK = 7 * 86_400_000;

/** Checks that promises are kept, and counts how often. Throws if a promise is broken. */
export class Promises {
  readonly counts = new PromiseCounts();
  readonly #nodes: readonly ModelNode[];

  constructor(nodes: readonly ModelNode[]) {
    this.#nodes = nodes;
  }

  /** Checks a plan of the leader before it is carried out. */
  checkPlan({ step, fields: status }: MasterKeyPlan, before: MasterKey, { begun }: Etcd, now: number): void {
    const { name } = before.metadata;
    if (step.kind === "promote") {
      this.#checkHeard(`${name} is promoted`, now);
      // A restored etcd may offer versions that the nodes know to be destroyed: they destroy them again.
      const { versionId } = step.version.spec;
      // A node whose disk was restored learns of it as it did the first time.
      const lacking = this.#nodes.find(
        ({ keyring, behind }) =>
          !behind && !keyring.versions.has(versionId) && !keyring.tombstones.has(versionId),
      );
      if (this.#nodes.length > 1) this.counts.checked(PROMOTED);
      if (lacking !== undefined)
        throw new BrokenPromise(PROMOTED, `${name}: promoted before ${lacking.name} has it`);
    }
    const [was, is] = [before.status?.currentVersion?.number ?? 0, status.currentVersion?.number ?? 0];
    if (before.status?.keyId === status.keyId) {
      if (was > 0) this.counts.checked(FORWARD);
      if (is < was) throw new BrokenPromise(FORWARD, `${name}: the status went from ${was} to ${is}`);
    }
    if (step.kind !== "beginRotation" || step.token === undefined) return;
    this.counts.checked(BEGUN);
    if (begun.some(({ key, token }) => key === name && token === step.token))
      throw new BrokenPromise(BEGUN, `${name}: ${step.token} was asked for once and began twice`);
  }

  /** Checks a plan of the leader at the moment of the decision, whatever the leader's watches show. */
  checkDecided({ step }: MasterKeyPlan, { metadata }: MasterKey, { reports }: Etcd): void {
    if (step.kind !== "promote") return;
    this.counts.checked(REPORTED);
    const { versionId } = step.version.spec;
    const reporting = reports.filter(({ status }) =>
      status?.prepared?.some((one) => one.versionId === versionId),
    );
    if (reporting.length < this.#nodes.length)
      throw new BrokenPromise(
        REPORTED,
        `${metadata.name}: promoted, and ${reporting.length} nodes report the version`,
      );
  }

  /**
   * Checks that a destroyed version is needed by nobody, and that somebody requested its destruction long
   * enough ago.
   */
  checkDestruction(
    { spec }: KeyVersion,
    masterKey: MasterKey | undefined,
    { objects }: Etcd,
    census: boolean,
    now: number,
  ): void {
    const { deletion, retention } = masterKey?.spec ?? {};
    const date = Date.parse(masterKey?.status?.deletion?.scheduledAt ?? "");
    const what = `version ${spec.number} of ${spec.masterKey.name}`;
    const isCurrent = masterKey?.status?.currentVersion?.versionId === spec.versionId;
    this.counts.checked(ASKED);
    if (deletion === undefined && (retention === undefined || isCurrent))
      throw new BrokenPromise(ASKED, `${what} is destroyed and nobody asked for it`);
    if (deletion !== undefined && !(now - date >= WEEK))
      throw new BrokenPromise(ASKED, `${what} is destroyed too soon`);
    // Without etcd nobody can count, and the waiting period is there to find remaining objects.
    if (census || deletion === undefined) {
      const stored = [...objects].find(([, used]) => used.versionId === spec.versionId);
      if (objects.size > 0) this.counts.checked(STORED);
      if (stored !== undefined)
        throw new BrokenPromise(STORED, `${what} is destroyed, and ${stored[0]} is under it`);
    }
    for (const node of this.#nodes) {
      if (node.behind || node.lies) continue;
      // A socket is not needed if its API server has no entry for it any more, and does not ask.
      const needed = node.sockets.filter((socket) =>
        node.apiServer.entries.some((one) => one.socket === socket),
      );
      if (needed.some(({ serving }) => serving?.version.versionId === spec.versionId))
        throw new BrokenPromise(MAY_STORE, `${what} is destroyed, and ${node.name} serves it`);
      const may = node.mayStoreUnder(now);
      if (may.length > 0) this.counts.checked(MAY_STORE);
      if (may.some(({ used }) => used.versionId === spec.versionId))
        throw new BrokenPromise(MAY_STORE, `${what} is destroyed, and ${node.name} may store under it`);
    }
  }

  /**
   * Checks that everything that is stored, or that an API server may still store, can be opened on every
   * node, silent nodes included: their API servers read the same etcd. A rightly destroyed version can only
   * be used there again after a restore of etcd, or through a node whose disk was restored.
   */
  checkReadable({ objects }: Etcd, destroyed: ReadonlySet<string>, now: number): void {
    const used = new Set([...objects.values()].map(({ versionId }) => versionId));
    for (const node of this.#nodes) {
      for (const may of node.mayStoreUnder(now)) used.add(may.used.versionId);
      for (const { serving } of node.sockets) if (serving !== undefined) used.add(serving.version.versionId);
    }
    used.delete("");
    if (used.size > 0) this.counts.checked(OPENS);
    for (const { name, keyring, behind } of this.#nodes) {
      if (behind) continue;
      const lost = [...used].find((id) => !keyring.versions.has(id) && !destroyed.has(id));
      if (lost !== undefined) throw new BrokenPromise(OPENS, `${name} cannot open ${lost}`);
    }
  }

  checkCurrent({ masterKeys, versions }: Etcd): void {
    for (const masterKey of masterKeys) {
      const current = versions.filter(
        (version) =>
          version.spec.keyId === masterKey.status?.keyId &&
          decideKeyVersionStatus(version, masterKey).state === "Current",
      );
      if (current.length > 0) this.counts.checked(CURRENT);
      if (current.length > 1)
        throw new BrokenPromise(CURRENT, `${masterKey.metadata.name} has ${current.length} versions`);
    }
  }

  /**
   * Checks that Complete is true. Nobody can know of actions that a node could not report yet, or that no
   * leader has looked at since: `excused` are the objects that were stored by these.
   */
  checkComplete(
    etcd: Etcd,
    { metadata, status }: MasterKey,
    excused: ReadonlySet<string>,
    now: number,
    isNew = false,
  ): void {
    const { name } = metadata;
    const { reencryption, currentVersion, conditions } = status ?? {};
    if (conditionOf(conditions, "Reencrypted")?.status === "True") {
      this.counts.checked(CONDITION);
      if (reencryption?.phase !== "Complete")
        throw new BrokenPromise(CONDITION, `${name} is Reencrypted and not Complete`);
    }
    if (reencryption?.phase !== "Complete" || reencryption.kmsKeyId !== currentVersion?.kmsKeyId) return;
    // A node's report about its API server is taken for true; only a census looks for itself.
    if (!reencryption.verified && this.#nodes.some(({ lies }) => lies)) return;
    const { kmsKeyId, resources } = reencryption;
    for (const [object, used] of etcd.objects) {
      if (!resources.includes(resourceOf(object)) || excused.has(object)) continue;
      this.counts.checked(COMPLETE);
      if (used.kmsKeyId !== kmsKeyId)
        throw new BrokenPromise(COMPLETE, `${name} is Complete and ${object} is ${text(used)}`);
    }
    for (const node of this.#nodes.filter(
      ({ excuse }) => excuse === undefined || (isNew && excuse.reported),
    )) {
      for (const { resource, used } of node.mayStoreUnder(now)) {
        if (!resources.includes(resource)) continue;
        this.counts.checked(MAY_WRITE);
        if (used.kmsKeyId !== kmsKeyId)
          throw new BrokenPromise(
            MAY_WRITE,
            `${name} is Complete and ${node.name} may still store ${resource} ${text(used)}`,
          );
      }
    }
  }

  /** Checks a new claim of the leader: `excused` are objects of nodes that have not reported at all. */
  checkCompleted(etcd: Etcd, masterKey: MasterKey, excused: ReadonlySet<string>, now: number): void {
    this.#checkHeard(`${masterKey.metadata.name} is Complete`, now);
    this.checkComplete(etcd, masterKey, excused, now, true);
  }

  #checkHeard(what: string, now: number): void {
    this.counts.checked(HEARD);
    const unheard = this.#nodes.find(({ heard }) => now - heard > LEASE_MILLISECONDS);
    if (unheard !== undefined) throw new BrokenPromise(HEARD, `${what}, and ${unheard.name} is not heard of`);
  }

  checkErased({ spec, status }: KeyVersion): void {
    if (status?.erasedAt === undefined) return;
    this.counts.checked(ERASED);
    const holding = this.#nodes.find(
      ({ keyring, behind }) => !behind && keyring.versions.has(spec.versionId),
    );
    if (holding !== undefined)
      throw new BrokenPromise(
        ERASED,
        `version ${spec.number} is said to be erased, and ${holding.name} holds it`,
      );
  }

  /** Checks that an API server encrypts under a key_id once it has shown that it does. */
  checkWrittenFor(
    object: string,
    { apiServer, sockets, excuse, hasReturned, hasLied }: ModelNode,
    kmsKeyId: string,
    after: Used,
  ): void {
    const socket = sockets.find(({ config }) => config.name === after.provider);
    if (!apiServer.runs || excuse !== undefined || hasReturned || hasLied || socket === undefined) return;
    if (socket.wasProbed || socket.serving?.kmsKeyId !== kmsKeyId) return;
    this.counts.checked(WRITTEN_FOR);
    if (after.kmsKeyId !== kmsKeyId)
      throw new BrokenPromise(
        WRITTEN_FOR,
        `${object} was written again ${text(after)}, not under ${kmsKeyId}`,
      );
  }

  /**
   * Checks that an object rewritten by the leader can be read by each API server that could read it before.
   */
  checkRewrite(object: string, before: Used, after: Used): void {
    const resource = resourceOf(object);
    for (const { name, apiServer, excuse } of this.#nodes) {
      if (!apiServer.runs || excuse !== undefined || !apiServer.reads(resource, before)) continue;
      if (this.#nodes.length > 1) this.counts.checked(REWRITTEN);
      if (!apiServer.reads(resource, after))
        throw new BrokenPromise(
          REWRITTEN,
          `${object} was written again ${text(after)}, and the API server of ${name} cannot read it`,
        );
    }
  }
}

const text = ({ kmsKeyId }: Used): string => (kmsKeyId === undefined ? "plain" : `under ${kmsKeyId}`);
