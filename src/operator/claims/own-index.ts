import type { KeyringWriter } from "../../keyring/writer.ts";
import type { View } from "../../store/view.ts";
import { OwnRecord } from "./own-record.ts";
import { ViewIndex } from "./view-index.ts";

/** Keeps the index of the latest view, checked against this node's own keyring. */
export class OwnIndex {
  readonly #keyring: Pick<KeyringWriter, "versions" | "tombstones">;
  #index: ViewIndex | undefined;

  constructor(keyring: Pick<KeyringWriter, "versions" | "tombstones">) {
    this.#keyring = keyring;
  }

  /** The index as it was when a pass last asked; undefined before the first pass. */
  get latest(): ViewIndex | undefined {
    return this.#index;
  }

  /** Returns the index of a view. It follows the view, and is built again only if the keyring has changed. */
  of(view: View): ViewIndex {
    const record = OwnRecord.of(this.#keyring);
    if (this.#index?.record === record) this.#index.follow(view);
    else this.#index = new ViewIndex(view, record);
    return this.#index;
  }
}
