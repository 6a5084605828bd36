import { checkPromises } from "./check-promises.ts";
import { type Etcd, KEY_NAMES, masterKeyOf } from "./etcd.ts";
import { enable, recreate, setDeletion } from "./etcd-events.ts";
import type { Event } from "./events.ts";
import { happen } from "./happen.ts";
import type { ModelNode } from "./model-node.ts";
import { mend } from "./node-events.ts";
import type { Promises } from "./promises.ts";
import { type ClusterOptions, World } from "./world.ts";

/** More passes than anything needs that ends at all. */
const ENDLESS = 100;
/** Together with their pauses longer than the longest pause of a round, eight minutes. */
const STILL = 4;
/** Together with a minute longer than an API server takes to settle. */
const PAUSE_SECONDS = 200;
/** Longer than the waiting periods of this model. */
const WEEK_SECONDS = 8 * 86_400;

/** etcd with two MasterKeys and an alias, and nodes whose keyrings and API servers outlive its loss. */
export class ClusterModel {
  readonly #world: World;

  constructor(options: ClusterOptions) {
    this.#world = new World(options);
  }

  get nodes(): readonly ModelNode[] {
    return this.#world.nodes;
  }

  /** versionIds of destroyed versions. The destruction was checked when it happened. */
  get destroyed(): ReadonlySet<string> {
    return this.#world.destroyed;
  }

  get etcd(): Etcd {
    return this.#world.etcd;
  }

  get promises(): Promises {
    return this.#world.promises;
  }

  /** The true time. */
  get now(): number {
    return this.#world.now;
  }

  /** Applies an event. Throws if a promise is broken, by the event or afterwards. */
  apply(event: Event): void {
    const before = this.etcd;
    happen(this.#world, event);
    checkPromises(this.#world, before);
  }

  /** Lets everybody work until nothing has changed for longer than the longest wait. */
  settle(): void {
    for (const node of this.nodes) mend(this.#world, node);
    this.#world.leader.rewriter.allowAll();
    for (const key of KEY_NAMES) {
      enable(this.#world, key, true);
      setDeletion(this.#world, key, false);
    }
    let still = 0;
    for (let pass = 0; still < STILL; pass++) {
      if (pass > ENDLESS) throw new Error("it never settles");
      const before = { etcd: this.etcd, changes: this.#keyringChanges() };
      this.apply({ kind: "everybody" });
      this.apply({ kind: "idle", seconds: PAUSE_SECONDS });
      for (const key of KEY_NAMES) {
        if (masterKeyOf(this.etcd, key).status?.keyState === "Destroyed") recreate(this.#world, key);
      }
      const same = this.etcd === before.etcd && this.#keyringChanges() === before.changes;
      still = same ? still + 1 : 0;
      if (still >= STILL && this.#keepsForNow()) {
        this.apply({ kind: "idle", seconds: WEEK_SECONDS });
        still = 0;
      }
    }
  }

  /**
   * Returns true if a node that saw a waiting period begin later than the leader still keeps destroyed
   * material.
   */
  #keepsForNow(): boolean {
    return this.nodes.some(({ problems }) => problems.some(({ reason }) => reason === "DestructionNotDue"));
  }

  #keyringChanges(): number {
    return this.nodes.reduce((sum, { keyring }) => sum + keyring.changes, 0);
  }
}
