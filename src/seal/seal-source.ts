import type { Secret } from "../crypto/secret.ts";
import { ClavigerError } from "../errors.ts";
import { fileSeal } from "./file.ts";
import { readRootKey } from "./root-key-file.ts";
import { type Seal, type SealBinding, type Sealed, sealAad } from "./seal.ts";

/**
 * The seal of this node, read when first needed and again after a failure: a
 * root key that was missing, unsafe or wrong and has been put right is used
 * without a restart.
 */
export class SealSource {
  readonly #rootKeyPath: string;
  #seal: Seal | undefined;

  constructor(rootKeyPath: string) {
    this.#rootKeyPath = rootKeyPath;
  }

  /** Throws SealUnavailable where the root key cannot be used. */
  get(): Seal {
    this.#seal ??= fileSeal(readRootKey(this.#rootKeyPath));
    return this.#seal;
  }

  /**
   * The same for what is to be sealed, after a look at the file: what is sealed under a
   * root key that only this process still has opens no more after its end.
   */
  forSealing(): Seal {
    const seal = this.get();
    using rootKey = readRootKey(this.#rootKeyPath);
    const { rootKeyId } = fileSeal(rootKey);
    if (rootKeyId === seal.rootKeyId) return seal;
    throw new ClavigerError(
      "SealUnavailable",
      `root key ${this.#rootKeyPath} holds ${rootKeyId} now, and ${seal.rootKeyId} is in use:` +
        " put that one back there, or restart claviger where nothing is sealed under it",
    );
  }

  /** Opens a version's material. Throws SealUnavailable or SealMismatch, naming the version. */
  async unseal(binding: SealBinding, sealed: Sealed): Promise<Secret> {
    const unsealed = await this.get().unwrap(sealed, sealAad(binding));
    if ("material" in unsealed) return unsealed.material;
    const held = this.get().rootKeyId;
    this.#seal = undefined;
    throw new ClavigerError(
      "SealUnavailable",
      `version ${binding.number} of key ${binding.keyId} is sealed under root key ${sealed.provider}:${sealed.rootKeyId}` +
        ` and ${this.#rootKeyPath} holds ${held}: put the right root key there`,
    );
  }
}
