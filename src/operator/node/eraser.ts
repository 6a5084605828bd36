import type { NodeConfig } from "../../config/config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import type { TombstoneRow } from "../../keyring/rows.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import type { Problem, VersionTester } from "../../keys/version-tester.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import { keyVersionName, toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { isProven } from "../../seal/tombstone.ts";
import type { KeyVersionCreation, Resources, SealWrites, TombstoneWrites } from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import { atWritePoint } from "../../write-points.ts";
import type { OwnRecord } from "../claims/own-record.ts";
import { decideEarlyErasure } from "../retirement/decide-early-erasure.ts";
import type { TimeKeeper } from "../time/time-keeper.ts";
import {
  decideErasure,
  type ErasurePlan,
  toDestroyed,
  tombstoneSpec,
  toTombstoneRow,
} from "./decide-erasure.ts";
import type { Apply } from "./giver.ts";
import { servedVersions } from "./served-versions.ts";
import { VersionLookup } from "./version-lookup.ts";

export type EraserStore = Resources & KeyVersionCreation & SealWrites & TombstoneWrites;

export type EraserTime = Pick<TimeKeeper, "note" | "waiting" | "now">;

/** Keeps this node's keyring, and the API server, free of destroyed versions. */
export class Eraser {
  readonly #config: Pick<NodeConfig, "providers">;
  readonly #store: EraserStore;
  readonly #apply: Apply;
  readonly #keyring: KeyringWriter;
  readonly #seals: SealSource;
  readonly #tester: VersionTester;
  readonly #time: EraserTime;
  readonly #log: Log;
  readonly #present = new VersionLookup();

  constructor(options: {
    readonly config: Pick<NodeConfig, "providers">;
    readonly store: EraserStore;
    readonly apply: Apply;
    readonly keyring: KeyringWriter;
    readonly seals: SealSource;
    readonly tester: VersionTester;
    readonly time: EraserTime;
    readonly log: Log;
  }) {
    this.#config = options.config;
    this.#store = options.store;
    this.#apply = options.apply;
    this.#keyring = options.keyring;
    this.#seals = options.seals;
    this.#tester = options.tester;
    this.#time = options.time;
    this.#log = options.log;
  }

  /**
   * Makes one pass, by the keyring's record. Returns the KeyVersions that are not destroyed, and adds
   * problems to `problems`.
   */
  async pass(view: View, record: OwnRecord, problems: Problem[]): Promise<readonly KeyVersion[]> {
    const masterKeys = record.checked(view.masterKeys);
    this.#time.note({ ...view, masterKeys, keyVersions: view.keyVersions.filter(record.bears) });
    const tombstones = this.#keyring.tombstones();
    if (tombstones.length === 0 && view.keyVersions.every(hasMaterial)) return view.keyVersions;
    const recorded = new Set<string>(tombstones.map(({ versionId }) => versionId));
    const fresh = view.keyVersions.filter(
      (version) => !hasMaterial(version) && !recorded.has(version.spec.versionId),
    );
    const verdicts = await this.#verify(fresh, problems);
    const versions = this.#keyring.versions();
    const plan = decideErasure({
      early: decideEarlyErasure(
        {
          ...view,
          masterKeys,
          held: new Set(versions.map(({ versionId }) => versionId)),
          waiting: this.#time.waiting,
        },
        this.#time.now(),
      ),
      keyVersions: view.keyVersions.filter(({ spec }) => !verdicts.unknown.has(spec.versionId)),
      versions,
      tombstones,
      proven: verdicts.proven,
      served: servedVersions({
        providers: this.#config.providers,
        keys: this.#keyring.keys(),
        aliases: this.#keyring.aliases(),
        versions,
        observations: this.#keyring.observations(),
      }),
    });
    problems.push(...plan.problems);
    this.#apply(plan.changes, problems);
    this.#scrub(problems);
    try {
      await this.#mend(plan, problems);
    } catch (error) {
      // The rest waits for the next pass.
      if (!isUnanswered(error)) throw error;
      problems.push({ reason: "HandBackFailed", message: messageOf(error) });
    }
    return plan.living;
  }

  /** Without a root key nothing can be verified, and nothing is done. */
  async #verify(fresh: readonly KeyVersion[], problems: Problem[]) {
    const proven = new Set<string>();
    const unknown = new Set<string>();
    for (const version of fresh) {
      const row = toTombstoneRow(version);
      try {
        if (await isProven(this.#seals, row, row.proof)) proven.add(version.metadata.name);
      } catch (error) {
        if (codeOf(error) !== "SealUnavailable") throw error;
        unknown.add(row.versionId);
        problems.push({ reason: "SealUnavailable", message: messageOf(error) });
      }
    }
    return { proven, unknown };
  }

  #scrub(problems: Problem[]): void {
    try {
      this.#keyring.scrub();
    } catch (error) {
      problems.push({ reason: "NotErased", message: messageOf(error) });
    }
  }

  async #mend({ destroyAgain, handBack, restore }: ErasurePlan, problems: Problem[]): Promise<void> {
    for (const { object, tombstone } of destroyAgain) {
      const done = await this.#attempt(problems, () =>
        atWritePoint("keyversion.destroy", () => this.#store.destroyVersion(object, toDestroyed(tombstone))),
      );
      if (done) {
        this.#log("warn", `KeyVersion ${object.metadata.name} came back and is destroyed again`, {
          destroyed: tombstone.destroyedAt,
        });
      }
    }
    for (const tombstone of handBack) await this.#handBack(tombstone, problems);
    for (const { object, mine } of restore) {
      // If a node's own root key is the wrong one, all tombstones look forged to it.
      if ((await this.#tester.fault(mine)) !== undefined) continue;
      const { seal } = toKeyVersionSpec(mine);
      await this.#attempt(problems, () =>
        atWritePoint("keyversion.seal", () => this.#store.replaceSeal(object, seal)),
      );
    }
  }

  /** Its name may belong to another version by now, as after a restore. */
  async #handBack(tombstone: TombstoneRow, problems: Problem[]): Promise<void> {
    this.#present.follow(this.#store.view()?.keyVersions ?? []);
    if (this.#present.withId(tombstone.versionId).length > 0) return;
    const usual = keyVersionName(tombstone);
    const name = this.#present.isTaken(usual) ? `${usual}-${tombstone.versionId.slice(0, 8)}` : usual;
    await this.#attempt(problems, () =>
      atWritePoint("keyversion.create", () => this.#store.createKeyVersion(name, tombstoneSpec(tombstone))),
    );
  }

  /** Throws only if the API server did not answer. */
  async #attempt(problems: Problem[], write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      if (isUnanswered(error)) throw error;
      // Another node wrote first.
      if (codeOf(error) !== "Conflict") {
        problems.push({ reason: "HandBackFailed", message: messageOf(error) });
      }
      return false;
    }
  }
}
