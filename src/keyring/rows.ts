import type { KeyId, KmsKeyId, VersionId } from "../crypto/ids.ts";
import type { KeySpec, KeyUsage, Origin } from "../crypto/key-specs.ts";
import type { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../names.ts";
import type { Ownership } from "../seal/ownership.ts";
import type { Sealed } from "../seal/seal.ts";

/** The position of a version in the order of its key's versions. */
export interface VersionPosition {
  readonly number: number;
  readonly versionId: string;
}

/**
 * Returns true if `a` comes after `b`. Current versions only move forward in this order. A restored etcd can
 * bring a second version with the same number: then their ids decide, so that every node moves the same way
 * and no node moves back.
 */
export const isLater = (a: VersionPosition, b: VersionPosition): boolean =>
  a.number > b.number || (a.number === b.number && a.versionId > b.versionId);

/** This node's record of a MasterKey. */
export interface KeyRow extends ObjectName {
  readonly keyId: KeyId;
  readonly enabled: boolean;
  /** Set while the key waits for its destruction: the time after which it may be destroyed (RFC 3339). */
  readonly deletionDate?: string;
  /** keyIds under which this name encrypted before: it never returns to them. */
  readonly formerKeyIds: readonly KeyId[];
  /** The version that encrypts; absent until the first promotion. */
  readonly current?: { readonly versionId: VersionId; readonly number: number };
}

/** The identity of a version: its key, number and id. */
export interface VersionIdentity {
  readonly versionId: VersionId;
  readonly keyId: KeyId;
  readonly number: number;
  readonly masterKey: ObjectName;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: Origin;
}

/** A version's sealed material, and the key that it belongs to. */
export interface VersionRow extends VersionIdentity {
  readonly sealed: Sealed;
  /** Identifies imported material among the material of its key (crypto/import-wrapping.ts). */
  readonly materialId?: string;
  /** The time until which imported material may be used, in epoch milliseconds. */
  readonly validTo?: number;
  /** Proof of the MasterKey and validTo; absent if an older release stored the version. */
  readonly ownership?: Ownership;
}

/**
 * Returns true if imported material has reached its validTo. Material that claviger generated never expires,
 * whatever a row says. `now` is in epoch milliseconds.
 */
export const isExpired = (
  { origin, validTo }: Pick<VersionRow, "origin" | "validTo">,
  now: number,
): boolean => origin === "EXTERNAL" && validTo !== undefined && validTo <= now;

/** A stored version that this release cannot read: damaged, or written by a newer release. */
export interface UnreadableVersion {
  readonly versionId: string;
  readonly error: ClavigerError;
}

/** Any other row that cannot be read. It is left unchanged, and the other rows are used. */
export interface UnreadableRow {
  /** The object of the row: a kind, and NAMESPACE/NAME. */
  readonly name: string;
  readonly error: ClavigerError;
}

/** The record of a destroyed version. A node that has it never stores the version again. */
export interface TombstoneRow extends VersionIdentity {
  /** RFC 3339. */
  readonly destroyedAt: string;
  /** A sentence for people. */
  readonly reason: string;
  /**
   * Opens under the root key that made it, so that nobody without the root key can have a version destroyed
   * (seal/tombstone.ts).
   */
  readonly proof: Sealed;
}

/** A tombstone in this node's keyring. */
export interface KeptTombstone extends TombstoneRow {
  /** True if nothing of the sealed material is left in the file, its free pages and its log. */
  readonly erased: boolean;
}

/** A name for a MasterKey of the same namespace. */
export interface AliasRow extends ObjectName {
  readonly masterKey: string;
  /** Keys to which it pointed before. It returns to such a key only at a later version. */
  readonly formerTargets?: readonly FormerTarget[];
}

/** A key that an alias left, with the version that was current at that time. */
export interface FormerTarget extends VersionPosition {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
}

/**
 * The plugin's observations of the API server behind one socket. The plugin writes them, and the operator
 * reports them in its KeyServer. Times are epoch milliseconds.
 */
export interface ObservationRow {
  readonly provider: string;
  /** The key_id that Status answers. */
  readonly kmsKeyId: KmsKeyId;
  /** When the episode began. */
  readonly servingSince: number;
  /**
   * Encrypts answered in the episode. At a switch, each entry of the API server's configuration sends one.
   */
  readonly encrypts: number;
  readonly lastEncryptAt?: number;
  /** True if SETTLE_MILLISECONDS have passed since the episode began and since the last Encrypt. */
  readonly settled: boolean;
  /** True if SETTLE_MILLISECONDS have passed since the episode began, whatever Encrypts came. */
  readonly episodeSettled?: boolean;
  /**
   * Names the unbroken time in which the API server asked for Status and was told kmsKeyId; older releases
   * did not write it.
   */
  readonly episode?: string;
  /** When the API server last asked for Status. */
  readonly lastStatusAt?: number;
  /** The same time, or the time when the plugin began, if that is SILENCE_MILLISECONDS ago or more. */
  readonly notAskedSince?: number;
  readonly mark?: ObservationMark;
  /** The key or alias that the provider served (keyRefText); older releases did not write it. */
  readonly serves?: string;
}

/** The point at which a plugin stopped observing, so that the next plugin knows if it missed anything. */
export interface ObservationMark {
  /** The boot of the machine that `statusAt` belongs to. */
  readonly boot: string;
  /** When Status was last asked, in milliseconds by a clock that all processes of the boot share. */
  readonly statusAt: number;
  /** True if the plugin wrote this after its last call. */
  readonly whole: boolean;
}

/** A custom resource in standalone mode, which is also kept in the keyring's file. */
export interface ObjectRow extends ObjectName {
  readonly kind: string;
  readonly json: string;
}

/** The contents of a keyring, independent of the node. */
export interface KeyringImage {
  readonly versions: readonly VersionRow[];
  readonly keys: readonly KeyRow[];
  readonly aliases: readonly AliasRow[];
  readonly objects: readonly ObjectRow[];
}
