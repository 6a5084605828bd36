import { ClavigerError } from "../../errors.ts";
import { type EtcdReader, scan } from "../etcd/etcd-scan.ts";
import { storedObject } from "../etcd/storage-key.ts";
import { type StoredNames, storedValue } from "../etcd/stored-value.ts";
import { type CensusScope, inScope, scopePaths } from "./census-scope.ts";
import { type CensusRow, CensusTally } from "./census-tally.ts";

/** A count of how the objects of a scope are stored in etcd, all as of one revision. */
export interface Census {
  /** etcd's revision. Later writes are not in the census. */
  readonly revision: number;
  readonly objects: number;
  readonly rows: readonly CensusRow[];
  /** Objects in no row, because there are too many kinds. It is 0 unless somebody fills etcd on purpose. */
  readonly unlisted: number;
}

export interface CensusOptions {
  /** The API servers' --etcd-prefix. */
  readonly prefix: string;
  readonly signal: AbortSignal;
  /**
   * Called from time to time with the number of objects counted so far. The number goes back if the census
   * starts again.
   */
  readonly onProgress?: (objects: number) => void;
  /** The number of named objects in each row; 5 if left out. */
  readonly examples?: number;
  /**
   * The names in the EncryptionConfiguration that have colons. A name that is not given here is cut at its
   * first colon.
   */
  readonly names?: StoredNames;
}

const EXAMPLES = 5;
const ROWS = 10_000;
/**
 * API servers compact every 5 minutes and keep at least 5 minutes of history; a census takes seconds per
 * 100,000 keys.
 */
const ATTEMPTS = 3;

/**
 * Reads every object of a scope from etcd and counts by resource, provider and key_id. Starts again if etcd
 * compacts its revision. Its memory does not grow with the number of objects. Rejects with an Etcd error, or
 * with the signal's reason.
 */
export async function takeCensus(
  etcd: EtcdReader,
  scope: CensusScope,
  options: CensusOptions,
): Promise<Census> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const census = await attemptCensus(etcd, scope, options);
    if (census !== "compacted") return census;
  }
  throw new ClavigerError(
    "Etcd",
    `etcd compacted the revision of the census ${ATTEMPTS} times before it was done: try again, at an etcd that is less busy or with a longer --etcd-compaction-interval of the API servers`,
  );
}

async function attemptCensus(
  etcd: EtcdReader,
  scope: CensusScope,
  { prefix, signal, onProgress, examples = EXAMPLES, names }: CensusOptions,
): Promise<Census | "compacted"> {
  const tally = new CensusTally({ examples, rows: ROWS });
  const root = `${prefix}/`;
  let revision = 0;
  for (const path of scopePaths(scope)) {
    const outcome = await scan(etcd, `${root}${path}`, {
      revision,
      signal,
      visit: ({ key, value }) => {
        const object = storedObject(key.toString("utf8", root.length));
        if (inScope(scope, object)) tally.add(object, storedValue(value, names));
      },
      onPage: () => onProgress?.(tally.objects),
    });
    if (outcome.kind === "compacted") return "compacted";
    revision = outcome.revision;
  }
  return { revision, objects: tally.objects, rows: tally.rows(), unlisted: tally.unlisted };
}

/** Maps each provider's name to the key_id under which it encrypts. */
export type ExpectedKeyIds = ReadonlyMap<string, string>;

/**
 * Returns the rows whose objects must still be rewritten, because they are under another key_id, under
 * another provider, or plain.
 */
export function staleRows(census: Census, expected: ExpectedKeyIds): readonly CensusRow[] {
  return census.rows.filter(
    ({ resource, stored }) =>
      !isKeptPlain(resource, stored) &&
      (stored.kind !== "kms-v2" || expected.get(stored.provider) !== stored.keyId),
  );
}

/**
 * Returns true if API servers always keep the resource plain. They store their internal objects without the
 * EncryptionConfiguration, wildcards included (kube-apiserver 1.37, StorageFactory.NewConfig gives no
 * transformer).
 */
export function isKeptPlain(resource: string, { kind }: CensusRow["stored"]): boolean {
  return kind === "plain" && INTERNAL.has(resource);
}

const INTERNAL = new Set([
  "apiserveripinfo",
  "apiserverpeeripinfo",
  "serviceipallocations",
  "servicenodeportallocations",
]);

/**
 * Returns true if everything that was counted is stored under the key_ids under which its providers encrypt.
 */
export function isClean(census: Census, expected: ExpectedKeyIds): boolean {
  return census.unlisted === 0 && staleRows(census, expected).length === 0;
}
