import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { microTime, readLease, writeLease } from "../../kube/leases.ts";
import { retryAfterOf } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import { ToldOnce } from "../../told-once.ts";
import { createHomeNamespace } from "../kube/home-namespace.ts";
import { NameWatch } from "./name-watch.ts";
import type { NodeLeaseWatch } from "./node-lease-watch.ts";
import { markedNodeLease, NODE_LEASE_SECONDS } from "./node-leases.ts";
import type { NodeReport } from "./node-report.ts";

const HEARTBEAT_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = 1_000;
const MAX_RETRY_MILLISECONDS = 5_000;

interface HeartbeatOptions {
  readonly client: KubeClient;
  readonly config: NodeConfig;
  readonly report: NodeReport;
  readonly leases: Pick<NodeLeaseWatch, "expect">;
  readonly log: Log;
  readonly wall: () => number;
  readonly onNameShared: () => void;
  readonly milliseconds?: number | undefined;
}

/**
 * Renews this node's Lease, but only after this process has reported: a fresh Lease means that the KeyServer
 * is true, and versions that a former process reported as prepared may be lost. And it renews only while its
 * report can be written, which is tried from time to time.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #milliseconds: number;
  /** Identifies this process among all that ever had the node's name. */
  readonly #instance: string;
  readonly #nameWatch: NameWatch;
  readonly #trouble: ToldOnce;
  #nameIsShared = false;
  /**
   * The uid of this node's Node object, empty if there is none; undefined before the first complete report.
   */
  nodeUid: string | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#milliseconds = options.milliseconds ?? HEARTBEAT_MILLISECONDS;
    this.#instance = `${options.config.nodeName}/${randomUUID()}`;
    this.#nameWatch = new NameWatch(this.#instance);
    this.#trouble = new ToldOnce(options.log);
  }

  /** True if another operator renews this node's Lease too. */
  get nameIsShared(): boolean {
    return this.#nameIsShared;
  }

  /** Runs until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { report } = this.#options;
    signal.addEventListener("abort", () => report.giveUp(), { once: true });
    await report.first;
    let failures = 0;
    while (!signal.aborted) {
      const pause = await this.#beat(failures, signal);
      failures = pause === undefined ? 0 : failures + 1;
      await sleep(pause ?? this.#milliseconds, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Renews the Lease once. Returns undefined, or for how many milliseconds to wait after a failure. */
  async #beat(failures: number, signal: AbortSignal): Promise<number | undefined> {
    try {
      // Two operators with one name would overwrite each other's report.
      if (!this.#nameIsShared) await this.#options.report.prove();
      await this.#renew(signal);
      this.#trouble.end("this node's Lease is renewed again");
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      await this.#tell(error, signal);
      const delay = Math.min(MAX_RETRY_MILLISECONDS, RETRY_MILLISECONDS * 2 ** failures);
      // The Lease must be tried several times within the 40 s for which it is valid.
      return Math.max(delay, Math.min(retryAfterOf(error) ?? 0, this.#milliseconds));
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { client, config, leases, wall } = this.#options;
    const ref = markedNodeLease(config, this.nodeUid);
    const lease = await readLease(client, ref, signal);
    this.#watchName(lease?.spec?.holderIdentity, lease?.metadata.resourceVersion);
    const spec = {
      holderIdentity: this.#instance,
      leaseDurationSeconds: NODE_LEASE_SECONDS,
      renewTime: microTime(wall()),
    };
    await writeLease(client, ref, lease, spec, signal);
    leases.expect(ref, lease?.metadata.resourceVersion);
  }

  /** On a new cluster the Leases' namespace may not exist yet. */
  async #tell(error: unknown, signal: AbortSignal): Promise<void> {
    const { client, config, log } = this.#options;
    const isMissing = error instanceof KubeError && error.httpStatus === 404;
    if (isMissing && (await createHomeNamespace(client, config.leaseNamespace, log, signal))) return;
    this.#trouble.meet(`this node's Lease was not renewed: ${messageOf(error)}`);
  }

  #watchName(holder: string | undefined, renewal: string | undefined): void {
    const shared = this.#nameWatch.saw(holder, renewal);
    if (shared === this.#nameIsShared) return;
    this.#nameIsShared = shared;
    const { config, log, onNameShared } = this.#options;
    const { nodeName } = config;
    if (shared) {
      log(
        "error",
        `another operator runs as node ${nodeName}: give one of the two a nodeName of its own and restart it`,
      );
    } else log("info", `no other operator runs as node ${nodeName} any more`);
    onNameShared();
  }
}
