import { codeOf, messageOf } from "../../errors.ts";
import type { KeyringChange } from "../../keyring/changes.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import type { Problem, VersionTester } from "../../keys/version-tester.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import {
  keyVersionName,
  sameIdentity,
  toKeyVersionSpec,
  toVersionRow,
} from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import type { KeyVersionCreation, Resources, SealWrites } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";
import type { KeyringPlan } from "./keyring/keyring-plan.ts";
import { VersionLookup } from "./version-lookup.ts";

export type GiverStore = Resources & KeyVersionCreation & SealWrites;

/** Changes the keyring. If it cannot be changed, the reason is added to `problems`. */
export type Apply = (changes: readonly KeyringChange[], problems: Problem[]) => void;

/** Restores versions that this node has and the API server has lost or altered. */
export class Giver {
  readonly #store: GiverStore;
  readonly #apply: Apply;
  readonly #tester: VersionTester;
  readonly #log: Log;
  readonly #present = new VersionLookup();

  constructor(options: {
    readonly store: GiverStore;
    readonly apply: Apply;
    readonly tester: VersionTester;
    readonly log: Log;
  }) {
    this.#store = options.store;
    this.#apply = options.apply;
    this.#tester = options.tester;
    this.#log = options.log;
  }

  /** Creates the missing versions again. Failures are added to `problems`. */
  async handBack({ handBack }: KeyringPlan, problems: Problem[]): Promise<void> {
    for (const version of handBack) {
      try {
        if (await this.#createMissing(version)) {
          this.#log(
            "warn",
            `KeyVersion ${keyVersionName(version)} was missing and is handed back from this node's keyring`,
          );
        }
      } catch (error) {
        // Another node created it first.
        if (codeOf(error) === "Conflict") continue;
        problems.push({ reason: "HandBackFailed", message: messageOf(error) });
        // The others wait for the next pass.
        if (isUnanswered(error)) return;
      }
    }
  }

  /**
   * Checks again before creating, because every node hands back at the same moment. Returns true if it was
   * created here.
   */
  async #createMissing(version: VersionRow): Promise<boolean> {
    this.#present.follow(this.#store.view()?.keyVersions ?? []);
    if (this.#present.withId(version.versionId).some((object) => isThere(object, version))) return false;
    // After a restore the usual name may belong to another version with the same number.
    const usual = keyVersionName(version);
    const name = this.#present.isTaken(usual) ? `${usual}-${version.versionId.slice(0, 8)}` : usual;
    await atWritePoint("keyversion.create", () =>
      this.#store.createKeyVersion(name, toKeyVersionSpec(version)),
    );
    return true;
  }

  /**
   * If the seals differ, theirs is stored if it opens (a re-seal); if it does not but ours does, theirs is
   * corrected.
   */
  async settleSeals({ sealsDiffer }: KeyringPlan, problems: Problem[]): Promise<void> {
    for (const { mine, theirs, object, oursIsThere } of sealsDiffer) {
      const theirFault = await this.#tester.fault(theirs);
      if (theirFault === undefined) {
        // If both open, following either would be reversed in the next pass.
        if (!oursIsThere)
          this.#apply([{ kind: "putVersion", version: { ...mine, sealed: theirs.sealed } }], problems);
        continue;
      }
      const message = `the seal of KeyVersion ${object.metadata.name} was changed: ${theirFault.message}`;
      try {
        if ((await this.#tester.fault(mine)) === undefined) await this.#putRight(object, mine);
        problems.push({ reason: "SealAltered", message });
      } catch (error) {
        const why = `; it cannot be corrected: ${messageOf(error)}`;
        const isConflict = codeOf(error) === "Conflict";
        problems.push({ reason: "SealAltered", message: isConflict ? message : message + why });
        // The others wait for the next pass.
        if (isUnanswered(error)) return;
      }
    }
  }

  async #putRight(object: KeyVersion, mine: VersionRow): Promise<void> {
    const { seal } = toKeyVersionSpec(mine);
    await atWritePoint("keyversion.seal", () => this.#store.replaceSeal(object, seal));
    const { name } = object.metadata;
    this.#log("warn", `the seal of KeyVersion ${name} did not open and was replaced by this node's own`);
  }
}

/** A tombstone counts as its version too: a version that was destroyed meanwhile is not handed back. */
const isThere = (object: KeyVersion, version: VersionRow): boolean =>
  !hasMaterial(object) || sameIdentity(version, toVersionRow(object));
