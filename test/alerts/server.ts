import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePort } from "../controlplane/ports.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";
import type { PrometheusPrograms } from "./programs.ts";
import { type Rule, rules } from "./rules.ts";

/** A series of an answer, with its samples as [seconds, value]. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, number])[];
}

export interface Targets {
  readonly plugin: readonly string[];
  readonly operator: readonly string[];
  readonly api: readonly string[];
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Series["metric"];
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

interface Alerts {
  readonly data: {
    readonly alerts: readonly { readonly labels: Series["metric"]; readonly state: string }[];
  };
}

/** A Prometheus that scrapes claviger, and has the alerts of deploy/prometheus-rules.yaml. */
export class PrometheusServer {
  readonly #address: string;
  readonly #process: RunningProcess;

  private constructor(address: string, process: RunningProcess) {
    this.#address = address;
    this.#process = process;
  }

  /**
   * Starts it with everything in a folder. Alerts fire at once, because the tests with promtool show how long they wait; and
   * a sample counts until its series ends, so that a query can ask for the time when nothing has changed until then.
   */
  static async start(
    { prometheus }: PrometheusPrograms,
    folder: string,
    targets: Targets,
  ): Promise<PrometheusServer> {
    await mkdir(folder, { recursive: true });
    const address = `127.0.0.1:${await freePort()}`;
    await writeFile(
      join(folder, "rules.yaml"),
      stringify({ groups: [{ name: "claviger", rules: impatient }] }),
    );
    await writeFile(join(folder, "prometheus.yaml"), stringify(configuration(targets)));
    const started = await startProcess({
      name: "prometheus",
      binary: prometheus,
      args: [
        `--config.file=${join(folder, "prometheus.yaml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        ...[`--web.listen-address=${address}`, "--query.lookback-delta=240h"],
      ],
      log: join(folder, "prometheus.log"),
      home: folder,
    });
    const server = new PrometheusServer(address, started);
    await eventually("Prometheus is ready", async () => (await fetch(`http://${address}/-/ready`)).ok);
    return server;
  }

  /** Evaluates an expression, now or so many seconds later if nothing changes. */
  async query(expr: string, later = 0): Promise<Series[]> {
    const time = Date.now() / 1000 + later;
    const { data } = await this.#get<Answer>("query", { query: expr, time: String(time) });
    return data.result.map(({ metric, value: [at, value] = [time, "NaN"] }) => ({
      metric,
      values: [[at, Number(value)]],
    }));
  }

  async range(expr: string, start: number, end: number, step: number): Promise<Series[]> {
    const parameters = { query: expr, start: String(start), end: String(end), step: String(step) };
    const { data } = await this.#get<Answer>("query_range", parameters);
    return data.result.map(({ metric, values = [] }) => ({
      metric,
      values: values.map(([at, value]) => [at, Number(value)] as const),
    }));
  }

  /** Returns the labels of the alerts that fire. */
  async firing(): Promise<Series["metric"][]> {
    const { data } = await this.#get<Alerts>("alerts", {});
    return data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels);
  }

  stop(): Promise<unknown> {
    return this.#process.kill9();
  }

  async #get<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(`http://${this.#address}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    if (!response.ok) throw new Error(`${path} ${JSON.stringify(parameters)}: ${await response.text()}`);
    // Prometheus' API, of the version that this test starts.
    return (await response.json()) as T;
  }
}

const impatient = rules.map(({ for: _, ...rule }: Rule) => rule);

const configuration = ({ plugin, operator, api }: Targets) => ({
  global: { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "2s" },
  rule_files: ["rules.yaml"],
  scrape_configs: [
    { job_name: "claviger-plugin", honor_labels: true, static_configs: [{ targets: plugin }] },
    { job_name: "claviger-operator", honor_labels: true, static_configs: [{ targets: operator }] },
    { job_name: "claviger-api", honor_labels: true, static_configs: [{ targets: api }] },
  ],
});
