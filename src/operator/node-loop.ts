import { isDeepStrictEqual } from "node:util";
import type { NodeConfig } from "../config.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { VersionRow } from "../keyring/rows.ts";
import type { KeyringWriter } from "../keyring/writer.ts";
import type { KeyServerStatus } from "../kube/resources.ts";
import type { Log } from "../log.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { atWritePoint } from "../write-points.ts";
import { withFindings } from "./conditions.ts";
import { erasedHere } from "./decide-erasure.ts";
import { decideKeyServerStatus } from "./decide-key-server.ts";
import {
  decideKeyring,
  type KeyringPlan,
  keyVersionName,
  toKeyVersionSpec,
  toVersionRow,
} from "./decide-keyring.ts";
import { Eraser } from "./eraser.ts";
import type { ResourceStore, View } from "./resource-store.ts";
import { SocketScopes } from "./socket-scopes.ts";
import { type Problem, VersionTester } from "./version-tester.ts";
import { promotionCandidate } from "./versions.ts";
import { ViewIndex } from "./view-index.ts";

/**
 * Keeps this node's keyring in step with the resources and reports what it
 * holds. Every node's operator runs one, leader or not.
 */
export class NodeLoop {
  readonly #config: NodeConfig;
  readonly #store: ResourceStore;
  readonly #keyring: KeyringWriter;
  readonly #seals: SealSource;
  readonly #log: Log;
  readonly #tester: VersionTester;
  readonly #scopes: SocketScopes;
  readonly #eraser: Eraser;
  #nodeUid: string | undefined;
  #reported: KeyServerStatus | undefined;

  constructor(options: {
    readonly config: NodeConfig;
    readonly store: ResourceStore;
    readonly keyring: KeyringWriter;
    readonly seals: SealSource;
    readonly log: Log;
  }) {
    this.#config = options.config;
    this.#store = options.store;
    this.#keyring = options.keyring;
    this.#seals = options.seals;
    this.#tester = new VersionTester(options.seals);
    this.#eraser = new Eraser(options);
    this.#log = options.log;
    this.#scopes = new SocketScopes(options.config.encryptionConfig);
  }

