import type { NodeConfig } from "../../../config/config.ts";
import { ClavigerError } from "../../../errors.ts";
import type { KeyringChange } from "../../../keyring/changes.ts";
import type { VersionRow } from "../../../keyring/rows.ts";
import { recordFollowed } from "../../../keyring/tables/followed-kinds.ts";
import { recordRemovedAliases } from "../../../keyring/tables/removed-aliases.ts";
import { recordServedImports } from "../../../keyring/tables/served-imports.ts";
import type { KeyringWriter } from "../../../keyring/writer.ts";
import type { Problem, VersionTester } from "../../../keys/version-tester.ts";
import type { Log } from "../../../log.ts";
import { keyRefText } from "../../../names.ts";
import { objectName } from "../../../resources/object-text.ts";
import type { KeyAlias } from "../../../resources/resources.ts";
import type { SealSource } from "../../../seal/seal-source.ts";
import type { BindingWrites, Leadership } from "../../../store/roles.ts";
import type { View } from "../../../store/view.ts";
import { OwnRecord } from "../../claims/own-record.ts";
import type { TimeSlice } from "../../time/time-slice.ts";
import { Binder } from "../binder.ts";
import { Eraser, type EraserStore, type EraserTime } from "../eraser.ts";
import { Giver, type GiverStore } from "../giver.ts";
import { importsServed, servedVersions } from "../served-versions.ts";
import type { VersionChecks } from "../version-checks.ts";
import { decideKeyring } from "./decide-keyring.ts";
import type { KeyringContents, KeyringPlan } from "./keyring-plan.ts";

export type FollowerStore = GiverStore & EraserStore & BindingWrites & Leadership;

export interface FollowerOptions {
  readonly config: Pick<NodeConfig, "nodeName" | "providers">;
  readonly store: FollowerStore;
  readonly keyring: KeyringWriter;
  readonly seals: SealSource;
  readonly time: EraserTime;
  readonly log: Log;
  readonly tester: VersionTester;
  readonly checks: VersionChecks;
}

/** Updates this node's keyring to the resources, and hands back what the API server has lost. */
export class KeyringFollower {
  readonly #providers: NodeConfig["providers"];
  readonly #store: FollowerStore;
  readonly #keyring: KeyringWriter;
  readonly #checks: VersionChecks;
  readonly #eraser: Eraser;
  readonly #giver: Giver;
  readonly #binder: Binder;
  /** True if the keyring says that it has had all keys. */
  #recorded = false;
  /**
   * The keys and aliases of providers that do not accept imported material in place of generated material.
   */
  readonly #guarded: ReadonlySet<string>;

  constructor(options: FollowerOptions) {
    this.#providers = options.config.providers;
    this.#store = options.store;
    this.#keyring = options.keyring;
    this.#checks = options.checks;
    const guarded = this.#providers.filter(({ allowImported }) => allowImported !== true);
    this.#guarded = new Set(guarded.map(({ ref }) => keyRefText(ref)));
    const apply = (changes: readonly KeyringChange[], problems: Problem[]) => this.#apply(changes, problems);
    this.#giver = new Giver({ ...options, apply });
    this.#binder = new Binder(options);
    this.#eraser = new Eraser({ ...options, apply });
  }

  /** Makes one pass. Returns the contradictions to this node's keyring, a sentence each. */
  async follow(view: View, problems: Problem[], slice: TimeSlice): Promise<readonly string[]> {
    const keyVersions = await this.#eraser.pass(view, OwnRecord.of(this.#keyring), problems);
    await slice.pause();
    const stored = this.#contents();
    const plan = await this.#planKeyring({ ...view, keyVersions }, stored, problems, slice);
    await slice.pause();
    const isStored = this.#apply(plan.changes, problems);
    await this.#giver.handBack(plan, problems);
    await this.#giver.settleSeals(plan, problems);
    await this.#binder.settle(plan, problems);
    if (this.#store.leading) await this.#binder.prove(plan, stored.versions, problems);
    this.#recordServed(this.#keyring.versions(), problems);
    this.#recordRemoved(view.keyAliases, problems);
    if (isStored) this.#recordFollowed(problems);
    return plan.contradictions;
  }

  async #planKeyring(
    living: View,
    stored: Contents,
    problems: Problem[],
    slice: TimeSlice,
  ): Promise<KeyringPlan> {
    const versions = await this.#checks.withoutFalseProofs(stored.versions, slice);
    const contents = { ...stored, versions };
    for (const { error } of contents.unreadable)
      problems.push({ reason: "VersionUnreadable", message: error.message });
    for (const { error } of this.#keyring.unreadableRows())
      problems.push({ reason: "RowUnreadable", message: error.message });
    const gone = [...this.#keyring.destroyedIds()].map((versionId) => ({ versionId }));
    const held = [...versions, ...contents.unreadable, ...gone];
    const acceptable = await this.#checks.acceptable(living, held, problems, slice);
    const proven = await this.#checks.proven(living, problems, slice);
    const served = servedVersions({ ...contents, ...this.#service() });
    await slice.pause();
    return decideKeyring(living, contents, { acceptable, proven, served, guarded: this.#guarded });
  }

  #apply(changes: readonly KeyringChange[], problems: Problem[]): boolean {
    return this.#orReport(problems, () => this.#keyring.apply(changes));
  }

  /** The plugin's own record of what it serves may be lost in a power cut. */
  #recordServed(versions: readonly VersionRow[], problems: Problem[]): void {
    const { providers, observations } = this.#service();
    const served = importsServed(providers, observations, versions);
    this.#orReport(problems, () => recordServedImports(this.#keyring, served));
  }

  /** Nothing is removed from the keyring, but applications do not use the alias of a KeyAlias that is gone. */
  #recordRemoved(keyAliases: readonly KeyAlias[], problems: Problem[]): void {
    const living = keyAliases.map((alias) => ({
      ...objectName(alias),
      masterKey: alias.status?.masterKey,
    }));
    this.#orReport(problems, () => recordRemovedAliases(this.#keyring, this.#keyring.aliases(), living));
  }

  /** From now on the absence of a row says that there is no such key. */
  #recordFollowed(problems: Problem[]): void {
    if (this.#recorded) return;
    this.#recorded = this.#orReport(problems, () => {
      recordFollowed(this.#keyring, "MasterKey");
      recordFollowed(this.#keyring, "KeyPolicy");
    });
  }

  /** Returns false if it failed: if the disk is full or broken, the present versions are reported all the same, with the reason. */
  #orReport(problems: Problem[], write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!isOfKeyring(error)) throw error;
      problems.unshift({ reason: error.code, message: error.message });
      return false;
    }
  }

  #contents() {
    return {
      keys: this.#keyring.keys(),
      aliases: this.#keyring.aliases(),
      tombstones: this.#keyring.tombstones(),
      policies: this.#keyring.policies(),
      ...this.#keyring.readVersions(),
    };
  }

  #service() {
    return { providers: this.#providers, observations: this.#keyring.observations() };
  }
}

type Contents = Pick<ReturnType<KeyringWriter["readVersions"]>, "versions" | "unreadable"> &
  Required<KeyringContents>;

/** Returns true if an error is a fault of the keyring's own file. */
export const isOfKeyring = (error: unknown): error is ClavigerError =>
  error instanceof ClavigerError && (error.code === "KeyringUnavailable" || error.code === "KeyringCorrupt");
