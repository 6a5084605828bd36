import { FINALIZER } from "../../resources/finalizer.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { FinalizerWrites } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";
import { decideFinalizers } from "./decide-deletion.ts";
import { masterKeyUses, type RetirementFacts } from "./key-uses.ts";

/** Sets and removes the finalizer that holds a MasterKey back. */
export class Finalizers {
  readonly #store: FinalizerWrites;

  constructor(store: FinalizerWrites) {
    this.#store = store;
  }

  /** Holds an object back, or releases it. */
  async settle(masterKey: MasterKey, versions: readonly KeyVersion[], facts: RetirementFacts): Promise<void> {
    const finalizers = decideFinalizers(masterKey, versions, masterKeyUses(masterKey, versions, facts));
    if (finalizers !== undefined) await this.#set(masterKey, finalizers);
  }

  /** Releases an object that has no key of its own. */
  async release(masterKey: MasterKey): Promise<void> {
    const { finalizers = [] } = masterKey.metadata;
    if (!finalizers.includes(FINALIZER)) return;
    await this.#set(
      masterKey,
      finalizers.filter((finalizer) => finalizer !== FINALIZER),
    );
  }

  async #set(masterKey: MasterKey, finalizers: readonly string[]): Promise<void> {
    await atWritePoint("masterkey.finalizers", () => this.#store.setFinalizers(masterKey, finalizers));
  }
}