  /**
   * One pass: register, store, hand back, report. A node makes itself known
   * before it stores its first version, so that no promotion misses it.
   * Returns whether all is well; where not, a later pass may find it mended.
   */
  async reconcile(now: Date, signal: AbortSignal): Promise<boolean> {
    const view = this.#store.view();
    if (view === undefined) return false;
    const { nodeName } = this.#config;
    const own = view.keyServers.find((server) => server.metadata.name === nodeName);
    this.#nodeUid ??= await this.#store.nodeUid(nodeName, signal);
    if (own === undefined) await this.#register(now);
    const problems: Problem[] = [];
    const keyVersions = await this.#eraser.pass(view, problems);
    const living = { ...view, keyVersions };
    const contents = this.#contents();
    for (const { error } of contents.unreadable)
      problems.push({ reason: "VersionUnreadable", message: error.message });
    const held = [...contents.versions, ...contents.unreadable];
    const plan = decideKeyring(living, contents, await this.#acceptable(living, held, problems));
    this.#keyring.apply(plan.changes);
    await this.#handBack(plan, problems);
    await this.#settleSeals(plan, living, problems);
    const versions = this.#keyring.versions();
    const prepared = await this.#prepare(new ViewIndex(view), versions, problems);
    const seal = this.#seal(problems);
    for (const message of plan.contradictions) problems.push({ reason: "Contradiction", message });
    const providers = this.#scopes.of(this.#config.providers, own?.status, problems);
    const observed = {
      before: own?.status,
      nodeUid: this.#nodeUid,
      persistedResourceVersion: view.keyVersionsUpTo,
      versions,
      prepared,
      erased: erasedHere(this.#keyring.tombstones(), view.keyVersions),
      problems,
      seal,
      providers,
      observations: this.#keyring.observations(),
    };
    const status = decideKeyServerStatus(observed, now);
    this.#keyring.mustBeInPlace();
    await this.#report(status, own?.status);
    return status.conditions?.every((condition) => condition.status === "True") ?? true;
  }

  /** Whether there is something to report that is no resource: the EncryptionConfiguration was edited. */
  get encryptionConfigChanged(): boolean {
    return this.#scopes.changed();
  }

  async #register(now: Date): Promise<void> {
    if (this.#reported !== undefined) return;
    const starting = {
      type: "Ready",
      status: "False",
      reason: "Starting",
      message: "reading the versions",
    } as const;
    const status = {
      versions: 0,
      prepared: [],
      conditions: withFindings(undefined, [starting], undefined, now),
    };
    await this.#store.reportKeyServer(this.#config.nodeName, status);
  }

  #contents() {
    return {
      keys: this.#keyring.keys(),
      aliases: this.#keyring.aliases(),
      ...this.#keyring.readVersions(),
    };
  }

  async #handBack({ handBack }: KeyringPlan, problems: Problem[]): Promise<void> {
    for (const version of handBack) {
      try {
        if (await this.#createMissing(version)) {
          this.#log(
            "warn",
            `KeyVersion ${keyVersionName(version)} was missing and is handed back from this node's keyring`,
          );
        }
      } catch (error) {
        // Another node was faster.
        if (codeOf(error) === "Conflict") continue;
        problems.push({ reason: "HandBackFailed", message: messageOf(error) });
      }
    }
  }

  /** Looks once more, as every node hands back at the same moment. Returns whether it was made here. */
  async #createMissing(version: VersionRow): Promise<boolean> {
    const present = this.#store.view()?.keyVersions ?? [];
    if (present.some(({ spec }) => spec.versionId === version.versionId)) return false;
    // After a restore the usual name may belong to another version of the same number.
    const usual = keyVersionName(version);
    const taken = present.some(({ metadata }) => metadata.name === usual);
    const name = taken ? `${usual}-${version.versionId.slice(0, 8)}` : usual;
    await atWritePoint("keyversion.create", () =>
      this.#store.createKeyVersion(name, toKeyVersionSpec(version)),
    );
    return true;
  }

  /** The offered versions not held yet that open here. What is wrong with the others is shown. */
  async #acceptable(
    { keyVersions }: View,
    held: readonly { readonly versionId: string }[],
    problems: Problem[],
  ): Promise<Set<string>> {
    const known = new Set<string>(held.map((version) => version.versionId));
    const acceptable = new Set<string>();
    for (const offered of keyVersions) {
      if (known.has(offered.spec.versionId)) continue;
      const fault = await this.#tester.fault(toVersionRow(offered));
      if (fault === undefined) acceptable.add(offered.spec.versionId);
      else problems.push(fault);
    }
    return acceptable;
  }

  /** Where the seals differ, theirs is taken if it opens (a re-seal); if not and ours does, theirs is mended. */
  async #settleSeals({ sealsDiffer }: KeyringPlan, view: View, problems: Problem[]): Promise<void> {
    for (const { mine, theirs } of sealsDiffer) {
      const theirFault = await this.#tester.fault(theirs);
      if (theirFault === undefined) {
        this.#keyring.apply([{ kind: "putVersion", version: theirs }]);
        continue;
      }
      const name = keyVersionName(mine);
      problems.push({
        reason: "SealAltered",
        message: `the seal of KeyVersion ${name} was changed: ${theirFault.message}`,
      });
      const object = view.keyVersions.find(({ spec }) => spec.versionId === mine.versionId);
      if (object === undefined || (await this.#tester.fault(mine)) !== undefined) continue;
      await atWritePoint("keyversion.seal", () =>
        this.#store.replaceSeal(object, toKeyVersionSpec(mine).seal),
      );
      this.#log("warn", `the seal of KeyVersion ${name} did not open and was replaced by this node's own`);
    }
  }

  /**
   * The candidates for promotion that this node could serve this very moment.
   * Current versions are tested too: a node that cannot open them must not look well.
   */
  async #prepare(
    index: ViewIndex,
    versions: readonly VersionRow[],
    problems: Problem[],
  ): Promise<{ name: string; versionId: string }[]> {
    const stored = new Map<string, VersionRow>(versions.map((version) => [version.versionId, version]));
    const prepared: { name: string; versionId: string }[] = [];
    for (const masterKey of index.view.masterKeys) {
      const current = stored.get(masterKey.status?.currentVersion?.versionId ?? "");
      const currentFault = current && (await this.#tester.fault(current));
      if (currentFault !== undefined) problems.push(currentFault);
      const candidate = promotionCandidate(masterKey, index.versionsFor(masterKey));
      const row = stored.get(candidate?.spec.versionId ?? "");
      if (candidate === undefined || row === undefined) continue;
      const fault = await this.#tester.fault(row);
      if (fault === undefined) prepared.push({ name: candidate.metadata.name, versionId: row.versionId });
      else problems.push(fault);
    }
    return prepared;
  }

  #seal(problems: Problem[]): { provider: string; rootKeyId: string } | undefined {
    try {
      const { provider, rootKeyId } = this.#seals.get();
      return { provider, rootKeyId };
    } catch (error) {
      problems.push({ reason: "SealUnavailable", message: messageOf(error) });
      return undefined;
    }
  }

  async #report(status: KeyServerStatus, before: KeyServerStatus | undefined): Promise<void> {
    const known = before ?? this.#reported;
    if (known !== undefined && isDeepStrictEqual(withoutPosition(known), withoutPosition(status))) return;
    await atWritePoint("keyserver.status", () => this.#store.reportKeyServer(this.#config.nodeName, status));
    this.#reported = status;
  }
}

/** resourceVersions move with every heartbeat elsewhere; alone they are no news. */
function withoutPosition(status: KeyServerStatus): KeyServerStatus {
  const { persistedResourceVersion: _, ...rest } = status;
  return rest;
}
