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
