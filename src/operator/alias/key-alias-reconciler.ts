import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { arnPrefixes } from "../../keys/arn.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyAlias } from "../../resources/resources.ts";
import type { LeaderKeyring } from "../claims/leader-keyring.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import { aliasLack, type Lack } from "../master-key/namespace-room.ts";
import { CountedUsage } from "../master-key/namespace-usage.ts";
import type { StatusWriter } from "../status-writer.ts";
import { decideKeyAlias, type KeyAliasStep } from "./decide-key-alias.ts";
import { gatherKeyAlias } from "./gather-key-alias.ts";

/** How soon to look again at an alias that waits for a node: Leases run out without an event. */
const WAITING_MILLISECONDS = 5_000;
/** How soon to look again at an alias that waits for room in its namespace, or for somebody to change an object. */
const ROOM_MILLISECONDS = 60_000;
/** Thousands of aliases may wait for these. */
const AWAITED_BY_MANY = new Set([
  "QuotaExceeded",
  "MasterKeyNotFound",
  "MasterKeyNotReady",
  "TooManyFormerTargets",
  "ImportedNotAllowed",
]);

type AliasConfig = Pick<NodeConfig, "limits" | "region" | "account"> &
  Partial<Pick<NodeConfig, "isRegionDefault">>;

/** Decides for the leader to which keys KeyAliases point. */
export class KeyAliasReconciler {
  readonly #config: AliasConfig;
  readonly #keyring: LeaderKeyring;
  readonly #clock: Pick<Clock, "now">;
  readonly #writer: StatusWriter;

  constructor(options: {
    readonly config: AliasConfig;
    readonly keyring: LeaderKeyring;
    readonly clock: Pick<Clock, "now">;
    readonly writer: StatusWriter;
  }) {
    this.#config = options.config;
    this.#keyring = options.keyring;
    this.#clock = options.clock;
    this.#writer = options.writer;
  }

  /** One step for one alias. Returns after how many milliseconds to look again, if a wait is needed. */
  async reconcile(alias: KeyAlias, index: ViewIndex): Promise<number | undefined> {
    const lack = () => this.#lack(alias, index);
    const sources = {
      ...{ alias, index, keyring: this.#keyring, lack },
      ...arnPrefixes(this.#config, "alias"),
    };
    const plan = decideKeyAlias(gatherKeyAlias(sources, new Date()), this.#clock.now());
    await this.#writer.writeKeyAlias(alias, plan.status);
    return pauseAfter(plan.step);
  }

  #lack(alias: KeyAlias, index: ViewIndex): Lack | undefined {
    const name = objectName(alias);
    const usage = new CountedUsage(name.namespace, index, this.#keyring);
    return aliasLack(name, usage, this.#config.limits);
  }
}

/**
 * An alias that waits for nodes or for a time is looked at soon; other reasons end with an event of some
 * object.
 */
function pauseAfter(step: KeyAliasStep): number | undefined {
  if (step.kind === "point") return undefined;
  return AWAITED_BY_MANY.has(step.finding.reason) ? ROOM_MILLISECONDS : WAITING_MILLISECONDS;
}
