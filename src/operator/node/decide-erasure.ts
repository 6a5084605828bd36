import { ClavigerError } from "../../errors.ts";
import type { KeyringChange } from "../../keyring/changes.ts";
import type { KeptTombstone, TombstoneRow, VersionRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import { identityOf } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import type { Destroyed } from "../../resources/schemas/deletion.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { inOrderOfTrust } from "../master-key/by-trust.ts";
import type { Obstacle } from "../retirement/usage-census.ts";
import { type Listable, listable } from "./report/listed-versions.ts";

export interface ObservedErasure {
  readonly keyVersions: readonly KeyVersion[];
  readonly versions: readonly VersionRow[];
  readonly tombstones: readonly KeptTombstone[];
  /** Names of tombstones whose proof opened under this node's root key. */
  readonly proven: ReadonlySet<string>;
  /** versionIds that this node's providers serve, or will serve. */
  readonly served: ReadonlySet<string>;
  /** versionIds whose tombstone this node does not act on yet, with the reason (decide-early-erasure.ts). */
  readonly early: ReadonlyMap<string, Obstacle>;
}

export interface ErasurePlan {
  /** Versions to remove from this node's keyring, and tombstones to keep there. */
  readonly changes: readonly KeyringChange[];
  /** KeyVersions that came back after this node saw them destroyed, and that are destroyed again. */
  readonly destroyAgain: readonly { readonly object: KeyVersion; readonly tombstone: TombstoneRow }[];
  /** Tombstones that the API server has lost. */
  readonly handBack: readonly TombstoneRow[];
  /** KeyVersions to which somebody without the root key gave a tombstone: our version is restored. */
  readonly restore: readonly { readonly object: KeyVersion; readonly mine: VersionRow }[];
  /** Tombstones that this node does not act on. */
  readonly problems: readonly { readonly reason: string; readonly message: string }[];
  /** The KeyVersions with which the keyring is updated. */
  readonly living: readonly KeyVersion[];
}

/**
 * Decides what a node does about destroyed versions. A proven tombstone takes precedence over every copy of
 * the material, wherever it comes from: another node's hand-back, a restored etcd, a backup. The last guards
 * are the node's own: versions that its providers serve are not erased, and nothing is erased before the time
 * that the node itself has recorded.
 */
export function decideErasure(observed: ObservedErasure): ErasurePlan {
  const { keyVersions, tombstones, proven, served, early } = observed;
  const kept = new Map<string, KeptTombstone>(tombstones.map((row) => [row.versionId, row]));
  const held = new Map<string, VersionRow>(observed.versions.map((row) => [row.versionId, row]));
  const present = new Set(keyVersions.map(({ spec }) => spec.versionId));
  // A proof does not bind the owner, so of copies under several names the first is kept.
  const unknown = keyVersions.filter((object) => !hasMaterial(object) && !kept.has(object.spec.versionId));
  const fresh = inOrderOfTrust(unknown, new Set());
  const believed = fresh.filter(({ metadata }) => proven.has(metadata.name));
  const forged = fresh.filter(({ metadata }) => !proven.has(metadata.name));
  const erased = believed.filter(({ spec }) => !served.has(spec.versionId) && !early.has(spec.versionId));
  const gone = new Set([...kept.keys(), ...erased.map(({ spec }) => spec.versionId)]);
  return {
    changes: erased.map(
      (object): KeyringChange => ({ kind: "destroyVersion", tombstone: toTombstoneRow(object) }),
    ),
    destroyAgain: keyVersions.filter(hasMaterial).flatMap((object) => {
      const tombstone = kept.get(object.spec.versionId);
      return tombstone === undefined ? [] : [{ object, tombstone }];
    }),
    handBack: tombstones.filter(({ versionId }) => !present.has(versionId)),
    restore: forged.flatMap((object) => {
      const mine = held.get(object.spec.versionId);
      return mine === undefined || gone.has(mine.versionId) ? [] : [{ object, mine }];
    }),
    problems: [
      ...believed.filter(({ spec }) => served.has(spec.versionId)).map(stillServed),
      ...believed.flatMap(({ spec }) => early.get(spec.versionId) ?? []),
      ...forged.map(notProven),
    ],
    living: keyVersions.filter((object) => hasMaterial(object) && !gone.has(object.spec.versionId)),
  };
}

const stillServed = ({ metadata, spec }: KeyVersion) => ({
  reason: "DestroyedVersionServed",
  message: `KeyVersion ${metadata.name} was destroyed and a provider of this node serves it: it is kept here until the provider serves another key than ${nameText(spec.masterKey)}`,
});

const notProven = ({ metadata }: KeyVersion) => ({
  reason: "TombstoneForged",
  message: `the tombstone of KeyVersion ${metadata.name} was not made with this node's root key: nothing is destroyed here`,
});

/** Returns the contents of a tombstone object. Throws Internal for a version that has its material. */
export function toTombstoneRow({ spec }: KeyVersion): TombstoneRow {
  const { destroyed } = spec;
  if (destroyed === undefined)
    throw new ClavigerError("Internal", `version ${spec.versionId} was not destroyed`);
  const { at, reason, proof } = destroyed;
  return {
    ...identityOf(spec),
    destroyedAt: at,
    reason,
    proof: {
      provider: proof.provider,
      rootKeyId: proof.rootKeyId,
      blob: Buffer.from(proof.sealed, "base64"),
    },
  };
}

/** Returns the object that replaces the seal. */
export const toDestroyed = ({ destroyedAt, reason, proof }: TombstoneText): Destroyed => ({
  at: destroyedAt,
  reason,
  proof: {
    provider: proof.provider,
    rootKeyId: proof.rootKeyId,
    sealed: Buffer.from(proof.blob).toString("base64"),
  },
});

type TombstoneText = Pick<TombstoneRow, "destroyedAt" | "reason" | "proof">;

/** Returns a tombstone as a KeyVersion of its own. */
export function tombstoneSpec(row: TombstoneRow): KeyVersion["spec"] {
  const { versionId, keyId, number, masterKey, keySpec, keyUsage, origin } = row;
  const identity = { versionId, keyId, number, masterKey, keySpec, keyUsage, origin };
  return { ...identity, destroyed: toDestroyed(row) };
}

/** Returns tombstones whose versions are erased here, until every node has reported the same. */
export function erasedHere(
  tombstones: readonly KeptTombstone[],
  keyVersions: readonly KeyVersion[],
): Listable[] {
  const erased = new Set<string>(tombstones.filter((row) => row.erased).map(({ versionId }) => versionId));
  if (erased.size === 0) return [];
  return keyVersions
    .filter(
      ({ spec, status }) =>
        erased.has(spec.versionId) && !hasMaterial({ spec }) && status?.erasedAt === undefined,
    )
    .map(listable);
}
