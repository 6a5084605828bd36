import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import type { FreshObjects, StatusWrites } from "../../store/roles.ts";
import { foreignPart } from "../claims/decide-claims.ts";
import type { LeaderKeyring } from "../claims/leader-keyring.ts";
import { leavingPart } from "../claims/leaving-claims.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import type { ObservedImport } from "../import/decide-import.ts";
import { failedImportPart } from "../import/import-status.ts";
import type { MaterialImporter } from "../import/material-importer.ts";
import { policyPart } from "../policy/policy-part.ts";
import type { Reencryptor } from "../reencryption/reencryptor.ts";
import { roundOf } from "../reencryption/round-of.ts";
import { NO_TASK, type ReencryptionTask } from "../reencryption/work.ts";
import { isDestroyed } from "../retirement/decide-deletion.ts";
import { retirementParts } from "../retirement/decide-retirement.ts";
import type { Finalizers } from "../retirement/finalizers.ts";
import { usersOf } from "../retirement/key-uses.ts";
import type { Retirement } from "../retirement/retirement.ts";
import type { StatusWriter } from "../status-writer.ts";
import type { TimeKeeper } from "../time/time-keeper.ts";
import { assembleStatus, type StatusPart } from "./assemble-status.ts";
import type { MasterKeyPlan } from "./decide-master-key.ts";
import { gatherKey, type KeyFacts } from "./gather-master-key.ts";
import { KeyVersionStatuses } from "./key-version-statuses.ts";
import { nextLook, WAITING_MILLISECONDS } from "./next-look.ts";
import { type Planned, Planner } from "./planner.ts";
import type { VersionMaker } from "./version-maker.ts";
import { versionNotMade } from "./version-not-made.ts";

interface Options {
  readonly config: NodeConfig;
  readonly store: FreshObjects & StatusWrites;
  readonly keyring: LeaderKeyring;
  readonly clock: Pick<Clock, "now" | "longestPause">;
  readonly time: Pick<TimeKeeper, "doubt">;
  readonly reencryptor: Pick<Reencryptor, "work" | "ensure">;
  readonly maker: VersionMaker;
  readonly importer: MaterialImporter;
  readonly retirement: Pick<Retirement, "factsFor" | "freshFactsFor">;
  readonly finalizers: Finalizers;
  readonly writer: StatusWriter;
}

/** Takes MasterKeys one step forward for the leader. */
export class MasterKeyReconciler {
  readonly #options: Options;
  readonly #planner: Planner;
  readonly #versionStatuses: KeyVersionStatuses;

  constructor(options: Options) {
    this.#options = options;
    this.#planner = new Planner(options);
    this.#versionStatuses = new KeyVersionStatuses(options.store);
  }

  /** One step for one MasterKey. Returns after how many milliseconds to look again. */
  async reconcile(masterKey: MasterKey, index: ViewIndex, signal: AbortSignal): Promise<number> {
    const key = gatherKey(masterKey, index, this.#options.keyring);
    if (key.checked.foreign !== undefined) return this.#disown(key, key.checked.foreign);
    // An object that is being deleted, or whose material was destroyed, gets no new material.
    if (isLeaving(key)) return this.#retire(key);
    const planned = await this.#planner.plan(key, signal);
    await this.#makeVersion(key, planned.plan, signal);
    const importing = this.#importing(key, planned, signal);
    const imported = await this.#import(key, importing);
    const status = this.#assemble(key, [planned.plan, imported]);
    const written = await this.#options.writer.writeMasterKey(masterKey, status);
    this.#followStoredData(masterKey, status, planned.plan.task);
    await this.#finish(key, written);
    return this.#nextLook(planned.plan, importing, index);
  }

  /**
   * Handles a MasterKey whose status has the keyId of another MasterKey. Reports that in its conditions, then
   * removes claviger's finalizer: this MasterKey has no key to protect.
   */
  async #disown({ masterKey }: KeyFacts, foreign: string): Promise<number> {
    const { clock, writer, finalizers } = this.#options;
    const status = assembleStatus(masterKey, [foreignPart(masterKey, foreign)], clock.now());
    const written = await writer.writeMasterKey(masterKey, status);
    if (!written) await finalizers.release(masterKey);
    return WAITING_MILLISECONDS;
  }

