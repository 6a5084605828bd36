import type { Secret } from "../crypto/secret.ts";
import { ClavigerError } from "../errors.ts";
import type { RootKey } from "./root-key.ts";
import { type Seal, type SealBinding, type Sealed, sealAad } from "./seal.ts";

/**
 * The seal of this node, read when first needed and again after a failure: a
 * root key that was missing, unsafe or wrong and has been put right is used
 * without a restart.
 */
export class SealSource {
  readonly #rootKey: RootKey;
  readonly #anySealed: () => boolean;
  #seal: Seal | undefined;
  /** The one that something is sealed under: it is the right one, whatever the file holds now or opens besides. */
  #proven: Seal | undefined;
  /** What has opened or sealed something, by its root key: it can be of use as long as this process runs. */
  readonly #opened = new Map<string, Seal>();
  /** How the file looked when it was last asked whether it changed. */
  #seen: string;

  /** `anySealed` tells whether anything is known to be sealed under a root key of this node; if left out, it is assumed. */
  constructor(rootKey: RootKey, anySealed: () => boolean = () => true) {
    this.#rootKey = rootKey;
    this.#anySealed = anySealed;
    this.#seen = rootKey.appearance();
  }

  /** Throws SealUnavailable where the root key cannot be used. */
  get(): Seal {
    this.#seal ??= this.#read();
    return this.#seal;
  }

  #read(): Seal {
    return this.#rootKey.open(this.#hasSealed());
  }

  #hasSealed(): boolean {
    return this.#proven !== undefined || this.#anySealed();
  }

  /** What is in use already, whatever became of the file. */
  get held(): Seal | undefined {
    return this.#proven ?? this.#seal;
  }

  /** Whether the file is another one than at the last call. */
  changed(): boolean {
    const before = this.#seen;
    this.#seen = this.#rootKey.appearance();
    return this.#seen !== before;
  }

  /**
   * Throws SealUnavailable where the file no longer has the root key in use: what
   * starts here next could open nothing. One that nothing is sealed under is given up for another.
   */
  mustBeInPlace(): void {
    const found = this.#rootKey.identify(this.#hasSealed());
    const proven = this.#proven?.rootKeyId ?? found;
    if (found !== proven) {
      throw new ClavigerError(
        "SealUnavailable",
        `root key ${this.#rootKey.text} holds ${found} now, and this node's versions are sealed under ${proven}: put that one back before anything here restarts`,
      );
    }
    if (this.get().rootKeyId !== found) this.#seal = this.#proven ?? this.#read();
  }

  /** For what is to be sealed: under a root key that only this process still has it would open no more after its end. */
  forSealing(): Seal {
    this.mustBeInPlace();
    return this.#keep(this.get());
  }

  /** Returns the first one that was kept: under it this node's versions are sealed. */
  #keep(seal: Seal): Seal {
    this.#opened.set(seal.rootKeyId, seal);
    this.#proven ??= seal;
    return this.#proven;
  }

  /** What opened something stays for that, also after the file was read again for something else. */
  #sealOf({ rootKeyId }: Sealed): Seal {
    return this.#opened.get(rootKeyId) ?? this.get();
  }

  /** Opens a version's material. Throws SealUnavailable or SealMismatch, naming the version. */
  async unseal(binding: SealBinding, sealed: Sealed): Promise<Secret> {
    const seal = this.#sealOf(sealed);
    const unsealed = await seal.unwrap(sealed, sealAad(binding));
    if ("material" in unsealed) {
      this.#keep(seal);
      return unsealed.material;
    }
    if (this.#seal === seal) this.#seal = undefined;
    throw new ClavigerError(
      "SealUnavailable",
      `version ${binding.number} of key ${binding.keyId} is sealed under root key ${sealed.provider}:${sealed.rootKeyId}` +
        ` and ${this.#rootKey.text} holds ${seal.rootKeyId}: put the right root key there`,
    );
  }
}
