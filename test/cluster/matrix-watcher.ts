import { setTimeout as sleep } from "node:timers/promises";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { storedValue } from "../../src/storage/etcd/stored-value.ts";
import { inScope } from "../../src/storage/scope.ts";
import type { Etcd } from "../controlplane/etcd.ts";
import { eventually } from "../controlplane/wait.ts";
import type { Ledger } from "./matrix-ledger.ts";
import {
  type Chains,
  type PossibleChains,
  type Resource,
  resourcesOf,
  type Scenario,
  standingOf,
} from "./matrix-scenarios.ts";
import type { Door } from "./matrix-traffic.ts";

const MASTER_KEYS = "/apis/kms.claviger.dev/v1alpha1/namespaces/claviger-system/masterkeys";
const PAUSE_MILLISECONDS = 250;

/** A claim in a MasterKey's status: everything in this scope is stored under this key_id. */
interface Claim {
  readonly kmsKeyId: string;
  readonly completedAt: string;
  readonly scope: readonly string[];
}

/**
 * Compares claviger's reports with the contents of etcd, all the time. Of claviger's code it only uses the
 * parser of a value's first bytes.
 */
export class MatrixWatcher {
  readonly #options: Options;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #looks = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** Waits until a look has ended that began after this call. */
  async looked(): Promise<void> {
    const before = this.#looks;
    // The look in progress may have begun before this call.
    await eventually("the watcher has looked", async () => this.#looks >= before + 2);
  }

  /** Returns the MasterKeys by name, as the API server has them now. */
  async masterKeys(): Promise<ReadonlyMap<string, MasterKey>> {
    const door = this.#options.doors.find(({ open }) => open) ?? this.#options.doors[0];
    if (door === undefined) throw new Error("there is no API server");
    const { status, body } = await door.use((server) => server.request("GET", MASTER_KEYS));
    if (status !== 200) throw new Error(`HTTP ${status} for ${MASTER_KEYS}`);
    const { items } = body as { readonly items: readonly MasterKey[] };
    return new Map(items.map((key) => [key.metadata.name, key]));
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#look();
        this.#looks += 1;
      } catch (error) {
        this.#options.ledger.note("watcher", "failed", String(error));
      }
      await sleep(PAUSE_MILLISECONDS);
    }
  }

  /** Checks only claims that were there, unchanged, before and after etcd was read. */
  async #look(): Promise<void> {
    const before = await this.masterKeys();
    const found = new Map<string, readonly string[]>();
    for (const scenario of this.#options.scenarios) {
      const claim = claimOf(before.get(scenario.name));
      if (claim !== undefined) found.set(scenario.name, await this.#contradictions(scenario, claim));
    }
    const after = await this.masterKeys();
    for (const scenario of this.#options.scenarios) {
      const claim = claimOf(before.get(scenario.name));
      if (claim === undefined || !same(claim, claimOf(after.get(scenario.name)))) continue;
      this.#judge(scenario, claim, found.get(scenario.name) ?? []);
    }
  }

  async #contradictions(scenario: Scenario, claim: Claim): Promise<string[]> {
    const covered = resourcesOf(scenario).filter(({ pattern }) => covers(claim.scope, pattern));
    const wrong = await Promise.all(covered.map((resource) => this.#wrong(resource, claim.kmsKeyId)));
    return wrong.flat();
  }

  async #wrong({ prefix }: Resource, kmsKeyId: string): Promise<string[]> {
    const entries = await this.#options.etcd.get(prefix);
    return entries.flatMap(({ key, value }) => {
      const stored = storedValue(value);
      return stored.kind === "kms-v2" && stored.keyId === kmsKeyId
        ? []
        : [`${key} is ${JSON.stringify(stored)}`];
    });
  }

  #judge(scenario: Scenario, claim: Claim, wrong: readonly string[]): void {
    const { ledger, chains } = this.#options;
    const said = `Complete of ${claim.scope.join(", ") || "nothing"} at ${claim.completedAt} under ${claim.kmsKeyId}`;
    const standing = chains(scenario).map((possible) => standingContradiction(scenario, possible, claim));
    // While an API server loads its file, a claim that is true of one of its possible states is not false.
    const contradictions = [
      ...wrong,
      ...(standing.some((texts) => texts.length === 0) ? [] : standing.flat()),
    ];
    if (contradictions.length === 0) ledger.checked(`claim of ${scenario.name}`);
    else if (!ledger.mayBeLate(Date.parse(claim.completedAt)))
      ledger.note(scenario.name, "false claim", `${said}, and ${contradictions.slice(0, 5).join("; ")}`);
  }
}

interface Options {
  readonly doors: readonly Door[];
  readonly etcd: Etcd;
  readonly scenarios: readonly Scenario[];
  readonly chains: PossibleChains;
  readonly ledger: Ledger;
}

/** Returns everything that looks like success to a person or a program: the phase, the condition, or both. */
export function claimOf(key: MasterKey | undefined): Claim | undefined {
  const { reencryption, conditions } = key?.status ?? {};
  const condition = conditionOf(conditions, "Reencrypted");
  if (reencryption?.phase !== "Complete" && condition?.status !== "True") return undefined;
  return {
    kmsKeyId: reencryption?.kmsKeyId ?? "",
    completedAt: reencryption?.completedAt ?? condition?.lastTransitionTime ?? "",
    scope: reencryption?.resources ?? [],
  };
}

export function covers(scope: readonly string[], pattern: string): boolean {
  const [resource = "", ...group] = pattern.split(".");
  return inScope(scope, { resource, group: group.join(".") });
}

const same = (a: Claim, b: Claim | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * A contradiction even if nothing is wrong in etcd yet, because an API server that writes otherwise makes the
 * next object wrong.
 */
function standingContradiction(scenario: Scenario, chains: Chains, claim: Claim): string[] {
  if (standingOf(scenario, chains) === "nothing") return ["no API server writes under the key"];
  if (!covers(claim.scope, scenario.resource.pattern)) return [];
  const others = chains.flatMap(([first = "identity"], index) =>
    first === "claviger"
      ? []
      : [`API server ${index + 1} writes ${scenario.resource.pattern} under ${first}`],
  );
  return others;
}
