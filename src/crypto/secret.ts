import { createPrivateKey, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { inspect } from "node:util";

const REDACTED = "[secret]";

/**
 * Secret bytes that no log line, template, JSON or inspection shows by accident.
 * `exposeSecretBytes`, `exposeSecretKey` and `exposePrivateKey` are the only ways to the bytes; grep for them
 * to audit their use.
 *
 * `wipe` zeroes the one buffer held here. JavaScript cannot promise more: the
 * engine may have copied bytes while moving memory, and node:crypto copies keys
 * into OpenSSL's own memory (docs/threat-model.md).
 */
export class Secret {
  readonly #bytes: Uint8Array;
  #key: KeyObject | undefined;
  #privateKey: KeyObject | undefined;
  #wiped = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes ownership of `bytes`: the caller must not keep or change them. */
  static take(bytes: Uint8Array): Secret {
    return new Secret(bytes);
  }

  /** Creates a secret of `size` random bytes from the system's generator. */
  static random(size: number): Secret {
    return new Secret(randomBytes(size));
  }

  /** The length in bytes. */
  get size(): number {
    return this.#bytes.length;
  }

  /** Returns the bytes themselves, not a copy. Throws once wiped, so that zeros are never used as a key. */
  exposeSecretBytes(): Uint8Array {
    if (this.#wiped) throw new Error("a wiped secret was used");
    return this.#bytes;
  }

  /**
   * Returns the secret as a key of node:crypto, made once. If node:crypto is given bytes, it makes such a
   * key at each call, and each keeps a copy of the bytes until it is collected. Throws once wiped.
   */
  exposeSecretKey(): KeyObject {
    this.#key ??= createSecretKey(this.exposeSecretBytes());
    return this.#key;
  }

  /**
   * Returns a secret that is a PKCS #8 structure (DER) as a private key of node:crypto, parsed once. Throws
   * OpenSSL's error if it is none. Throws once wiped.
   */
  exposePrivateKey(): KeyObject {
    if (this.#privateKey === undefined) {
      const { buffer, byteOffset, length } = this.exposeSecretBytes();
      // A view, because a copy would have to be wiped as well.
      const key = Buffer.from(buffer, byteOffset, length);
      this.#privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
    }
    return this.#privateKey;
  }

  wipe(): void {
    this.#bytes.fill(0);
    // OpenSSL zeroes the copy in a key when the key is collected.
    this.#key = undefined;
    this.#privateKey = undefined;
    this.#wiped = true;
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
