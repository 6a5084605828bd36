import { ClavigerError } from "../../errors.ts";
import { nameText } from "../../names.ts";
import type { AliasRow, KeyRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { text } from "./columns.ts";
import { formatFormerTargets, leftAt, mergeFormerTargets, parseFormerTargets } from "./former-targets.ts";
import { keyOf } from "./keys.ts";
import { named, type ReadRows, readRows } from "./read-rows.ts";
import type { Sql } from "./sql.ts";

export function toAliasRow(row: RawRow): AliasRow {
  const { former_targets: former } = row;
  const formerTargets = typeof former === "string" ? parseFormerTargets(former) : [];
  return {
    namespace: text(row, "namespace"),
    name: text(row, "name"),
    masterKey: text(row, "master_key"),
    ...(formerTargets.length > 0 && { formerTargets }),
  };
}

export const readAliasRows = (rows: readonly RawRow[]): ReadRows<AliasRow> =>
  readRows(rows, toAliasRow, named("KeyAlias"));

/** Points an alias, and records the key that it leaves. Throws Internal if the alias would bring a key_id back. */
export function putAlias(sql: Sql, alias: AliasRow): void {
  const { namespace, name, masterKey } = alias;
  const { rows, unreadable } = readAliasRows(
    sql.all("SELECT * FROM aliases WHERE namespace = ? AND name = ?", namespace, name),
  );
  if (unreadable.length > 0) return;
  const [stored] = rows;
  const left = stored && keyOf(sql, { namespace, name: stored.masterKey });
  const target = keyOf(sql, { namespace, name: masterKey });
  const moves = stored !== undefined && stored.masterKey !== masterKey;
  if (moves && target !== undefined) refuseReturn(stored, target);
  const former = mergeFormerTargets(stored?.formerTargets ?? [], [
    ...(alias.formerTargets ?? []),
    ...(moves && left?.current && left.keyId !== target?.keyId
      ? [{ keyId: left.keyId, ...left.current }]
      : []),
  ]);
  sql.run(
    `INSERT INTO aliases (namespace, name, master_key, former_targets) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET master_key = excluded.master_key, former_targets = excluded.former_targets`,
    namespace,
    name,
    masterKey,
    formatFormerTargets(former),
  );
}

function refuseReturn(alias: AliasRow, target: KeyRow): void {
  const left = leftAt(alias.formerTargets, target);
  if (left === undefined) return;
  throw new ClavigerError(
    "Internal",
    `alias ${nameText(alias)} cannot point back to ${nameText(target)}, which it left at version ${left.number}: a key_id must not return`,
  );
}
