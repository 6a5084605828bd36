import { isDeepStrictEqual } from "node:util";
import { codeOf } from "../../errors.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { KeyVersionStatus } from "../../resources/schemas/key-version.ts";
import type { StatusWrites } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";
import { decideKeyVersionStatus } from "./decide-key-version.ts";

/** Writes the statuses of KeyVersions, which follow their MasterKey as it is stored. */
export class KeyVersionStatuses {
  readonly #store: StatusWrites;

  constructor(store: StatusWrites) {
    this.#store = store;
  }

  async follow(masterKey: MasterKey, versions: readonly KeyVersion[]): Promise<void> {
    for (const version of versions) {
      const status = decideKeyVersionStatus(version, masterKey);
      if (!isDeepStrictEqual(version.status, status)) await this.#write(version, status);
    }
  }

  /**
   * If a version was deleted, perhaps with its definition, it has no status to write: that must not block its
   * MasterKey.
   */
  async #write(version: KeyVersion, status: KeyVersionStatus): Promise<void> {
    try {
      await atWritePoint("keyversion.status", () => this.#store.applyStatus<"KeyVersion">(version, status));
    } catch (error) {
      if (codeOf(error) !== "NotFound") throw error;
    }
  }
}
