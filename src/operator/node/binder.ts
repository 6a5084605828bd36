import { codeOf, messageOf } from "../../errors.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import type { Problem, VersionTester } from "../../keys/version-tester.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import { type Binding, bindingOf, toOwnershipSpec } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { proveOwnership } from "../../seal/ownership.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { BindingWrites } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";
import type { KeyringPlan } from "./keyring/keyring-plan.ts";

/** The number of versions of an older release that get their proof in one pass. */
const PROOFS_A_PASS = 100;

/**
 * Keeps the fields that a version's seal does not bind, its owner and its validTo, as this node has them
 * proven or recorded.
 */
export class Binder {
  readonly #store: BindingWrites;
  readonly #seals: SealSource;
  readonly #tester: VersionTester;
  readonly #log: Log;
  /**
   * KeyVersions that were given a proof, in their former state: an API server with an older CRD silently
   * drops the proof.
   */
  readonly #given = new Set<string>();

  constructor(options: {
    readonly store: BindingWrites;
    readonly seals: SealSource;
    readonly tester: VersionTester;
    readonly log: Log;
  }) {
    this.#store = options.store;
    this.#seals = options.seals;
    this.#tester = options.tester;
    this.#log = options.log;
  }

  /** Restores fields that somebody without the root key changed. */
  async settle({ bindingsDiffer }: KeyringPlan, problems: Problem[]): Promise<void> {
    for (const { mine, object } of bindingsDiffer) {
      // If a node's own root key is the wrong one, all proofs look forged to it.
      if ((await this.#tester.fault(mine)) !== undefined) continue;
      const { name } = object.metadata;
      const message = `KeyVersion ${name}: validTo or ownership is not what this node has proven or recorded; ours is put back`;
      problems.push({ reason: "BindingAltered", message });
      if (!(await this.#write(object, bindingOf(mine), problems))) return;
      this.#log("warn", `KeyVersion ${name}: an altered validTo or ownership was put back`);
    }
  }

  /**
   * Gives versions that an older release created, or whose validTo it changed, their proof, from this node's
   * own record. `stored` has the proofs that no longer fit: the next proof gets a higher revision. For the
   * leader.
   */
  async prove({ unproven }: KeyringPlan, stored: readonly VersionRow[], problems: Problem[]): Promise<void> {
    if (unproven.length === 0) return;
    const former = new Map<string, number>(
      stored.map(({ versionId, ownership }) => [versionId, ownership?.revision ?? 0]),
    );
    let proofs = 0;
    for (const { mine, object } of unproven) {
      const { name, uid, resourceVersion } = object.metadata;
      const state = `${name} ${uid} ${resourceVersion}`;
      if (this.#given.has(state)) {
        const message = `the API server does not keep the ownership proof of KeyVersion ${name}: apply the CRDs of this release`;
        problems.push({ reason: "CRDOutdated", message });
        return;
      }
      if (proofs++ >= PROOFS_A_PASS) return;
      if ((await this.#tester.fault(mine)) !== undefined) continue;
      const ownership = toOwnershipSpec(
        await proveOwnership(this.#seals, mine, (former.get(mine.versionId) ?? 0) + 1),
      );
      if (!(await this.#write(object, { ...bindingOf(mine), ownership }, problems))) return;
      this.#given.add(state);
    }
  }

  /** Returns true if the others should be tried too. */
  async #write(object: KeyVersion, binding: Binding, problems: Problem[]): Promise<boolean> {
    try {
      await atWritePoint("keyversion.seal", () => this.#store.setBinding(object, binding));
      return true;
    } catch (error) {
      // Another node wrote first.
      if (codeOf(error) === "Conflict") return true;
      const message = `the ownership of KeyVersion ${object.metadata.name} could not be written: ${messageOf(error)}`;
      problems.push({ reason: "BindingNotWritten", message });
      return !isUnanswered(error);
    }
  }
}
