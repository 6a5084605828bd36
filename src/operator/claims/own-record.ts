import type { VersionIdentity, VersionRow } from "../../keyring/rows.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { bindingOf } from "../../resources/key-version-rows.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { isForeignKeyId, type Owners, ownersOf } from "./owners.ts";

interface Recorded extends VersionIdentity, Pick<VersionRow, "validTo" | "ownership"> {
  readonly destroyed: boolean;
}

/** A keyring gives the same list of versions until one of them changes or is destroyed. */
type Recorder = Pick<KeyringWriter, "versions" | "tombstones">;
const latest = new WeakMap<
  Recorder,
  { readonly versions: readonly VersionRow[]; readonly record: OwnRecord }
>();

/**
 * What this node's own keyring says of the versions in a view. What the API server says of them
 * is a claim of whoever may write KeyVersions: the record tells whose they are.
 */
export class OwnRecord {
  readonly #versions: ReadonlyMap<string, Recorded>;
  readonly #owners: Owners;
  /** keyIds of which a version was destroyed. */
  readonly #destroyed: ReadonlySet<string>;

  constructor(versions: readonly VersionRow[], tombstones: readonly VersionIdentity[]) {
    this.#versions = new Map<string, Recorded>([
      ...tombstones.map((row) => [row.versionId, { ...row, destroyed: true }] as const),
      ...versions.map((row) => [row.versionId, { ...withoutMaterial(row), destroyed: false }] as const),
    ]);
    this.#owners = ownersOf(this.#versions.values());
    this.#destroyed = new Set(tombstones.map(({ keyId }) => keyId));
  }

  /** The record of a keyring, made once for each state of its versions: whoever asks in between gets the same one. */
  static of(keyring: Recorder): OwnRecord {
    const versions = keyring.versions();
    const known = latest.get(keyring);
    if (known?.versions === versions) return known.record;
    const record = new OwnRecord(versions, keyring.tombstones());
    latest.set(keyring, { versions, record });
    return record;
  }

  /**
   * "own": on record as just this; "foreign": on record as another key's, number or owner, or as a version that
   * was not destroyed where this is a tombstone; "unknown": not on record yet.
   */
  verdict(version: KeyVersion): "own" | "foreign" | "unknown" {
    const { spec } = version;
    const mine = this.#versions.get(spec.versionId);
    if (mine === undefined) return "unknown";
    // A node that believes a tombstone has no material of it any more.
    if (!hasMaterial(version) && !mine.destroyed) return "foreign";
    const same =
      mine.keyId === spec.keyId &&
      mine.number === spec.number &&
      nameText(mine.masterKey) === nameText(spec.masterKey);
    return same ? "own" : "foreign";
  }

  /** Whether a KeyVersion is no other than the one on record, if there is one. */
  readonly bears = (version: KeyVersion): boolean => this.verdict(version) !== "foreign";

  /** The version with the validTo and the ownership proof that are on record. */
  asRecorded(version: KeyVersion): KeyVersion {
    const mine = this.#versions.get(version.spec.versionId);
    if (mine === undefined) return version;
    const { validTo: _, ownership: __, ...spec } = version.spec;
    return { ...version, spec: { ...spec, ...bindingOf(mine) } };
  }

  /**
   * The MasterKeys, with the keyId of another MasterKey in a status left out: whoever may write status could
   * otherwise have a say in the deletion and retention of any key.
   */
  checked(masterKeys: readonly MasterKey[]): readonly MasterKey[] {
    return masterKeys.map((masterKey) => {
      const { metadata, status } = masterKey;
      const name = { namespace: metadata.namespace ?? "", name: metadata.name };
      if (status?.keyId === undefined || !this.isForeign(status.keyId, name)) return masterKey;
      const { observedGeneration, conditions } = status;
      return {
        ...masterKey,
        status: {
          ...(observedGeneration !== undefined && { observedGeneration }),
          ...(conditions !== undefined && { conditions }),
        },
      };
    });
  }

  /** Whether a version of a keyId was destroyed here. */
  hasDestroyed(keyId: string): boolean {
    return this.#destroyed.has(keyId);
  }

  /** The identity that is on record under a versionId. */
  identity(versionId: string): VersionIdentity | undefined {
    return this.#versions.get(versionId);
  }

  /** Whether the versions of a keyId are on record as another MasterKey's, and none as this one's. */
  isForeign(keyId: string, name: ObjectName): boolean {
    return isForeignKeyId(keyId, name, this.#owners);
  }
}

/** Ten thousand sealed blobs need not be held beside those of the view. */
function withoutMaterial(row: VersionRow): Omit<VersionRow, "sealed"> {
  const { sealed: _, ...recorded } = row;
  return recorded;
}
