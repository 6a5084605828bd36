import { isDeepStrictEqual } from "node:util";
import { hasMaterial } from "../../resources/versions.ts";
import type { ClusterModel } from "./cluster-model.ts";
import { KEY_NAMES, masterKeyOf } from "./etcd.ts";
import { type History, happened } from "./histories.ts";
import { BrokenPromise, type PromiseName } from "./promise-names.ts";

const KEPT = "in the end nothing is lost, and what was destroyed stays destroyed";
const DONE = "in the end everybody agrees and all that was asked for is done";
const ONCE = "in the end each rotation has made one version";

/** Lets everybody work until nothing changes any more, and checks the final state of the cluster. */
export function checkOutcome(cluster: ClusterModel, past: History): void {
  const held = cluster.nodes.flatMap(({ keyring }) => [...keyring.versions.keys()]);
  cluster.settle();
  checkNothingLost(cluster, held);
  if (!happened(past, "restore", "loseVersions", "recreate", "deleteAlias", "comeBackFromImage")) {
    const said = cluster.nodes.flatMap(({ contradictions }) => contradictions);
    must(DONE, said.length === 0, `a node contradicts the API server: ${said[0]}`);
  }
  for (const name of KEY_NAMES) checkDone(cluster, name, past.census);
  const { counts } = cluster.promises;
  counts.checked(KEPT);
  counts.checked(DONE);
  if (happened(past, "restore", "loseVersions", "recreate", "delete") || isHalfKnown(cluster)) return;
  for (const name of KEY_NAMES) {
    if (checkEveryRotationOnce(cluster, name) > 0) counts.checked(ONCE);
  }
}

function must(promise: PromiseName, holds: boolean, otherwise: string): void {
  if (!holds) throw new BrokenPromise(promise, otherwise);
}

/** Checks that destroyed versions stay destroyed, on every node. */
function checkNothingLost({ etcd, nodes, destroyed }: ClusterModel, held: readonly string[]): void {
  const everything = new Set<string>(etcd.versions.filter(hasMaterial).map(({ spec }) => spec.versionId));
  for (const id of held) must(KEPT, everything.has(id) || destroyed.has(id), `version ${id} is gone`);
  for (const { name, keyring } of nodes) {
    must(KEPT, sameSet(keyring.versions, everything), `${name} holds other versions than etcd`);
    must(KEPT, sameSet(keyring.tombstones, destroyed), `${name} knows of other destroyed versions`);
  }
}

const sameSet = (map: ReadonlyMap<string, unknown>, set: ReadonlySet<string>): boolean =>
  map.size === set.size && [...map.keys()].every((key) => set.has(key));

/** Checks that one version is served, every request is carried out, and stored data have followed. */
function checkDone({ etcd, nodes }: ClusterModel, name: string, census: boolean): void {
  const { spec, status } = masterKeyOf(etcd, name);
  const current = status?.currentVersion;
  must(DONE, current !== undefined, `${name} has no current version`);
  // A name's keyId, or an alias's key, that a restored etcd has and the nodes have left, is reported and not
  // followed.
  if (nodes.some(({ contradictions }) => contradictions.length > 0)) return;
  for (const { name: node, keyring, sockets } of nodes) {
    const same = keyring.key(`apps/${name}`)?.current?.versionId === current?.versionId;
    must(DONE, same, `${node} has another current version of ${name}`);
    // A KeyAlias that was deleted continues to be served.
    const target = etcd.alias?.status?.masterKey ?? keyring.alias("apps/main")?.masterKey;
    const serving = sockets.filter(({ config: { ref } }) =>
      "key" in ref ? ref.key.name === name : target === name,
    );
    const follow = serving.every((socket) => socket.serving?.kmsKeyId === current?.kmsKeyId);
    must(DONE, follow, `${node} serves another version of ${name}`);
  }
  // Somebody has to say which key such an alias belongs to, by creating it again.
  if (isHalfKnown({ etcd, nodes })) return;
  must(DONE, status?.rotation?.running === undefined, `a rotation of ${name} never ends`);
  const handled = isDeepStrictEqual(status?.rotation?.handledToken, spec.rotation?.requestToken);
  must(DONE, handled, `a rotation of ${name} that was asked for never began`);
  const stored = nodes.some(({ sockets }) =>
    sockets.some(({ serving }) => serving?.kmsKeyId === current?.kmsKeyId),
  );
  const { phase, verified } = status?.reencryption ?? {};
  const expected = stored ? ["Complete", census] : [undefined, undefined];
  const isDone = isDeepStrictEqual([phase, verified], expected);
  must(DONE, isDone, `the re-encryption of ${name} ends as ${phase}, ${verified ? "" : "not "}verified`);
}

/**
 * Returns true if an alias was deleted before all nodes knew of it, or of its target: each continues to serve
 * it as it knows it.
 */
function isHalfKnown({ etcd, nodes }: Pick<ClusterModel, "etcd" | "nodes">): boolean {
  const targets = new Set(nodes.map(({ keyring }) => keyring.alias("apps/main")?.masterKey));
  return etcd.alias === undefined && targets.size > 1;
}

/** Returns how many rotations there were. */
function checkEveryRotationOnce({ etcd }: ClusterModel, name: string): number {
  const numbers = new Set(etcd.begun.filter(({ key }) => key === name).map(({ number }) => number));
  const { number } = masterKeyOf(etcd, name).status?.currentVersion ?? {};
  must(
    ONCE,
    number === 1 + numbers.size,
    `${name} ends at version ${number} after ${numbers.size} rotations`,
  );
  return numbers.size;
}
