import { type Definition, definitions, metricNames } from "./definitions.ts";
import type { Counts } from "./tally.ts";
import type { Totals, WorkerTotals } from "./totals.ts";

export interface Exposed {
  readonly totals: Totals;
  /** When the certificate of the API expires, in epoch milliseconds, if it has one. */
  readonly certificateExpiresAt?: number | undefined;
  /** Milliseconds of the clock of the reports. */
  readonly now: number;
}

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly type?: "counter";
}

/** Gauges with a series for each process that has a value. */
const ofEach: readonly (Gauge & {
  readonly value: (worker: WorkerTotals) => number | undefined;
})[] = [
  {
    name: "claviger_aws_worker_ready",
    help: "1 if a process of the AWS KMS API answers requests, otherwise 0.",
    value: ({ isReady }) => Number(isReady),
  },
  {
    name: "claviger_aws_worker_follows_keyring",
    help: "1 if a process of the AWS KMS API can read the keyring's file, otherwise 0.",
    value: ({ follows }) => (follows === undefined ? undefined : Number(follows)),
  },
  {
    name: "claviger_aws_worker_resident_memory_bytes",
    help: "Resident memory of a process of the AWS KMS API.",
    value: ({ memoryBytes }) => memoryBytes,
  },
  {
    name: "claviger_aws_worker_cpu_seconds_total",
    help: "User and system CPU time of a process of the AWS KMS API, and of those before it.",
    type: "counter",
    value: ({ cpuSeconds }) => cpuSeconds,
  },
];

/** Gauges of all processes together. */
const ofAll: readonly (Gauge & {
  readonly value: (worker: WorkerTotals) => number;
  readonly sum: (values: readonly number[]) => number;
})[] = [
  {
    name: "claviger_aws_requests_in_flight",
    help: "Requests to the AWS KMS API that are being answered.",
    value: ({ inFlight }) => inFlight,
    sum,
  },
  {
    name: "claviger_aws_connections",
    help: "Open connections to the AWS KMS API.",
    value: ({ connections }) => connections,
    sum,
  },
  {
    name: "claviger_aws_grants",
    help: "Grants in the memory of the AWS KMS API.",
    value: ({ grants }) => grants,
    // Each process has all of them.
    sum: (values) => Math.max(...values),
  },
];

/** Renders the metrics of the API in Prometheus' text format. */
export function exposition({ totals, certificateExpiresAt, now }: Exposed): string {
  const workers = totals.workers(now);
  const lines = [
    ...metricNames.flatMap((metric) => family(definitions[metric], totals.tallies[metric].all)),
    ...ofAll.flatMap((gauge) => [...heading(gauge), `${gauge.name} ${gauge.sum(workers.map(gauge.value))}`]),
    ...ofEach.flatMap((gauge) => [
      ...heading(gauge),
      ...workers.flatMap((worker, slot) => {
        const value = gauge.value(worker);
        return value === undefined ? [] : [`${gauge.name}{worker="${slot}"} ${value}`];
      }),
    ]),
    ...expiry(certificateExpiresAt),
  ];
  return `${lines.join("\n")}\n`;
}

function family(definition: Definition, all: readonly Counts[]): string[] {
  const { name, help, buckets } = definition;
  const type = buckets === undefined ? "counter" : "histogram";
  return [...heading({ name, help, type }), ...all.flatMap((counts) => seriesLines(definition, counts))];
}

function seriesLines({ name, labels, buckets }: Definition, counts: Counts): string[] {
  const values = counts.series.split(" ");
  const text = labels.map((label, at) => `${label}="${values[at] ?? ""}"`).join(",");
  if (buckets === undefined) return [`${name}{${text}} ${counts.count}`];
  return [
    ...buckets.map((bound, at) => `${name}_bucket{${text},le="${bound}"} ${upTo(counts, at)}`),
    `${name}_bucket{${text},le="+Inf"} ${counts.count}`,
    `${name}_sum{${text}} ${counts.sum}`,
    `${name}_count{${text}} ${counts.count}`,
  ];
}

const upTo = ({ buckets }: Counts, at: number): number => sum(buckets.slice(0, at + 1));

function expiry(at: number | undefined): string[] {
  if (at === undefined) return [];
  const name = "claviger_aws_certificate_expiry_timestamp_seconds";
  const help = "When the certificate of the AWS KMS API expires, in epoch seconds.";
  return [...heading({ name, help }), `${name} ${at / 1000}`];
}

const heading = ({
  name,
  help,
  type = "gauge",
}: Omit<Definition, "labels" | "begin"> & { type?: string }) => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
];

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
