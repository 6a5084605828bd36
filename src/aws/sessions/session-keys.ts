import type { KeyId, VersionId } from "../../crypto/ids.ts";
import type { Secret } from "../../crypto/secret.ts";
import { ClavigerError } from "../../errors.ts";
import type { LiveKeyring } from "../../keyring/live/live-keyring.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { currentVersion } from "../../keys/find-key.ts";
import { useRefusal } from "../../keys/usable-version.ts";
import { nameText, type ObjectName } from "../../names.ts";

/** A version of the MasterKey that seals session tokens. */
export interface SessionKey {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly material: Secret;
}

/**
 * The versions that seal and open session tokens: those of one MasterKey, so that every node has them, they
 * rotate as any other key, and a version is destroyed as any other. Its material must be claviger's own: whoever
 * knows imported material could make a session of anybody.
 */
export class SessionKeys {
  readonly #keyring: LiveKeyring;
  readonly #name: ObjectName;

  constructor(keyring: LiveKeyring, name: ObjectName) {
    this.#keyring = keyring;
    this.#name = name;
  }

  /** Returns the version that seals new sessions. Throws ClavigerError if there is none that may be used. */
  async current(now: number): Promise<SessionKey> {
    const { version } = currentVersion(this.#keyring, { key: this.#name });
    const refusal = this.#refusal(version, now);
    if (refusal !== undefined) throw refusal;
    return this.#opened(version);
  }

  /** Returns the version that a session token names, if it may open session tokens. */
  async find(versionId: VersionId, now: number): Promise<SessionKey | undefined> {
    const version = this.#keyring.version(versionId);
    if (version === undefined || this.#refusal(version, now) !== undefined) return undefined;
    return this.#opened(version);
  }

  #refusal(version: VersionRow, now: number): ClavigerError | undefined {
    const owner = this.#keyring.owner(version);
    const name = nameText(this.#name);
    if (owner === undefined || nameText(owner) !== name || !canSeal(version)) {
      return new ClavigerError(
        "ConfigInvalid",
        `MasterKey ${name} cannot seal sessions: it needs keySpec SYMMETRIC_DEFAULT and material that claviger generated`,
      );
    }
    return useRefusal(this.#keyring, version, now);
  }

  async #opened(version: VersionRow): Promise<SessionKey> {
    const { keyId, versionId } = version;
    return { keyId, versionId, material: await this.#keyring.material(version) };
  }
}

const canSeal = ({ keySpec, origin }: VersionRow): boolean =>
  keySpec === "SYMMETRIC_DEFAULT" && origin === "AWS_KMS";
