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

/** The keyring. It returns the same list of versions until a version changes or is destroyed. */
type Recorder = Pick<KeyringWriter, "versions" | "tombstones">;
const latest = new WeakMap<
  Recorder,
  { readonly versions: readonly VersionRow[]; readonly record: OwnRecord }
>();

/**
 * This node's own record of the versions in a view. The API server's data about them are a claim, because
 * others may write KeyVersions; the record says to which MasterKey each belongs.
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

  /**
   * Returns the record of a keyring. It is created once for each state of the versions, and shared until they
   * change.
   */
  static of(keyring: Recorder): OwnRecord {
    const versions = keyring.versions();
    const known = latest.get(keyring);
    if (known?.versions === versions) return known.record;
    const record = new OwnRecord(versions, keyring.tombstones());
    latest.set(keyring, { versions, record });
    return record;
  }

  /**
   * "own": recorded exactly so; "foreign": recorded with another key, number or owner, or recorded as not
   * destroyed although this is a tombstone; "unknown": not recorded yet.
   */
  verdict(version: KeyVersion): "own" | "foreign" | "unknown" {
    const { spec } = version;
    const mine = this.#versions.get(spec.versionId);
    if (mine === undefined) return "unknown";
    // A node that believes a tombstone no longer has the material.
    if (!hasMaterial(version) && !mine.destroyed) return "foreign";
    const same =
      mine.keyId === spec.keyId &&
      mine.number === spec.number &&
      nameText(mine.masterKey) === nameText(spec.masterKey);
    return same ? "own" : "foreign";
  }

  /** Returns true unless the record has another version under this versionId. */
  readonly bears = (version: KeyVersion): boolean => this.verdict(version) !== "foreign";

  /** Returns the version with the recorded validTo and ownership proof. */
  asRecorded(version: KeyVersion): KeyVersion {
    const mine = this.#versions.get(version.spec.versionId);
    if (mine === undefined) return version;
    const { validTo: _, ownership: __, ...spec } = version.spec;
    return { ...version, spec: { ...spec, ...bindingOf(mine) } };
  }

  /**
   * Returns the MasterKeys, without a keyId in status that belongs to another MasterKey. Otherwise anybody
   * who may write status could influence the deletion and retention of any key.
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

  /** Returns true if a version of the keyId was destroyed here. */
  hasDestroyed(keyId: string): boolean {
    return this.#destroyed.has(keyId);
  }

  /** Returns the recorded identity of a versionId. */
  identity(versionId: string): VersionIdentity | undefined {
    return this.#versions.get(versionId);
  }

  /** Returns true if a version of the keyId is recorded, which says whose the keyId is. */
  knowsOwner(keyId: string): boolean {
    return this.#owners.has(keyId);
  }

  /** Returns true if the versions of a keyId are recorded as another MasterKey's, and none as this one's. */
  isForeign(keyId: string, name: ObjectName): boolean {
    return isForeignKeyId(keyId, name, this.#owners);
  }
}

/**
 * Returns the row without its sealed material. The view already holds that, and a second copy for ten
 * thousand versions would waste memory.
 */
function withoutMaterial(row: VersionRow): Omit<VersionRow, "sealed"> {
  const { sealed: _, ...recorded } = row;
  return recorded;
}
