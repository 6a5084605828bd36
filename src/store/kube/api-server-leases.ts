import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { Lease } from "../../kube/leases.ts";
import { leasesPath } from "../../kube/paths.ts";
import { retryAfterOf } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import { parseTime } from "../../times.ts";
import { NodeHearing } from "../nodes/node-hearing.ts";

/** KEP-1965: every kube-apiserver renews its own Lease here every 10 s. */
const NAMESPACE = "kube-system";
const SELECTOR = "apiserver.kubernetes.io/identity=kube-apiserver";
const LOOK_MILLISECONDS = 10_000;
/** More API servers than any cluster has. */
const MOST = 500;

/** Follows which API servers are alive, by the Leases that they renew. */
export class ApiServerLeases {
  readonly #client: KubeClient;
  readonly #log: Log;
  readonly #hearing = new NodeHearing();
  /** The failure of the last look. */
  #told: string | undefined;

  constructor(client: KubeClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  /** When each API server last renewed its Lease, by its identity. Empty while this is not known. */
  get heardOf(): ReadonlyMap<string, number> {
    return this.#hearing.heardOf;
  }

  /** Runs until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let asked = 0;
      try {
        this.#take(await this.#list(signal));
        this.#told = undefined;
      } catch (error) {
        if (signal.aborted) return;
        this.#tell(error);
        asked = retryAfterOf(error) ?? 0;
      }
      await sleep(Math.max(asked, LOOK_MILLISECONDS), undefined, { signal }).catch(() => undefined);
    }
  }

  async #list(signal: AbortSignal): Promise<readonly Lease[]> {
    const query = { labelSelector: SELECTOR, limit: String(MOST) };
    const path = leasesPath(NAMESPACE);
    const { items } = (await this.#client.request({ method: "GET", path, query, signal })) as {
      readonly items: readonly Lease[];
    };
    return items;
  }

  #take(leases: readonly Lease[]): void {
    const names = new Set(leases.map(({ metadata }) => metadata.name));
    for (const gone of [...this.heardOf.keys()].filter((name) => !names.has(name)))
      this.#hearing.forget(gone);
    const arrival = { now: Date.now(), came: performance.now() };
    for (const { metadata, spec } of leases)
      this.#hearing.hear(metadata.name, parseTime(spec?.renewTime), arrival);
  }

  /**
   * A missing right is reported once, because there is nothing to compare without it. After a failed look,
   * the known times just become older.
   */
  #tell(error: unknown): void {
    const isRefused = error instanceof KubeError && error.httpStatus === 403;
    const text = messageOf(error);
    if (!isRefused || text === this.#told) return;
    this.#told = text;
    for (const name of [...this.heardOf.keys()]) this.#hearing.forget(name);
    this.#log(
      "warn",
      `API servers without claviger are not looked for: ${text}; apply deploy/rbac.yaml again`,
    );
  }
}
