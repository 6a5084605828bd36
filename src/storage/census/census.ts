import { ClavigerError } from "../../errors.ts";
import { type EtcdReader, scan } from "../etcd/etcd-scan.ts";
import { storedObject } from "../etcd/storage-key.ts";
import { type StoredNames, storedValue } from "../etcd/stored-value.ts";
import { type CensusScope, inScope, scopePaths } from "./census-scope.ts";
import { type CensusRow, CensusTally } from "./census-tally.ts";

/** How the objects of a scope are stored in etcd, all as of one revision. */
export interface Census {
  /** etcd's revision: what was written after it is not in the census. */
  readonly revision: number;
  readonly objects: number;
  readonly rows: readonly CensusRow[];
  /** Objects that are in no row, as there are too many kinds; 0 but where somebody fills etcd on purpose. */
  readonly unlisted: number;
}

export interface CensusOptions {
  /** The API servers' --etcd-prefix. */
  readonly prefix: string;
  readonly signal: AbortSignal;
  /** Called now and then with the objects that are counted so far; it goes back where the census begins anew. */
  readonly onProgress?: (objects: number) => void;
  /** Named objects of each row; 5 if left out. */
  readonly examples?: number;
  /** The names with colons that the EncryptionConfiguration has; without them, such a name is cut. */
  readonly names?: StoredNames;
}

const EXAMPLES = 5;
const ROWS = 10_000;
/** API servers compact every 5 minutes and keep at least as much; a census takes seconds per 100,000 keys. */
const ATTEMPTS = 3;

/**
 * Reads every object of a scope from etcd and counts by resource, provider and
 * key_id. Begins anew where etcd compacts its revision. Its memory does not grow
 * with the number of objects. Rejects with an Etcd error, or the signal's reason.
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

/** The key_id that each provider encrypts under, by the provider's name. */
export type ExpectedKeyIds = ReadonlyMap<string, string>;

/** The rows whose objects still have to be written again: under another key_id, by something else, or plain. */
export function staleRows(census: Census, expected: ExpectedKeyIds): readonly CensusRow[] {
  return census.rows.filter(
    ({ resource, stored }) =>
      !isKeptPlain(resource, stored) &&
      (stored.kind !== "kms-v2" || expected.get(stored.provider) !== stored.keyId),
  );
}

/**
 * Whether something is as API servers always keep it: what they have for themselves
 * goes past the EncryptionConfiguration, wildcards included (kube-apiserver 1.37,
 * StorageFactory.NewConfig gives no transformer).
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

/** Whether everything that was counted is stored under the key_ids that its providers encrypt under. */
export function isClean(census: Census, expected: ExpectedKeyIds): boolean {
  return census.unlisted === 0 && staleRows(census, expected).length === 0;
}
