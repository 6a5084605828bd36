import { ClavigerError, messageOf } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { type List, someObject } from "../rewrite/metadata-pages.ts";
import { collectionPathOf } from "../served/api-resources.ts";
import type { ApiResource, StoredName } from "../served/discovery.ts";
import { groupResourceText } from "../served/group-resource.ts";
import type { EtcdReader } from "./etcd-scan.ts";
import { pathsOf } from "./storage-key.ts";

/**
 * An etcd and a prefix in it. A count in the wrong etcd finds nothing, and that must not count as proof. So
 * before a count is used as proof, the functions of this file check that the API servers store in this etcd.
 */
export interface EtcdAt {
  readonly etcd: EtcdReader;
  /** The API servers' --etcd-prefix. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** An object that is written all the time, as the API server returns it. */
export interface Witness {
  /** Its etcd key without the prefix: `leases/claviger-system/claviger-node-a`. */
  readonly path: string;
  /**
   * Reads its resourceVersion from the API server, past every cache; undefined if the object does not exist.
   */
  readonly read: () => Promise<string | undefined>;
}

const WHAT_TO_DO =
  "check etcd.endpoints and etcd.prefix against the API server's --etcd-servers and --etcd-prefix";

/** Rejects with Etcd if no API server has ever stored anything under the prefix. */
export async function mustHoldCluster({ etcd, prefix, signal }: EtcdAt): Promise<void> {
  if ((await revisionOf({ etcd, prefix, signal }, "namespaces/default")) !== undefined) return;
  throw new ClavigerError("Etcd", `etcd has no cluster under ${prefix}: ${WHAT_TO_DO}`);
}

/**
 * Rejects with Etcd unless this is the etcd of the API server from which the witness was read. The witness's
 * revision in etcd, read between two reads from the API server, must lie between theirs. A resourceVersion is
 * etcd's revision of the write (kube-apiserver, storage/etcd3), so neither another cluster's etcd nor an old
 * copy of this etcd can have it.
 */
export async function mustBeEtcdOf(witness: Witness, at: EtcdAt): Promise<void> {
  const before = await readWitness(witness);
  const here = await revisionOf(at, witness.path);
  const after = await readWitness(witness);
  if (here !== undefined && before <= here && here <= after) return;
  const found = here === undefined ? "lacks it" : `has it at revision ${here}`;
  throw new ClavigerError(
    "Etcd",
    `this is not the API server's etcd: the API server has ${witness.path} at resourceVersion ${after}, and etcd under ${at.prefix} ${found}; ${WHAT_TO_DO}`,
  );
}

/** A listed object may be deleted before it is looked up in etcd. */
const LOOKS = 3;

/**
 * Rejects with Etcd if the API server lists an object of one of these resources and etcd lacks it: then the
 * resource is kept in another etcd (kube-apiserver's --etcd-servers-overrides). Resources that may not be
 * listed are skipped.
 */
export async function mustBeStoredHere(
  resources: readonly ApiResource[],
  list: List,
  at: EtcdAt,
): Promise<void> {
  for (const resource of resources) {
    if (await isStoredHere(resource, list, at)) continue;
    const text = groupResourceText(resource);
    throw new ClavigerError(
      "Etcd",
      `the API server has ${text} that are not in this etcd, as with --etcd-servers-overrides: nothing is proven of ${text}; claviger counts in one etcd only`,
    );
  }
}

/** Returns true also if there are no objects, or if they may not be listed. */
async function isStoredHere(resource: ApiResource, list: List, at: EtcdAt): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    const object = await anyObject(resource, list);
    if (object === undefined) return true;
    const name = [object.namespace, object.name].filter((part) => part !== undefined).join("/");
    const revisions = await Promise.all(pathsOf(resource).map((path) => revisionOf(at, path + name)));
    if (revisions.some((revision) => revision !== undefined)) return true;
  }
  return false;
}

async function readWitness({ path, read }: Witness): Promise<number> {
  const resourceVersion = await read();
  if (resourceVersion !== undefined && /^[0-9]+$/.test(resourceVersion)) return Number(resourceVersion);
  const found =
    resourceVersion === undefined ? "does not exist yet" : `has resourceVersion ${resourceVersion}`;
  throw new ClavigerError(
    "Etcd",
    `cannot check that etcd.endpoints is the API server's etcd: ${path} ${found}; retrying`,
  );
}

/** Returns the revision of the last write of a key, or undefined if the key does not exist. */
async function revisionOf({ etcd, prefix, signal }: EtcdAt, path: string): Promise<number | undefined> {
  const key = Buffer.from(`${prefix}/${path}`);
  const page = await etcd.range({ key, rangeEnd: ONE_KEY, limit: 1, revision: 0 }, signal);
  if (page.kind !== "page")
    throw new ClavigerError("Internal", `etcd answers a read of ${path} by ${page.kind}`);
  return page.entries[0]?.modRevision;
}

/** A range without an end is one key. */
const ONE_KEY = Buffer.alloc(0);

async function anyObject(resource: ApiResource, list: List): Promise<StoredName | undefined> {
  try {
    return await someObject(list, resource);
  } catch (error) {
    // There is no right to list the resource, or the resource was removed meanwhile.
    if (error instanceof KubeError && (error.httpStatus === 403 || error.httpStatus === 404))
      return undefined;
    throw new ClavigerError(
      "Etcd",
      `cannot check that ${collectionPathOf(resource)} are stored in this etcd: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
