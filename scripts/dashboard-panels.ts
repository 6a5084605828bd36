/** The panels of the Grafana dashboard: what each shows, and the PromQL that it shows it by. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly kind: "stat" | "timeseries";
  /** Grafana's name of the unit of the values. */
  readonly unit: "short" | "s" | "bytes" | "percentunit" | "reqps";
  /** The name of each series, by its labels. */
  readonly legend: string;
  readonly expr: string;
  /** A stat is red below this value. */
  readonly atLeast?: number;
  /** A stat is red above this value. Both are whole numbers. */
  readonly atMost?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const JOBS = 'job=~"(.+/)?claviger-(plugin|operator)"';
const KEY = "{{namespace}}/{{name}}";
const PROCESS = "{{job}} {{instance}}";

export const rows: readonly Row[] = [
  {
    title: "Is all well?",
    panels: [
      {
        title: "Alerts that fire",
        description: "Each has a runbook, to which its annotation runbook_url leads.",
        ...{ kind: "stat", unit: "short", legend: "", atMost: 0 },
        expr: 'count(ALERTS{alertname=~"Claviger.*",alertstate="firing"}) or vector(0)',
      },
      {
        title: "Plugins that serve",
        description: "By provider: as many as there are control-plane nodes.",
        ...{ kind: "stat", unit: "short", legend: "{{provider}}", atLeast: 1 },
        expr: "sum by (provider) (claviger_kms_provider_serving)",
      },
      {
        title: "Operators that lead",
        description: "Exactly one leads.",
        ...{ kind: "stat", unit: "short", legend: "", atLeast: 1, atMost: 1 },
        expr: "sum(claviger_operator_leading) or vector(0)",
      },
      {
        title: "Nodes that are Ready",
        description: "KeyServers whose condition Ready is True.",
        ...{ kind: "stat", unit: "short", legend: "", atLeast: 1 },
        expr: 'max(sum by (instance) (claviger_key_servers{ready="True"})) or vector(0)',
      },
      {
        title: "Keys that are Ready",
        description: "MasterKeys whose condition Ready is True.",
        ...{ kind: "stat", unit: "short", legend: "" },
        expr: 'max(sum by (instance) (claviger_master_keys{ready="True"})) or vector(0)',
      },
    ],
  },
  {
    title: "Calls of the API servers",
    panels: [
      {
        title: "Calls",
        description: "Answered calls a second. Each API server asks for Status once a minute.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{operation}}" },
        expr: "sum by (operation) (rate(claviger_kms_request_duration_seconds_count[$__rate_interval]))",
      },
      {
        title: "Duration, 99th percentile",
        description: "The API server gives a call up after the timeout in its EncryptionConfiguration.",
        ...{ kind: "timeseries", unit: "s", legend: "{{operation}}" },
        expr: "histogram_quantile(0.99, sum by (le, operation) (rate(claviger_kms_request_duration_seconds_bucket[$__rate_interval])))",
      },
      {
        title: "Calls that failed",
        description: "A Decrypt that fails is an object that cannot be read.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{provider}} {{operation}}" },
        expr: "sum by (provider, operation) (rate(claviger_kms_failures_total[$__rate_interval]))",
      },
      {
        title: "Since the last Status",
        description: "More than three minutes: the API server does not use this provider.",
        ...{ kind: "timeseries", unit: "s", legend: "{{instance}} {{provider}}" },
        expr: "time() - max by (instance, provider) (claviger_kms_last_status_timestamp_seconds)",
      },
    ],
  },
  {
    title: "Keys and stored data",
    panels: [
      {
        title: "Re-encryption",
        description: "Objects of the running or last round that were gone through, of all in it.",
        ...{ kind: "timeseries", unit: "percentunit", legend: KEY },
        expr: "max by (namespace, name) (claviger_key_reencryption_objects_done) / max by (namespace, name) (claviger_key_reencryption_objects)",
      },
      {
        title: "Stored data is proven to follow its key",
        description: "1 if a census proved that nothing stored is under another version, or plain.",
        ...{ kind: "timeseries", unit: "short", legend: KEY },
        expr: "max by (namespace, name) (claviger_key_reencryption_verified)",
      },
      {
        title: "Objects stored otherwise, or refused",
        description: "Strays that a census found, and objects that could not be written again.",
        ...{ kind: "timeseries", unit: "short", legend: KEY },
        expr: "max by (namespace, name) (claviger_key_strays) + max by (namespace, name) (claviger_key_reencryption_objects_failed)",
      },
      {
        title: "Since the last census",
        description: "Complete data are counted again every hour.",
        ...{ kind: "timeseries", unit: "s", legend: KEY },
        expr: "time() - max by (namespace, name) (claviger_key_census_timestamp_seconds)",
      },
      {
        title: "Until the next rotation",
        description: "Of the keys that rotate by themselves.",
        ...{ kind: "timeseries", unit: "s", legend: KEY },
        expr: "min by (namespace, name) (claviger_key_rotation_next_timestamp_seconds) - time()",
      },
    ],
  },
  {
    title: "Nodes",
    panels: [
      {
        title: "Nodes by condition",
        description: "KeyServers by status and reason of Ready.",
        ...{ kind: "timeseries", unit: "short", legend: "{{ready}} {{reason}}" },
        expr: "max by (ready, reason) (claviger_key_servers)",
      },
      {
        title: "API servers in step",
        description: "0 if an API server uses another EncryptionConfiguration than is on its disk.",
        ...{ kind: "timeseries", unit: "short", legend: "{{node}}" },
        expr: "min by (node) (claviger_api_server_in_step)",
      },
      {
        title: "Passes of operators that were retried",
        description: "After a failure or a conflict, a second.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{instance}}" },
        expr: "sum by (instance) (rate(claviger_operator_failures_total[$__rate_interval]) + rate(claviger_operator_conflicts_total[$__rate_interval]))",
      },
      {
        title: "Objects that wait for the leader",
        description: "Some tens of thousands after its start in a large cluster; else few.",
        ...{ kind: "timeseries", unit: "short", legend: "" },
        expr: "sum(claviger_operator_queue_length)",
      },
    ],
  },
  {
    title: "Processes",
    panels: [
      {
        title: "Memory",
        description: "Resident memory of each process.",
        ...{ kind: "timeseries", unit: "bytes", legend: PROCESS },
        expr: `process_resident_memory_bytes{${JOBS}}`,
      },
      {
        title: "CPU",
        description: "Processors used by each process.",
        ...{ kind: "timeseries", unit: "percentunit", legend: PROCESS },
        expr: `rate(process_cpu_seconds_total{${JOBS}}[$__rate_interval])`,
      },
      {
        title: "Event loop lag, 99th percentile",
        description: "How long an answer waits for the thread that gives it.",
        ...{ kind: "timeseries", unit: "s", legend: PROCESS },
        expr: `nodejs_eventloop_lag_p99_seconds{${JOBS}}`,
      },
    ],
  },
];
