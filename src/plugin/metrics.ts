import type { ErrorCode } from "../errors.ts";

const OPERATIONS = ["Status", "Encrypt", "Decrypt"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** An answered call. */
export interface Observation {
  readonly provider: string;
  readonly operation: Operation;
  readonly outcome: "OK" | ErrorCode;
  readonly seconds: number;
}

/** The source of the gauges, read at each scrape. */
export interface GaugeSource {
  readonly providers: () => Iterable<{
    readonly name: string;
    readonly keyId: string | undefined;
    /** When the API server last asked for Status, in epoch milliseconds. */
    readonly lastStatusAt: number | undefined;
    readonly isSilent: boolean;
    /** Calls without a record in the audit log; undefined if none is configured. */
    readonly unrecorded?: number | undefined;
  }>;
  readonly versions: () => number;
}

/**
 * Upper bounds in seconds. An answer takes a fraction of a millisecond, and with a slow disk some tens of
 * milliseconds.
 */
const LATENCY_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1];

/** Counts calls, and renders them in Prometheus' text format. */
export interface PluginMetrics {
  observe(observation: Observation): void;
  render(): Promise<string>;
}

/**
 * Loads prom-client, which costs 20 ms and 3 MB, so this is called after the sockets answer, and only if a
 * metrics address is configured.
 */
export async function loadPluginMetrics(source: GaugeSource): Promise<PluginMetrics> {
  const { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } = await import("prom-client");
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const latency = new Histogram({
    name: "claviger_kms_request_duration_seconds",
    help: "KMS v2 calls answered, by provider, operation and outcome.",
    labelNames: ["provider", "operation", "outcome"],
    buckets: LATENCY_BUCKETS,
    registers: [registry],
  });
  const failures = new Counter({
    name: "claviger_kms_failures_total",
    help: "KMS v2 calls that were answered with an error, by provider and operation.",
    labelNames: ["provider", "operation"],
    registers: [registry],
    // increase() misses the first failure of a series that begins with it: every series begins with 0.
    collect() {
      for (const { name } of source.providers())
        for (const operation of OPERATIONS) this.inc({ provider: name, operation }, 0);
    },
  });
  new Gauge({
    name: "claviger_kms_provider_serving",
    help: "1 for the key_id that a provider serves, 0 if it serves nothing (key_id is empty then).",
    labelNames: ["provider", "key_id"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, keyId } of source.providers()) {
        this.set({ provider: name, key_id: keyId ?? "" }, keyId === undefined ? 0 : 1);
      }
    },
  });
  new Gauge({
    name: "claviger_kms_last_status_timestamp_seconds",
    help: "When the API server last asked a provider for its Status, in epoch seconds; absent if it never has.",
    labelNames: ["provider"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, lastStatusAt } of source.providers()) {
        if (lastStatusAt !== undefined) this.set({ provider: name }, lastStatusAt / 1000);
      }
    },
  });
  new Gauge({
    name: "claviger_kms_api_server_silent",
    help: "1 if no API server has asked a provider for its Status for three minutes, otherwise 0.",
    labelNames: ["provider"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, isSilent } of source.providers()) this.set({ provider: name }, Number(isSilent));
    },
  });
  new Counter({
    name: "claviger_kms_audit_lost_total",
    help: "KMS v2 calls that were answered and have no record in the audit log, by provider.",
    labelNames: ["provider"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, unrecorded } of source.providers())
        if (unrecorded !== undefined) this.inc({ provider: name }, unrecorded);
    },
  });
  new Gauge({
    name: "claviger_keyring_versions",
    help: "Key versions in memory, sealed or open.",
    registers: [registry],
    collect() {
      this.set(source.versions());
    },
  });
  return {
    observe: ({ provider, operation, outcome, seconds }) => {
      latency.observe({ provider, operation, outcome }, seconds);
      if (outcome !== "OK") failures.inc({ provider, operation });
    },
    render: () => registry.metrics(),
  };
}
