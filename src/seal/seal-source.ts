import type { Secret } from "../crypto/secret.ts";
import { ClavigerError } from "../errors.ts";
import type { RootKey } from "./root-key.ts";
import { type Seal, type SealBinding, type Sealed, sealAad } from "./seal.ts";

/**
 * The seal of this node, read when first needed and again after a failure, so that a root key that was
 * missing, unsafe or wrong can be corrected without a restart.
 */
export class SealSource {
  readonly #rootKey: RootKey;
  readonly #anySealed: () => boolean;
  #seal: Seal | undefined;
  /**
   * The seal under which something is sealed: it is the right seal, whatever the file contains now or opens
   * besides.
   */
  #proven: Seal | undefined;
  /**
   * Seals that have opened or sealed something, by root key: they can be useful as long as this process runs.
   */
  readonly #opened = new Map<string, Seal>();
  /** The appearance of the file at the last call of `changed`. */
  #seen: string;

  /**
   * `anySealed` returns true if anything is known to be sealed under a root key of this node; assumed if left
   * out.
   */
  constructor(rootKey: RootKey, anySealed: () => boolean = () => true) {
    this.#rootKey = rootKey;
    this.#anySealed = anySealed;
    this.#seen = rootKey.appearance();
  }

  /** Returns the seal. Throws SealUnavailable if the root key cannot be used. */
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

  /** Returns the seal that is already in use, whatever became of the file. */
  get held(): Seal | undefined {
    return this.#proven ?? this.#seal;
  }

  /** Returns true if the file is another file than at the last call. */
  changed(): boolean {
    const before = this.#seen;
    this.#seen = this.#rootKey.appearance();
    return this.#seen !== before;
  }

  /**
   * Throws SealUnavailable if the file no longer has the root key in use, because the next process here could
   * not open anything. A root key under which nothing is sealed may be replaced.
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

  /**
   * Returns the seal for new material: under a root key that only this process still has, it could not be
   * opened after the process ends.
   */
  forSealing(): Seal {
    this.mustBeInPlace();
    return this.#keep(this.get());
  }

  /** Returns the first seal that was kept, under which this node's versions are sealed. */
  #keep(seal: Seal): Seal {
    this.#opened.set(seal.rootKeyId, seal);
    this.#proven ??= seal;
    return this.#proven;
  }

  /** A seal that opened something is kept for that, even after the file was read again for something else. */
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
