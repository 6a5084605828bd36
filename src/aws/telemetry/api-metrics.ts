import type { NodeConfig } from "../../config/config.ts";
import { certificateExpiry, expiryIn } from "../../kube/certificate-expiry.ts";
import { keepServingMetrics, type MetricsDoor } from "../../metrics/metrics-server.ts";
import { exposition } from "./exposition.ts";
import type { WorkerReport } from "./reports.ts";
import { Totals } from "./totals.ts";

/** The metrics of the API, served for all its processes by the process that runs them. */
export class ApiMetrics {
  readonly #totals: Totals;
  readonly #door: MetricsDoor;

  private constructor(totals: Totals, door: MetricsDoor) {
    this.#totals = totals;
    this.#door = door;
  }

  /** Serves the metrics at an address. Loads prom-client. */
  static async open(
    address: string,
    { api }: Pick<NodeConfig, "api">,
    { workers, complain }: { readonly workers: number; readonly complain: (error: unknown) => void },
  ): Promise<ApiMetrics> {
    const { Registry, collectDefaultMetrics } = await import("prom-client");
    const register = new Registry();
    collectDefaultMetrics({ register });
    const totals = new Totals(workers);
    const render = async () => {
      const [certificate] = expiryIn(api?.tls?.cert, certificateExpiry);
      const own = exposition({
        totals,
        certificateExpiresAt: certificate?.expiresAt,
        now: performance.now(),
      });
      return `${own}${await register.metrics()}`;
    };
    return new ApiMetrics(totals, keepServingMetrics(address, render, complain));
  }

  /** Takes the report of a process, by its number from 0. */
  take(worker: number, report: WorkerReport): void {
    this.#totals.take(worker, report, performance.now());
  }

  close(): Promise<void> {
    return this.#door.close();
  }
}
