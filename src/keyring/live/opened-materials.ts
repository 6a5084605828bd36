import type { Secret } from "../../crypto/secret.ts";
import { ClavigerError } from "../../errors.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { TombstoneRow, VersionRow } from "../rows.ts";
import { destroyedError } from "./destroyed-error.ts";
import type { Misses } from "./misses.ts";

interface MaterialOptions {
  readonly seals: SealSource;
  readonly misses: Misses;
  /** Returns the tombstone of a version that was destroyed. */
  readonly destroyed: (versionId: string) => TombstoneRow | undefined;
}

/** The materials of a keyring's versions: each is opened when it is first used, and kept. */
export class OpenedMaterials {
  readonly #options: MaterialOptions;
  readonly #materials = new Map<string, Secret>();
  readonly #opening = new Map<string, Promise<Secret>>();
  /** Why each version did not open, since the last look at the file. */
  readonly #refused = new Map<string, unknown>();
  #closed = false;

  constructor(options: MaterialOptions) {
    this.#options = options;
  }

  /** Returns a version's material, opened once. Throws SealUnavailable, SealMismatch or VersionDestroyed. */
  async of(version: VersionRow): Promise<Secret> {
    const { versionId } = version;
    const known = this.#materials.get(versionId);
    if (known !== undefined) return known;
    if (this.#options.misses.often && this.#refused.has(versionId)) throw this.#refused.get(versionId);
    const opening = this.#opening.get(versionId) ?? this.#open(version);
    this.#opening.set(versionId, opening);
    return opening.finally(() => this.#opening.delete(versionId));
  }

  /** Wipes the material of a version that was destroyed. */
  wipe(versionId: string): void {
    this.#materials.get(versionId)?.wipe();
    this.#materials.delete(versionId);
  }

  /** Lets versions that did not open be tried again. */
  forgetRefusals(): void {
    this.#refused.clear();
  }

  /** Wipes all materials, also those that are being opened. */
  close(): void {
    this.#closed = true;
    for (const material of this.#materials.values()) material.wipe();
    this.#materials.clear();
  }

  async #open(version: VersionRow): Promise<Secret> {
    const { seals, misses, destroyed } = this.#options;
    const material = await seals.unseal(version, version.sealed).catch((error: unknown) => {
      misses.add();
      this.#refused.set(version.versionId, error);
      throw error;
    });
    const tombstone = destroyed(version.versionId);
    if (this.#closed || tombstone !== undefined) material.wipe();
    if (tombstone !== undefined) throw destroyedError(tombstone);
    if (this.#closed) throw new ClavigerError("NotReady", "the keyring is closed");
    this.#materials.set(version.versionId, material);
    return material;
  }
}
