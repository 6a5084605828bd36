import { createHash } from "node:crypto";
import { type KeyId, parseKeyId } from "../../crypto/ids.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { RawRow } from "../sqlite.ts";
import { text } from "./columns.ts";
import { named, type ReadRows, readRows } from "./read-rows.ts";
import type { Sql } from "./sql.ts";

/** A key policy by its digest: equal policies have equal digests. */
export interface PolicyStamp {
  /** The key that the policy was recorded for: the name may have passed to another key since. */
  readonly keyId: KeyId;
  readonly digest: string;
}

/** The key policy of a MasterKey. */
export interface KeyPolicy extends ObjectName, PolicyStamp {
  /** The document in JSON; undefined if it was too long to be kept, which allows nothing. */
  readonly document: string | undefined;
}

/** Returns the digest by which a document is compared. */
export const policyDigest = (document: string | undefined): string =>
  document === undefined ? "too long" : createHash("sha256").update(document).digest("base64url");

const toStamp = (row: RawRow): PolicyStamp => ({
  keyId: parseKeyId(text(row, "key_id")),
  digest: text(row, "digest"),
});

/** Reads the stamps of all policies, by NAMESPACE/NAME. */
export const readPolicyStamps = (rows: readonly RawRow[]): ReadRows<PolicyStamp & ObjectName> =>
  readRows(
    rows,
    (row) => ({ namespace: text(row, "namespace"), name: text(row, "name"), ...toStamp(row) }),
    named("the key policy of MasterKey"),
  );

/** Returns stamps by NAMESPACE/NAME. */
export const stampsByName = (
  stamps: readonly (PolicyStamp & ObjectName)[],
): ReadonlyMap<string, PolicyStamp> => new Map(stamps.map((stamp) => [nameText(stamp), stamp]));

/** A name's policy as a reader finds it. Without `stamp` the name has the default policy, if all policies are recorded. */
export interface FoundStamp {
  /** True if the keyring has had the policies of all keys once. */
  readonly areRecorded: boolean;
  readonly stamp: PolicyStamp | undefined;
}

/** A query for the stamp of a name, by namespace and name. It is one statement, so that both facts are as of one moment. */
export const SELECT_STAMP = `
  SELECT key_id, digest, EXISTS (SELECT 1 FROM followed_kinds WHERE kind = 'KeyPolicy') AS recorded
  FROM (SELECT 1) LEFT JOIN key_policies ON namespace = ? AND name = ?`;

/** Returns the stamp that SELECT_STAMP has found. Throws KeyringCorrupt if it cannot be read. */
export const toFoundStamp = (row: RawRow): FoundStamp => ({
  areRecorded: row.recorded === 1,
  stamp: row.key_id === null ? undefined : toStamp(row),
});

/** Returns the policy of a name; undefined if it has none of its own. Throws KeyringCorrupt if it cannot be read. */
export function keyPolicyOf(sql: Pick<Sql, "all">, { namespace, name }: ObjectName): KeyPolicy | undefined {
  const [row] = sql.all("SELECT * FROM key_policies WHERE namespace = ? AND name = ?", namespace, name);
  if (row === undefined) return undefined;
  const document = row.document === null ? undefined : text(row, "document");
  return { namespace, name, ...toStamp(row), document };
}

/** Stores the policy of a name, in place of its former one. */
export const putKeyPolicy = (sql: Sql, { namespace, name, keyId, digest, document }: KeyPolicy): number =>
  sql.run(
    "INSERT OR REPLACE INTO key_policies VALUES (?, ?, ?, ?, ?)",
    ...[namespace, name, keyId, digest, document ?? null],
  );

/** Removes the policy of a name: it has the default policy from now on. */
export const removeKeyPolicy = (sql: Sql, { namespace, name }: ObjectName): number =>
  sql.run("DELETE FROM key_policies WHERE namespace = ? AND name = ?", namespace, name);
