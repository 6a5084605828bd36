import type { KeyVersion, MasterKey } from "../../kube/resources.ts";
import { decideKeyVersionStatus } from "../decide-key-version.ts";
import type { MasterKeyPlan } from "../decide-master-key.ts";
import { type Etcd, resourceOf } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";
import { SOCKETS } from "./model-socket.ts";

/** Throws where a plan of the leader breaks a promise. */
export function checkPlan(
  { step, status }: MasterKeyPlan,
  before: MasterKey,
  { begun }: Etcd,
  nodes: readonly ModelNode[],
): void {
  const { name } = before.metadata;
  if (step.kind === "promote") {
    // A restored etcd may offer what the nodes know to be destroyed: they destroy it again.
    const { versionId } = step.version.spec;
    const lacking = nodes.find(
      ({ keyring }) => !keyring.versions.has(versionId) && !keyring.tombstones.has(versionId),
    );
    if (lacking !== undefined) throw new Error(`${name}: promoted before ${lacking.name} has it`);
  }
  const [was, is] = [before.status?.currentVersion?.number ?? 0, status.currentVersion?.number ?? 0];
  if (before.status?.keyId === status.keyId && is < was)
    throw new Error(`${name}: the status went from ${was} to ${is}`);
  if (step.kind !== "beginRotation" || step.token === undefined) return;
  if (begun.some(({ key, token }) => key === name && token === step.token))
    throw new Error(`${name}: ${step.token} was asked for once and began twice`);
}

const WEEK = 7 * 86_400_000;

/** Throws where what is destroyed is needed by anybody, or nobody asked for it long enough ago. */
export function checkDestruction(
  versions: readonly KeyVersion[],
  masterKey: MasterKey | undefined,
  { objects }: Etcd,
  nodes: readonly ModelNode[],
  census: boolean,
  now: number,
): void {
  const { deletion, retention } = masterKey?.spec ?? {};
  const date = Date.parse(masterKey?.status?.deletion?.scheduledAt ?? "");
  for (const { spec } of versions) {
    const what = `version ${spec.number} of ${spec.masterKey.name}`;
    const isCurrent = masterKey?.status?.currentVersion?.versionId === spec.versionId;
    if (deletion === undefined && (retention === undefined || isCurrent))
      throw new Error(`${what} is destroyed and nobody asked for it`);
    if (deletion !== undefined && !(now - date >= WEEK)) throw new Error(`${what} is destroyed too soon`);
    // Without etcd nobody can count, and the waiting period is there to find what is left.
    const counted = census || deletion === undefined;
    const stored = [...objects].find(([, used]) => used.versionId === spec.versionId);
    if (counted && stored !== undefined)
      throw new Error(`${what} is destroyed, and ${stored[0]} is under it`);
    for (const { name, entries, sockets } of nodes) {
      if (sockets.some(({ serving }) => serving?.version.versionId === spec.versionId))
        throw new Error(`${what} is destroyed, and ${name} serves it`);
      if (entries.some((entry) => entry.mayStoreUnder(now).some((used) => used.versionId === spec.versionId)))
        throw new Error(`${what} is destroyed, and ${name} may store under it`);
    }
  }
}

/**
 * Throws where what is stored, or what an API server may still store, could not be
 * opened on every node, silent ones included: their API servers read the same etcd.
 * What was rightly destroyed can be stored there again only by a restore of etcd.
 */
export function checkReadable(
  { objects }: Etcd,
  nodes: readonly ModelNode[],
  destroyed: ReadonlySet<string>,
  now: number,
): void {
  const used = new Set([...objects.values()].map(({ versionId }) => versionId));
  for (const { entries, sockets } of nodes) {
    for (const entry of entries) for (const { versionId } of entry.mayStoreUnder(now)) used.add(versionId);
    for (const { serving } of sockets) if (serving !== undefined) used.add(serving.version.versionId);
  }
  for (const { name, keyring } of nodes) {
    const lost = [...used].find((id) => !keyring.versions.has(id) && !destroyed.has(id));
    if (lost !== undefined) throw new Error(`${name} cannot open ${lost}`);
  }
}

/** Throws where two versions of a key would show as current. */
export function checkCurrent({ masterKeys, versions }: Etcd): void {
  for (const masterKey of masterKeys) {
    const current = versions.filter(
      (version) =>
        version.spec.keyId === masterKey.status?.keyId &&
        decideKeyVersionStatus(version, masterKey).state === "Current",
    );
    if (current.length > 1) throw new Error(`${masterKey.metadata.name} has ${current.length} versions`);
  }
}

/** What a key's status says is done. It is said of the sockets and the version that the status names. */
export function claimOf({ alias }: Etcd, { metadata: { name }, status }: MasterKey) {
  const { reencryption, currentVersion } = status ?? {};
  if (reencryption?.phase !== "Complete" || reencryption.kmsKeyId !== currentVersion?.kmsKeyId)
    return undefined;
  const served = SOCKETS.filter(({ ref }) =>
    "key" in ref ? ref.key.name === name : alias?.status?.masterKey === name,
  );
  const resources = served.flatMap(({ scope }) => scope.resources);
  // The alias has moved a moment ago, and the key's own status follows.
  if (resources.join() !== reencryption.resources.join()) return undefined;
  return { resources, sockets: served.map((socket) => socket.name), kmsKeyId: reencryption.kmsKeyId };
}

/** Throws where "Complete" is said and something is, or may still be, stored under another key_id. */
export function checkComplete(
  etcd: Etcd,
  masterKey: MasterKey,
  nodes: readonly ModelNode[],
  now: number,
): void {
  const claim = claimOf(etcd, masterKey);
  if (claim === undefined) return;
  const { name } = masterKey.metadata;
  for (const [object, { kmsKeyId }] of etcd.objects) {
    if (claim.resources.includes(resourceOf(object)) && kmsKeyId !== claim.kmsKeyId)
      throw new Error(`${name} is Complete and ${object} is under ${kmsKeyId}`);
  }
  const entries = nodes.flatMap((node) => node.entries);
  for (const entry of entries.filter(({ socket }) => claim.sockets.includes(socket.config.name))) {
    const other = entry.mayStoreUnder(now).find(({ kmsKeyId }) => kmsKeyId !== claim.kmsKeyId);
    if (other !== undefined)
      throw new Error(
        `${name} is Complete and ${entry.resource} may still be stored under ${other.kmsKeyId}`,
      );
  }
}
