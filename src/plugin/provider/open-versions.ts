import { type KmsKeyId, kmsKeyId } from "../../crypto/ids.ts";
import { MessageCipher } from "../../crypto/message.ts";
import type { Secret } from "../../crypto/secret.ts";
import type { VersionRow } from "../../keyring/rows.ts";

/** A version whose material is open, with its key_id and the cipher of its messages. */
export interface OpenVersion {
  readonly version: VersionRow;
  readonly kmsKeyId: KmsKeyId;
  readonly cipher: MessageCipher;
}

/**
 * The versions that a provider has opened, found by the ids at the beginning of a message, without UUID or
 * hash.
 */
export class OpenVersions {
  readonly #byIds = new Map<string, OpenVersion>();

  find(ids: string): OpenVersion | undefined {
    return this.#byIds.get(ids);
  }

  /** Adds a version with its material. A version that was added before is kept. */
  add(version: VersionRow, material: Secret): OpenVersion {
    const { keyId, versionId } = version;
    const cipher = new MessageCipher({ keyId, versionId, material, purpose: "kms-v2", context: {} });
    const known = this.#byIds.get(cipher.ids);
    if (known !== undefined) return known;
    const opened = { version, kmsKeyId: kmsKeyId(keyId, versionId), cipher };
    this.#byIds.set(cipher.ids, opened);
    return opened;
  }
}
