import type { Log } from "../../log.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { WorkQueue } from "../work-queue.ts";
import { GrantFollower } from "./grant-follower.ts";
import { GrantReconciler, type GrantReconcilerOptions } from "./grant-reconciler.ts";
import { GrantUsageReporter, type GrantUsageReporterOptions } from "./grant-usage-reporter.ts";

/** Work on this node's record of the grants, which is everything that has changed, or on one KeyGrant. */
type Work = { readonly kind: "follow" } | { readonly kind: "decide"; readonly name: ObjectName };

const FOLLOW: Work = { kind: "follow" };
/** The one item of the queue of reports. */
const USES = "uses of KeyGrants";
const REPORT_MILLISECONDS = 60_000;

/**
 * Works on KeyGrants, apart from the keys: very many grants delay no rotation. Each node records the grants that
 * are proven; the leader decides which are accepted.
 */
export class GrantsLoop {
  readonly #store: GrantReconcilerOptions["store"];
  readonly #follower: GrantFollower;
  readonly #reconciler: GrantReconciler;
  readonly #reporter: GrantUsageReporter;
  readonly #queue: WorkQueue<Work>;
  /** A queue of its own: an end must not wait for the reports. */
  readonly #reports: WorkQueue<typeof USES>;
  #signal: AbortSignal = AbortSignal.abort();

  constructor(options: GrantReconcilerOptions & GrantUsageReporterOptions & { readonly log: Log }) {
    this.#store = options.store;
    this.#follower = new GrantFollower(options);
    this.#reconciler = new GrantReconciler(options);
    this.#reporter = new GrantUsageReporter(options);
    this.#reports = new WorkQueue(() => this.#report(), options.log, {
      keyOf: () => USES,
      leastRetryMilliseconds: REPORT_MILLISECONDS,
    });
    this.#queue = new WorkQueue((work) => this.#work(work), options.log, {
      keyOf: (work) => (work.kind === "follow" ? "grants" : `KeyGrant ${nameText(work.name)}`),
      namespaceOf: (work) => (work.kind === "follow" ? "" : work.name.namespace),
      // An end must reach this node before the leader gets on with thousands of new grants.
      laneOf: (work) => (work.kind === "follow" ? "prompt" : "bulk"),
    });
  }

  get failureCount(): number {
    return this.#queue.failureCount + this.#reports.failureCount;
  }

  /** Runs until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#reports.addAfter(USES, REPORT_MILLISECONDS);
    await Promise.all([this.#queue.run(signal), this.#reports.run(signal)]);
  }

  changed(grant: KeyGrant): void {
    const name = objectName(grant);
    this.#follower.changed(name);
    this.#queue.add(FOLLOW);
    this.#queue.add({ kind: "decide", name });
  }

  /** Looks at everything: at the start, and when this operator begins to lead. */
  begin(): void {
    this.#follower.changedAll();
    this.#reconciler.begin();
    this.#queue.add(FOLLOW);
    for (const grant of this.#store.keyGrants() ?? [])
      this.#queue.add({ kind: "decide", name: objectName(grant) });
  }

  async #work(work: Work): Promise<void> {
    if (work.kind === "follow") return this.#follower.pass();
    const grant = this.#store.keyGrant(work.name);
    if (grant === undefined || !this.#store.leading) return;
    const again = await this.#reconciler.reconcile(grant, this.#signal);
    if (again !== undefined) this.#queue.addAfter(work, again);
  }

  async #report(): Promise<void> {
    await this.#reporter.pass(this.#signal);
    this.#reports.addAfter(USES, REPORT_MILLISECONDS);
  }
}
