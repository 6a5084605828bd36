import type { AliasRow, VersionRow } from "../../keyring/rows.ts";
import { nameText, servedAlias } from "../../names.ts";
import type { MasterKey } from "../../resources/resources.ts";

/** A version, or the remains of a destroyed version. */
type Known = Pick<VersionRow, "versionId" | "keyId" | "origin" | "masterKey">;

/**
 * Keeps the keys that this node's providers serve from moving to imported material. Whoever imported it may
 * know it, and so an editor of MasterKeys and KeyAliases could choose the key under which Secrets are
 * encrypted. A provider's `allowImported` turns this off.
 */
export class ImportedGuard {
  readonly #guarded: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;
  readonly #madeHere: ReadonlySet<string>;

  /**
   * `guarded` has the keys and aliases of providers without `allowImported` (keyRefText). `known` has every
   * version that this node holds, and every version of which it has a tombstone.
   */
  constructor(guarded: ReadonlySet<string>, aliases: readonly AliasRow[], known: Iterable<Known>) {
    this.#guarded = guarded;
    const throughAliases = aliases
      .filter((alias) => this.guardsAlias(nameText(alias)))
      .map(({ namespace, masterKey }) => nameText({ namespace, name: masterKey }));
    this.#names = new Set([...guarded, ...throughAliases]);
    const made = [...known].filter(({ origin }) => origin !== "EXTERNAL");
    this.#madeHere = new Set(made.map(({ masterKey }) => nameText(masterKey)));
  }

  guardsAlias(alias: string): boolean {
    return this.#guarded.has(servedAlias(alias));
  }

  /** Returns true if a provider serves this name, its material was claviger's own, and `next` is imported. */
  refuses(name: string, next: VersionRow | undefined, current: VersionRow | undefined): boolean {
    if (next?.origin !== "EXTERNAL" || current?.origin === "EXTERNAL") return false;
    return this.#names.has(name) && this.#madeHere.has(name);
  }
}

export const importedUnderName = ({ metadata }: MasterKey): string =>
  `MasterKey ${nameText({ namespace: metadata.namespace ?? "", name: metadata.name })} had material that claviger made and now has imported material: a provider of this node serves it and does not take that; ${REMEDY}`;

export const importedUnderAlias = (alias: AliasRow, served: string | undefined): string =>
  `KeyAlias ${nameText(alias)} points to ${alias.masterKey}, whose material is imported: a provider of this node serves the alias and does not take that${served === undefined ? "" : `, so ${served} continues to be served`}; ${REMEDY}`;

const REMEDY =
  "set allowImported to true on that provider, on every node, if whoever imported the material may know the key";
