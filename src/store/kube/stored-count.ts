import { oneLine } from "../../printable.ts";
import { MOST_STRAYS } from "../../resources/schemas/reencryption.ts";
import { type Census, isKeptPlain } from "../../storage/census/census.ts";
import type { CensusRow } from "../../storage/census/census-tally.ts";
import type { StoredCount, Strays } from "../../storage/stored-objects.ts";

/** Longer than any name in Kubernetes; whoever writes to etcd can create a key of any bytes. */
const LONGEST_NAME = 300;

/**
 * Returns the name of the provider by which the API server stores a resource; undefined if it is not known.
 */
export type WriterName = (resource: string) => string | undefined;

/**
 * Counts and names the objects of a census that are not under a key_id, or that are under it by another
 * provider's name than the API server writes: it reads a value by that name only.
 */
export function storedCount(
  { rows, unlisted, revision }: Census,
  kmsKeyId: string,
  writerName: WriterName = () => undefined,
): StoredCount {
  const isWritten = ({ resource, stored }: CensusRow) =>
    stored.kind === "kms-v2" &&
    stored.keyId === kmsKeyId &&
    stored.provider === (writerName(resource) ?? stored.provider);
  const left = rows.filter((row) => !isKeptPlain(row.resource, row.stored) && !isWritten(row));
  return {
    remaining: left.reduce((sum, { objects }) => sum + objects, unlisted),
    strays: left.flatMap(straysOf).slice(0, MOST_STRAYS),
    revision,
  };
}

const straysOf = (row: CensusRow): Strays =>
  row.examples.map((example) => {
    const slash = example.indexOf("/");
    return {
      resource: shown(row.resource),
      ...(slash > 0 && { namespace: shown(example.slice(0, slash)) }),
      name: shown(example.slice(slash + 1)),
      under: shown(underText(row.stored)),
    };
  });

const shown = (text: string): string => oneLine(text.slice(0, LONGEST_NAME), LONGEST_NAME).slice(0, 1_024);

/** Describes in words how a value is stored. */
function underText(stored: CensusRow["stored"]): string {
  switch (stored.kind) {
    case "plain":
      return "plain";
    case "kms-v2":
      return `key_id ${stored.keyId}, provider ${stored.provider}`;
    case "kms-v1":
      return `kms v1, provider ${stored.provider}`;
    case "aescbc":
    case "aesgcm":
    case "secretbox":
      return `${stored.kind}, key ${stored.keyName}`;
    case "damaged":
      return "damaged";
  }
}
