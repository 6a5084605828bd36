import { isDeepStrictEqual } from "node:util";
import { codeOf } from "../../../errors.ts";
import { keyDetailsOf, putKeyDetails } from "../../../keyring/tables/key-details.ts";
import { putVersionDetails, versionDetailsOf } from "../../../keyring/tables/version-details.ts";
import type { KeyringWriter } from "../../../keyring/writer.ts";
import type { Problem } from "../../../keys/version-tester.ts";
import type { KeyVersion, MasterKey } from "../../../resources/resources.ts";
import type { View } from "../../../store/view.ts";
import type { TimeSlice } from "../../time/time-slice.ts";
import { isOfKeyring } from "../keyring/keyring-follower.ts";
import { decideKeyDetails, detailsOfKey, detailsOfVersion } from "./decide-details.ts";

/** The number of objects that are compared, and recorded in one transaction, before other work gets a turn. */
const CHUNK = 100;

/** A write to the keyring. */
type Write = () => void;

/** Keeps this node's record of what describes keys and versions in step with the resources. */
export class DetailsFollower {
  readonly #keyring: KeyringWriter;
  /** Objects whose details are recorded: another state of one of them is another JavaScript object. */
  readonly #recorded = new WeakSet<object>();

  constructor(keyring: KeyringWriter) {
    this.#keyring = keyring;
  }

  /** Makes one pass. No key depends on its details: a keyring that refuses them is a problem, and no failure. */
  async follow(
    { masterKeys, keyVersions }: Pick<View, "masterKeys" | "keyVersions">,
    problems: Problem[],
    slice: TimeSlice,
  ): Promise<void> {
    try {
      await this.#record(masterKeys, (masterKey) => this.#keyWrites(masterKey), slice);
      await this.#record(keyVersions, (version) => this.#versionWrites(version), slice);
    } catch (error) {
      if (!isOfKeyring(error)) throw error;
      problems.push({ reason: error.code, message: error.message });
    }
  }

  async #record<T extends object>(
    objects: readonly T[],
    writesOf: (object: T) => readonly Write[],
    slice: TimeSlice,
  ): Promise<void> {
    const fresh = objects.filter((object) => !this.#recorded.has(object));
    for (let at = 0; at < fresh.length; at += CHUNK) {
      const chunk = fresh.slice(at, at + CHUNK);
      const writes = chunk.flatMap(writesOf);
      if (writes.length > 0)
        this.#keyring.transaction(() => {
          for (const write of writes) write();
        });
      for (const object of chunk) this.#recorded.add(object);
      await slice.pause();
    }
  }

  #keyWrites(masterKey: MasterKey): readonly Write[] {
    const wanted = detailsOfKey(masterKey);
    if (wanted === undefined) return [];
    const next = decideKeyDetails(
      wanted,
      readable(() => keyDetailsOf(this.#keyring, wanted)),
    );
    return next === undefined ? [] : [() => putKeyDetails(this.#keyring, next)];
  }

  #versionWrites(version: KeyVersion): readonly Write[] {
    const wanted = detailsOfVersion(version);
    if (wanted === undefined) return [];
    const stored = readable(() => versionDetailsOf(this.#keyring, wanted.versionId));
    return isDeepStrictEqual(stored, wanted) ? [] : [() => putVersionDetails(this.#keyring, wanted)];
  }
}

/** Returns undefined for a damaged record: it is recorded again. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === "KeyringCorrupt") return undefined;
    throw error;
  }
}
