import { canonicalContext } from "../crypto/context.ts";
import type { KeyId, VersionId } from "../crypto/ids.ts";
import type { KeySpec, KeyUsage } from "../crypto/key-specs.ts";
import type { Secret } from "../crypto/secret.ts";

/** Sealed material in keyring.db and in a KeyVersion. */
export interface Sealed {
  /** The seal that made it: "file". */
  readonly provider: string;
  /** The root key that it needs: not secret, 32 hex digits. */
  readonly rootKeyId: string;
  readonly blob: Uint8Array;
}

/**
 * The outcome of unwrapping. "Not mine, try the next" is an outcome; every other failure is thrown. (age's
 * Identity interface has the same rule.)
 */
export type Unsealed = { readonly material: Secret } | { readonly notMine: true };

/** The uses of keys that are derived from a root key, each with a key of its own. */
export type SubkeyLabel = "grant-token";

/** Wraps version material under a root key. `aad` must be given again, unchanged, to unwrap. */
export interface Seal {
  readonly provider: string;
  readonly rootKeyId: string;
  wrap(material: Secret, aad: Uint8Array, signal?: AbortSignal): Promise<Sealed>;
  /** Throws SealMismatch if the blob is ours and does not open: altered, or swapped with another blob. */
  unwrap(sealed: Sealed, aad: Uint8Array, signal?: AbortSignal): Promise<Unsealed>;
  /** Returns 32 bytes that only a holder of the root key can derive, and that say nothing of it (RFC 5869). */
  derive(label: SubkeyLabel): Secret;
}

/** The version that a sealed blob belongs to. */
export interface SealBinding {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly number: number;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
}

/** Returns the AAD of a version's seal, so that two swapped blobs no longer open. */
export function sealAad(binding: SealBinding): Buffer {
  return canonicalContext({
    keyId: binding.keyId,
    versionId: binding.versionId,
    number: String(binding.number),
    keySpec: binding.keySpec,
    keyUsage: binding.keyUsage,
  });
}
