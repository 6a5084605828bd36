import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { newKeyId } from "../../crypto/ids.ts";
import { arnPrefixes } from "../../keys/arn.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import type { FreshObjects } from "../../store/roles.ts";
import type { Reencryptor } from "../reencryption/reencryptor.ts";
import { roundOf } from "../reencryption/round-of.ts";
import type { TimeKeeper } from "../time/time-keeper.ts";
import { decideMasterKey, type MasterKeyPlan } from "./decide-master-key.ts";
import { gatherMasterKey, type KeyFacts, type LeaderFacts } from "./gather-master-key.ts";
import { type Room, roomFor } from "./namespace-room.ts";
import { CountedUsage } from "./namespace-usage.ts";
import type { ObservedMasterKey } from "./observed-master-key.ts";

export interface PlannerOptions {
  readonly config: Pick<NodeConfig, "resources" | "etcd" | "region" | "account" | "limits"> &
    Partial<Pick<NodeConfig, "isRegionDefault">>;
  readonly store: FreshObjects;
  readonly clock: Pick<Clock, "now">;
  readonly time: Pick<TimeKeeper, "doubt">;
  readonly reencryptor: Pick<Reencryptor, "work">;
}

/** A plan, and the facts on which it was decided. */
export interface Planned {
  readonly plan: MasterKeyPlan;
  readonly observed: ObservedMasterKey;
}

/** Gathers the facts about a MasterKey, and decides its next step on them. */
export class Planner {
  readonly #options: PlannerOptions;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** The time by which material expires, and imports are judged. */
  get expiryNow(): Date {
    return this.#options.time.doubt?.at ?? this.#options.clock.now();
  }

  /**
   * Decides a step. A promotion, or a claim that something is done, is decided again on KeyServers read past
   * the cache, so that a node that has just joined counts.
   */
  async plan(key: KeyFacts, signal: AbortSignal): Promise<Planned> {
    const planned = this.#decide(key, key.index.view.keyServers);
    if (!needsFreshKeyServers(planned.plan, key.masterKey)) return planned;
    return this.#decide(key, await this.#options.store.fresh("KeyServer", signal));
  }

  #decide(key: KeyFacts, keyServers: readonly KeyServer[]): Planned {
    const observed = gatherMasterKey(key, keyServers, this.#facts(key), new Date());
    return { observed, plan: decideMasterKey(observed, this.#options.clock.now()) };
  }

  #facts(key: KeyFacts): LeaderFacts {
    const { config, reencryptor } = this.#options;
    const censusInterval = config.etcd?.censusInterval;
    return {
      work: reencryptor.work(roundOf(key.masterKey, key.masterKey.status)),
      reachable: config.resources.kind === "kubeconfig",
      census: config.etcd !== undefined,
      ...(censusInterval !== undefined && { censusInterval }),
      room: this.#room(key),
      freshKeyId: newKeyId(),
      ...arnPrefixes(config, "key"),
      expiryNow: this.expiryNow,
    };
  }

  #room({ masterKey, index, keyring }: KeyFacts): Room {
    const { config, clock } = this.#options;
    const name = objectName(masterKey);
    const usage = new CountedUsage(name.namespace, index, keyring);
    const hasKey = masterKey.status?.keyId !== undefined;
    return roomFor({ ...name, hasKey }, usage, config.limits, clock.now());
  }
}

/**
 * Returns true if a plan must be decided again on KeyServers read past the cache: it promotes a version, or
 * claims that stored data or a rotation is done. A node that has just joined counts.
 */
export const needsFreshKeyServers = (plan: MasterKeyPlan, before: MasterKey): boolean =>
  plan.step.kind === "promote" || completes(plan, before);

/** Returns true if stored data or a rotation is now reported as done and was not before. */
const completes = ({ fields: after }: MasterKeyPlan, { status: before }: MasterKey): boolean =>
  (after.reencryption?.phase === "Complete" && before?.reencryption?.phase !== "Complete") ||
  (before?.rotation?.running !== undefined && after.rotation?.running === undefined);
