import type { NodeConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import { readEncryptionConfig } from "../encryption-config/encryption-config.ts";
import { mustHoldCluster } from "../etcd/etcd-identity.ts";
import { openEtcd } from "../etcd/open-etcd.ts";
import { type StoredNames, storedNames } from "../etcd/stored-value.ts";
import { type Census, type CensusOptions, takeCensus } from "./census.ts";
import { type CensusScope, censusScope, scopeOf } from "./census-scope.ts";

export interface NodeCensusOptions extends Omit<CensusOptions, "prefix" | "names"> {
  /**
   * Counts every resource, not only those that the EncryptionConfiguration stores through this node's
   * sockets.
   */
  readonly all?: boolean;
}

/**
 * Takes a census by a node's configuration: `etcd` says where, and `encryptionConfig` says what is stored
 * through the node's providers. Both files are read again at each call. Rejects with ConfigInvalid, with
 * Etcd, or with the signal's reason.
 */
export async function censusOfNode(config: NodeConfig, options: NodeCensusOptions): Promise<Census> {
  if (config.etcd === undefined) throw missing(config, "etcd");
  const scope = options.all === true ? scopeOf(["*.*"]) : nodeScope(config);
  const { prefix } = config.etcd;
  const etcd = await openEtcd(config.etcd);
  try {
    await mustHoldCluster({ etcd, prefix, signal: options.signal });
    return await takeCensus(etcd, scope, { ...options, prefix, names: namesOf(config) });
  } finally {
    etcd.close();
  }
}

/**
 * Returns the counts by key_id of a census of everything. Throws Etcd if not all objects could be counted.
 */
export function countsByKeyId({ rows, unlisted }: Census): (kmsKeyId: string) => number {
  if (unlisted > 0) {
    throw new ClavigerError(
      "Etcd",
      `etcd has too many kinds of values: ${unlisted} objects were not counted`,
    );
  }
  const counts = new Map<string, number>();
  for (const { stored, objects } of rows) {
    if (stored.kind === "kms-v2") counts.set(stored.keyId, (counts.get(stored.keyId) ?? 0) + objects);
  }
  return (kmsKeyId) => counts.get(kmsKeyId) ?? 0;
}

/**
 * Returns the same counts if no API server can tell whose etcd it is (standalone). At least one object must
 * then be stored under a key_id of this node. Throws Etcd if none is.
 */
export function countsOfOwnEtcd(census: Census, own: Iterable<string>): (kmsKeyId: string) => number {
  const counts = countsByKeyId(census);
  for (const kmsKeyId of own) if (counts(kmsKeyId) > 0) return counts;
  throw new ClavigerError(
    "Etcd",
    "nothing in this etcd is stored under a key of this node, so that it may be another cluster's: check etcd.endpoints and etcd.prefix",
  );
}

/**
 * Returns the scope of what the API server next to this node stores through its sockets. Throws ConfigInvalid
 * if that is nothing.
 */
export function nodeScope(config: NodeConfig): CensusScope {
  if (config.encryptionConfig === undefined) throw missing(config, "encryptionConfig");
  const encryption = readEncryptionConfig(config.encryptionConfig);
  const scope = censusScope(
    encryption,
    config.providers.map(({ socket }) => socket),
  );
  if (scope.some(({ counted }) => counted)) return scope;
  throw new ClavigerError(
    "ConfigInvalid",
    `EncryptionConfiguration ${encryption.path} has no kms v2 provider whose endpoint is a socket of this node; compare its endpoints with providers[].socket`,
  );
}

/** Empty if the file cannot be read: a census of everything works without it. */
function namesOf({ encryptionConfig }: NodeConfig): StoredNames {
  if (encryptionConfig === undefined) return new Map();
  try {
    return storedNames(readEncryptionConfig(encryptionConfig));
  } catch (error) {
    if (error instanceof ClavigerError) return new Map();
    throw error;
  }
}

const missing = ({ path }: NodeConfig, field: "etcd" | "encryptionConfig"): ClavigerError =>
  new ClavigerError(
    "ConfigInvalid",
    `configuration ${path}: ${field} is needed for a census; docs/reference.md has it`,
  );