  async #retire(key: KeyFacts): Promise<number> {
    const { reencryptor, writer } = this.#options;
    const { masterKey } = key;
    reencryptor.ensure({ ...roundOf(masterKey, undefined), engine: "Claviger", task: NO_TASK });
    const status = this.#assemble(key, [leavingPart(masterKey)]);
    const written = await writer.writeMasterKey(masterKey, status);
    await this.#finish(key, written);
    return WAITING_MILLISECONDS;
  }

  async #makeVersion(key: KeyFacts, plan: MasterKeyPlan, signal: AbortSignal): Promise<void> {
    const { step } = plan;
    if (step.kind !== "createVersion") return;
    const { masterKey, index } = key;
    const make = () => this.#options.maker.make(masterKey, step, index, signal);
    await this.#orSay(key, make, (why) => [plan, versionNotMade(masterKey, plan, why)]);
  }

  #importing(
    { masterKey, checked, index }: KeyFacts,
    { plan, observed }: Planned,
    signal: AbortSignal,
  ): ObservedImport {
    const { versions, nodes, room } = observed;
    const { retirement } = this.#options;
    const users = () => usersOf(checked.masterKey, versions, retirement.factsFor(masterKey, index));
    const freshUsers = async () =>
      usersOf(checked.masterKey, versions, await retirement.freshFactsFor(masterKey, index, signal));
    const { doubt } = this.#options.time;
    const timeUnknown = doubt?.at === undefined ? doubt?.obstacle : undefined;
    const unsettled = index.isUnsettled(masterKey);
    return { masterKey, plan, versions, nodes, room, users, freshUsers, timeUnknown, unsettled };
  }

  #import(key: KeyFacts, importing: ObservedImport): Promise<StatusPart> {
    const now = this.#planner.expiryNow;
    const advance = () => this.#options.importer.advance(importing, now);
    return this.#orSay(key, advance, (why) => {
      const failed = failedImportPart(importing, why, now);
      return failed && [importing.plan, failed];
    });
  }

  /**
   * Says in the status why something cannot be created, because the log is on one node only. The error is
   * retried.
   */
  async #orSay<T>(
    key: KeyFacts,
    make: () => Promise<T>,
    failed: (why: string) => readonly StatusPart[] | undefined,
  ): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (codeOf(error) === "Conflict" || isUnanswered(error)) throw error;
      const parts = failed(messageOf(error));
      if (parts === undefined) throw error;
      await this.#options.writer.writeMasterKey(key.masterKey, this.#assemble(key, parts));
      throw error;
    }
  }

  /**
   * The key's users, its deletion and its destroyed versions come last, because they override the other
   * decisions.
   */
  #assemble(
    { masterKey, checked, versions, index }: KeyFacts,
    parts: readonly StatusPart[],
  ): MasterKeyStatus {
    const now = this.#options.clock.now();
    const facts = this.#options.retirement.factsFor(masterKey, index);
    const policy = policyPart(masterKey, this.#options.config.account);
    const all = [...parts, policy, ...retirementParts(checked.masterKey, versions, facts, now)];
    return assembleStatus(masterKey, all, now);
  }

  /** Call this after the status is written: only then may the result of a round be forgotten. */
  #followStoredData(masterKey: MasterKey, status: MasterKeyStatus, task: ReencryptionTask): void {
    const engine = masterKey.spec.reencryption?.engine ?? "Claviger";
    this.#options.reencryptor.ensure({ ...roundOf(masterKey, status), engine, task });
  }

  /**
   * The change of the step comes back as an event. The states of versions follow the stored MasterKey. A pass
   * makes one write to one object, so the finalizer, whose reason is in the status, waits for the next pass.
   * It comes last, so that everything else continues if it may not be set.
   */
  async #finish({ masterKey, versions, index }: KeyFacts, written: boolean): Promise<void> {
    const { retirement, finalizers } = this.#options;
    await this.#versionStatuses.follow(masterKey, versions);
    if (!written) await finalizers.settle(masterKey, versions, retirement.factsFor(masterKey, index));
  }

  #nextLook(plan: MasterKeyPlan, importing: ObservedImport, { view }: ViewIndex): number {
    const { config, clock, importer } = this.#options;
    const pace = {
      longestPause: clock.longestPause,
      censusInterval: config.etcd?.censusInterval,
      keys: view.masterKeys.length,
    };
    const afterImport = importer.lookAgain(importing, this.#planner.expiryNow) ?? Infinity;
    return Math.min(nextLook(plan, pace, clock.now()), afterImport);
  }
}

/** A "Destroyed" that somebody wrote into the status, and the keyring contradicts, does not count. */
const isLeaving = ({ checked: { masterKey }, versions }: KeyFacts): boolean =>
  masterKey.metadata.deletionTimestamp !== undefined || isDestroyed(masterKey, versions);
