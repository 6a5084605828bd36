import type { KeyId, KmsKeyId, VersionId } from "../crypto/ids.ts";
import type { KeySpec, KeyUsage, Origin } from "../crypto/key-specs.ts";
import type { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../names.ts";
import type { Ownership } from "../seal/ownership.ts";
import type { Sealed } from "../seal/seal.ts";

/** What orders the versions of a key. */
export interface VersionPosition {
  readonly number: number;
  readonly versionId: string;
}

/**
 * Whether `a` comes after `b`. Current versions only move forward in this order.
 * A restored etcd can bring a second version of one number: their ids decide,
 * so that every node moves the same way and none moves back.
 */
export const isLater = (a: VersionPosition, b: VersionPosition): boolean =>
  a.number > b.number || (a.number === b.number && a.versionId > b.versionId);

/** What this node knows of a MasterKey. */
export interface KeyRow extends ObjectName {
  readonly keyId: KeyId;
  readonly enabled: boolean;
  /** Set while the key waits for its destruction: from when on it may be destroyed (RFC 3339). */
  readonly deletionDate?: string;
  /** keyIds that this name encrypted under before: it never goes back to one of them. */
  readonly formerKeyIds: readonly KeyId[];
  /** The version that encrypts; absent until the first promotion. */
  readonly current?: { readonly versionId: VersionId; readonly number: number };
}

/** Which version something is, and of what. */
export interface VersionIdentity {
  readonly versionId: VersionId;
  readonly keyId: KeyId;
  readonly number: number;
  readonly masterKey: ObjectName;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: Origin;
}

/** One version's sealed material and what it belongs to. */
export interface VersionRow extends VersionIdentity {
  readonly sealed: Sealed;
  /** Tells imported material from other of its key (crypto/import-wrapping.ts). */
  readonly materialId?: string;
  /** Until when imported material may be used, in epoch milliseconds. */
  readonly validTo?: number;
  /** Proof of the MasterKey and validTo; absent if an older release stored the version. */
  readonly ownership?: Ownership;
}

/**
 * Returns whether imported material has reached its validTo. Material that claviger made never
 * expires, whatever a row says. `now` in epoch milliseconds.
 */
export const isExpired = (
  { origin, validTo }: Pick<VersionRow, "origin" | "validTo">,
  now: number,
): boolean => origin === "EXTERNAL" && validTo !== undefined && validTo <= now;

/** A stored version that this release cannot read: damaged, or written by a newer one. */
export interface UnreadableVersion {
  readonly versionId: string;
  readonly error: ClavigerError;
}

/** Any other row that cannot be read. It is left as it is, and the others are used. */
export interface UnreadableRow {
  /** What it is of: a kind, and NAMESPACE/NAME. */
  readonly name: string;
  readonly error: ClavigerError;
}

/** What is left of a version that was destroyed. A node that has it never takes the version back. */
export interface TombstoneRow extends VersionIdentity {
  /** RFC 3339. */
  readonly destroyedAt: string;
  /** A sentence for people. */
  readonly reason: string;
  /** Opens under the root key that made it: nobody else can have a version destroyed (seal/tombstone.ts). */
  readonly proof: Sealed;
}

/** A tombstone as this node keeps it. */
export interface KeptTombstone extends TombstoneRow {
  /** Whether nothing of the sealed material is left in the file, its free pages and its log. */
  readonly erased: boolean;
}

/** A name for a MasterKey of the same namespace. */
export interface AliasRow extends ObjectName {
  readonly masterKey: string;
  /** Keys that it pointed to before: it goes back to one of them only at a later version. */
  readonly formerTargets?: readonly FormerTarget[];
}

/** A key that an alias left, with the version that was current then. */
export interface FormerTarget extends VersionPosition {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
}

/**
 * What the plugin saw of the API server behind one socket. Written by the
 * plugin, reported by the operator in its KeyServer. Times are epoch milliseconds.
 */
export interface ObservationRow {
  readonly provider: string;
  /** The key_id that Status answers. */
  readonly kmsKeyId: KmsKeyId;
  /** When the episode began. */
  readonly servingSince: number;
  /** Encrypts answered in the episode: each entry of the API server's configuration sends one at a switch. */
  readonly encrypts: number;
  readonly lastEncryptAt?: number;
  /** Whether SETTLE_MILLISECONDS have passed since the episode began and since the last Encrypt. */
  readonly settled: boolean;
  /** Whether SETTLE_MILLISECONDS have passed since the episode began, whatever Encrypts came. */
  readonly episodeSettled?: boolean;
  /** Names the unbroken time in which the API server asked Status and was told kmsKeyId; older releases did not write it. */
  readonly episode?: string;
  /** When the API server last asked Status. */
  readonly lastStatusAt?: number;
  /** The same, or when the plugin began, if that is SILENCE_MILLISECONDS ago or more. */
  readonly notAskedSince?: number;
  readonly mark?: ObservationMark;
  /** The key or alias that the provider served (keyRefText); older releases did not write it. */
  readonly serves?: string;
}

/** Where one plugin stopped observing, so that the next one knows whether it missed anything. */
export interface ObservationMark {
  /** The boot of the machine that `statusAt` belongs to. */
  readonly boot: string;
  /** When Status was last asked, in milliseconds by a clock that all processes of the boot share. */
  readonly statusAt: number;
  /** Whether the plugin wrote this after its last call. */
  readonly whole: boolean;
}

/** A custom resource of standalone mode, which the keyring's file keeps too. */
export interface ObjectRow extends ObjectName {
  readonly kind: string;
  readonly json: string;
}

/** All of a keyring: the same on whichever node it lies. */
export interface KeyringImage {
  readonly versions: readonly VersionRow[];
  readonly keys: readonly KeyRow[];
  readonly aliases: readonly AliasRow[];
  readonly objects: readonly ObjectRow[];
}
