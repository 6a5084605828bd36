import type { KeyId } from "../../crypto/ids.ts";
import type { AliasRow, KeyRow, VersionRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import { findIn } from "./indexed.ts";

/** The tables of the leader's own keyring that are used to check claims. */
export interface LeaderKeyring {
  keys(): readonly KeyRow[];
  aliases(): readonly AliasRow[];
  versions(): readonly VersionRow[];
}

/** Finds the row of a MasterKey, NAMESPACE/NAME. */
export const keyRowOf = (name: string, keyring: Pick<LeaderKeyring, "keys">): KeyRow | undefined =>
  findIn(keyring.keys(), name, nameText);

/**
 * Returns the keyId of a MasterKey, NAMESPACE/NAME, if its current version in the keyring is its own. Before the
 * first version nobody knows whose a keyId is.
 */
export function ownKeyId(name: string, keyring: Pick<LeaderKeyring, "keys" | "versions">): KeyId | undefined {
  const row = keyRowOf(name, keyring);
  const current = row?.current?.versionId ?? "";
  const version = findIn(keyring.versions(), current, ({ versionId }) => versionId);
  if (version === undefined || version.keyId !== row?.keyId) return undefined;
  return nameText(version.masterKey) === name ? version.keyId : undefined;
}
