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

/** How many versions of an older release are given their proof in one pass. */
const PROOFS_A_PASS = 100;

/** Keeps what a version's seal does not bind, its owner and its validTo, as this node has it proven or on record. */
export class Binder {
  readonly #store: BindingWrites;
  readonly #seals: SealSource;
  readonly #tester: VersionTester;
  readonly #log: Log;
  /** KeyVersions that were given a proof, as they were: an API server with an older CRD drops it without a word. */
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

  /** Puts back what somebody without the root key wrote. */
  async settle({ bindingsDiffer }: KeyringPlan, problems: Problem[]): Promise<void> {
    for (const { mine, object } of bindingsDiffer) {
      // To a node whose own root key is the wrong one, all proofs look forged.
      if ((await this.#tester.fault(mine)) !== undefined) continue;
      const { name } = object.metadata;
      const message = `KeyVersion ${name}: validTo or ownership is not what this node has proven or recorded; ours is put back`;
      problems.push({ reason: "BindingAltered", message });
      if (!(await this.#write(object, bindingOf(mine), problems))) return;
      this.#log("warn", `KeyVersion ${name}: an altered validTo or ownership was put back`);
    }
  }

  /**
   * Gives versions that an older release made, or whose validTo it moved, their proof, from this
   * node's own record. `stored` has the proofs that no longer fit: the next one comes after them. For the leader.
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

  /** Returns whether to go on with the others. */
  async #write(object: KeyVersion, binding: Binding, problems: Problem[]): Promise<boolean> {
    try {
      await atWritePoint("keyversion.seal", () => this.#store.setBinding(object, binding));
      return true;
    } catch (error) {
      // Another node was faster.
      if (codeOf(error) === "Conflict") return true;
      const message = `the ownership of KeyVersion ${object.metadata.name} could not be written: ${messageOf(error)}`;
      problems.push({ reason: "BindingNotWritten", message });
      return !isUnanswered(error);
    }
  }
}
