import { nameText, type ObjectName } from "../../names.ts";
import type { RawRow } from "../sqlite.ts";
import type { Sql } from "./sql.ts";

/** A KeyAlias through which a provider served the imported material of a MasterKey in the same namespace. */
export interface ServedImport {
  readonly alias: ObjectName;
  readonly masterKey: string;
}

export const servedImportText = ({ alias, masterKey }: ServedImport): string =>
  `${nameText(alias)} ${masterKey}`;

export const toServedImport = (row: RawRow): ServedImport => ({
  alias: { namespace: String(row.namespace), name: String(row.alias) },
  masterKey: String(row.master_key),
});

/** Records these served imports in the keyring, which stays intact in a power cut. */
export function recordServedImports(keyring: Sql, served: readonly ServedImport[]): void {
  if (served.length === 0) return;
  const known = new Set(
    keyring.all("SELECT * FROM served_imports").map(toServedImport).map(servedImportText),
  );
  for (const one of served.filter((candidate) => !known.has(servedImportText(candidate)))) {
    const { alias, masterKey } = one;
    keyring.run("INSERT INTO served_imports VALUES (?, ?, ?)", alias.namespace, alias.name, masterKey);
  }
}
