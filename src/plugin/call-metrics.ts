import { keepServingMetrics, type MetricsDoor } from "../metrics/metrics-server.ts";
import { type GaugeSource, loadPluginMetrics, type Observation, type PluginMetrics } from "./metrics.ts";

/** Counts calls from the start on, and serves the counts once prom-client is loaded. */
export class CallMetrics {
  #metrics: PluginMetrics | undefined;
  #door: MetricsDoor | undefined;
  /** Calls answered before prom-client was loaded. */
  #early: Observation[] | undefined = [];

  count(observation: Observation): void {
    this.#early?.push(observation);
    this.#metrics?.observe(observation);
  }

  /** Serves the metrics at an address, or nothing if there is none. */
  async start(
    address: string | undefined,
    source: GaugeSource,
    complain: (error: unknown) => void,
  ): Promise<void> {
    if (address !== undefined) {
      this.#metrics = await loadPluginMetrics(source);
      for (const observation of this.#early ?? []) this.#metrics.observe(observation);
      this.#door = keepServingMetrics(address, this.#metrics.render, complain);
    }
    this.#early = undefined;
  }

  async close(): Promise<void> {
    await this.#door?.close();
  }
}
