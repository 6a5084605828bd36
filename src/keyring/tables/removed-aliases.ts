import { nameText, type ObjectName } from "../../names.ts";
import type { AliasRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import type { Sql } from "./sql.ts";

export const toRemovedAlias = (row: RawRow): ObjectName => ({
  namespace: String(row.namespace),
  name: String(row.name),
});

/** A KeyAlias, and the MasterKey that it points to once it was accepted. */
export interface LivingAlias extends ObjectName {
  readonly masterKey?: string | undefined;
}

/**
 * Records which aliases of the keyring have no KeyAlias any more. Their rows stay, because the API server may
 * still need them; applications do not find them. An alias that was created again is found once its row has its
 * new target.
 */
export function recordRemovedAliases(
  keyring: Sql,
  rows: readonly AliasRow[],
  living: readonly LivingAlias[],
): void {
  const removed = new Set(keyring.all("SELECT * FROM removed_aliases").map(toRemovedAlias).map(nameText));
  const targets = new Map(living.map((alias) => [nameText(alias), alias.masterKey]));
  for (const row of rows) {
    const { namespace, name, masterKey } = row;
    const text = nameText(row);
    if (!targets.has(text) && !removed.has(text))
      keyring.run("INSERT INTO removed_aliases VALUES (?, ?)", namespace, name);
    if (removed.has(text) && targets.get(text) === masterKey)
      keyring.run("DELETE FROM removed_aliases WHERE namespace = ? AND name = ?", namespace, name);
  }
}
