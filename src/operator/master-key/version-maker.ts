import type { KeyId } from "../../crypto/ids.ts";
import { generateMaterial, isSlowToGenerate } from "../../crypto/key-specs.ts";
import type { Secret } from "../../crypto/secret.ts";
import { ClavigerError, codeOf } from "../../errors.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import { keyVersionName } from "../../resources/key-version-rows.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { KeyVersionCreation, KeyVersionLookup } from "../../store/roles.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import type { SlowMaterials } from "../slow-material.ts";
import { createVersion } from "./create-version.ts";

type Store = KeyVersionCreation & KeyVersionLookup;

/**
 * Creates a key's next version. New material exists in memory, then sealed in a KeyVersion. If there are two
 * leaders, the name lets only one succeed. While the view does not show a KeyVersion whose name was created
 * or refused, no other material is generated for that name: the view is late, or its watch stalled.
 */
export class VersionMaker {
  readonly #store: Store;
  readonly #seals: SealSource;
  readonly #slow: Pick<SlowMaterials, "take">;
  /** Names that may be taken although the view did not show them. */
  readonly #asked = new Set<string>();

  constructor(options: {
    readonly store: Store;
    readonly seals: SealSource;
    readonly slow: Pick<SlowMaterials, "take">;
  }) {
    this.#store = options.store;
    this.#seals = options.seals;
    this.#slow = options.slow;
  }

  /**
   * Creates the version, unless its material is still being generated: then the key's next pass does. Throws
   * Conflict if the name is taken, NotReady if the object with the name is not this key's version.
   */
  async make(
    masterKey: MasterKey,
    step: { readonly keyId: KeyId; readonly number: number },
    index: ViewIndex,
    signal: AbortSignal,
  ): Promise<void> {
    const name = keyVersionName(step);
    if (index.version(name) !== undefined) {
      this.#asked.delete(name);
      throw foreign(name, masterKey);
    }
    if (this.#asked.has(name) && (await this.#store.isThere("KeyVersion", name, signal))) throw unseen(name);
    this.#asked.delete(name);
    const ready = await this.#material(masterKey);
    if (ready !== undefined) await this.#create(name, masterKey, step, ready);
  }

  async #material({ metadata, spec }: MasterKey): Promise<Secret | undefined> {
    const { namespace = "", name } = metadata;
    if (!isSlowToGenerate(spec.keySpec)) return generateMaterial(spec.keySpec);
    return this.#slow.take({ namespace, name }, spec.keySpec)?.privateKey;
  }

  async #create(
    name: string,
    masterKey: MasterKey,
    step: { readonly keyId: KeyId; readonly number: number },
    ready: Secret,
  ): Promise<void> {
    using material = ready;
    try {
      await createVersion({ store: this.#store, seals: this.#seals }, masterKey, step, material);
      this.#asked.add(name);
    } catch (error) {
      // A write that timed out may have happened.
      if (codeOf(error) === "Conflict" || isUnanswered(error)) this.#asked.add(name);
      throw error;
    }
  }
}

const unseen = (name: string): ClavigerError =>
  new ClavigerError(
    "Conflict",
    `KeyVersion ${name} exists and this operator's watch does not show it yet: no other material is made for it`,
  );

const foreign = (name: string, { metadata }: MasterKey): ClavigerError =>
  new ClavigerError(
    "NotReady",
    `KeyVersion ${name} exists and is not a version of MasterKey ${metadata.namespace}/${metadata.name}: no version of that number can be made while it has this name; see kubectl get keyversion ${name} -o yaml`,
  );
