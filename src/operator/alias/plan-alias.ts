import type { KeyringChange } from "../../keyring/changes.ts";
import type { AliasRow, FormerTarget, KeyRow, VersionRow } from "../../keyring/rows.ts";
import { leftAt } from "../../keyring/tables/former-targets.ts";
import { nameText } from "../../names.ts";
import type { KeyAlias } from "../../resources/resources.ts";
import { isAlike } from "../../resources/versions.ts";
import { type ImportedGuard, importedUnderAlias } from "./imported-guard.ts";

/** A key that encrypts: its current version, and the version's row if this node can read it. */
export interface WithCurrent extends Pick<KeyRow, "keyId"> {
  readonly current: NonNullable<KeyRow["current"]>;
  readonly version: VersionRow | undefined;
}

/**
 * Returns the keys that have a current version once `changes` are made, by name. `have` are the versions at
 * that time.
 */
export function currentsAfter(
  keys: readonly KeyRow[],
  changes: readonly KeyringChange[],
  have: ReadonlyMap<string, VersionRow>,
): ReadonlyMap<string, WithCurrent> {
  const already = keys.flatMap(({ current, ...key }) =>
    current === undefined
      ? []
      : [[nameText(key), { ...key, current, version: have.get(current.versionId) }] as const],
  );
  const soon = changes.flatMap((change) => {
    if (change.kind !== "setCurrent") return [];
    const { version } = change;
    return [[nameText(change.key), { keyId: version.keyId, current: version, version }] as const];
  });
  return new Map<string, WithCurrent>([...already, ...soon]);
}

export interface AliasPlan {
  readonly changes: readonly KeyringChange[];
  readonly contradictions: readonly string[];
}

const STAYS: AliasPlan = { changes: [], contradictions: [] };

/**
 * Plans the move of an alias. Watches of two kinds arrive in any order, so an alias moves once its new target
 * can encrypt here. `aliases` are this node's, by name.
 */
export function planAlias(
  { metadata, status }: KeyAlias,
  aliases: ReadonlyMap<string, AliasRow>,
  currents: ReadonlyMap<string, WithCurrent>,
  guard: ImportedGuard,
): AliasPlan {
  if (status?.masterKey === undefined) return STAYS;
  const alias = { namespace: metadata.namespace ?? "", name: metadata.name, masterKey: status.masterKey };
  const row = aliases.get(nameText(alias));
  if (row?.masterKey === alias.masterKey) return STAYS;
  const target = currents.get(nameText({ namespace: alias.namespace, name: alias.masterKey }));
  if (guard.guardsAlias(nameText(alias))) {
    // Only the version says if the material is imported, so the alias waits for it.
    if (target?.version === undefined) return STAYS;
    if (target.version.origin === "EXTERNAL")
      return { changes: [], contradictions: [importedUnderAlias(alias, row?.masterKey)] };
  }
  if (row === undefined) return { changes: [{ kind: "putAlias", alias }], contradictions: [] };
  if (target === undefined) return STAYS;
  const left = leftAt(row.formerTargets, target);
  if (left !== undefined) return { changes: [], contradictions: [wouldReturn(row, alias, left)] };
  const served = currents.get(nameText({ namespace: alias.namespace, name: row.masterKey }))?.version;
  if (served !== undefined && target.version !== undefined && !isAlike(served, target.version)) {
    return { changes: [], contradictions: [otherKind(row, alias)] };
  }
  return { changes: [{ kind: "putAlias", alias }], contradictions: [] };
}

const otherKind = (row: AliasRow, { masterKey }: AliasRow): string =>
  `KeyAlias ${nameText(row)} moves from ${row.masterKey} to ${masterKey}, which is another kind of key: this node serves ${row.masterKey} on`;

const wouldReturn = (row: AliasRow, { masterKey }: AliasRow, { number }: FormerTarget): string =>
  `KeyAlias ${nameText(row)} points back to ${masterKey}, which this node left at version ${number}: it serves ${row.masterKey} on, as a key_id must not return; ${masterKey} needs a later version first`;
