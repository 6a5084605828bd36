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

const JOBS = 'job=~"(.+/)?claviger-(plugin|operator|api)"';
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
    title: "Applications: requests to the AWS KMS API",
    panels: [
      {
        title: "Requests",
        description: "Answered requests a second, by operation.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{operation}}" },
        expr: "sum by (operation) (rate(claviger_aws_request_duration_seconds_count[$__rate_interval]))",
      },
      {
        title: "Requests by result",
        description: "Refused: an error of the caller. Failed: an error of claviger, or of the API server.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{result}}" },
        expr: "sum by (result) (rate(claviger_aws_requests_total[$__rate_interval]))",
      },
      {
        title: "Errors",
        description: "By AWS's name of the error.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{error}}" },
        expr: "sum by (error) (rate(claviger_aws_errors_total[$__rate_interval]))",
      },
      {
        title: "Duration, 99th percentile",
        description: "Seconds mean that the API server or the operator is waited for.",
        ...{ kind: "timeseries", unit: "s", legend: "{{operation}}" },
        expr: "histogram_quantile(0.99, sum by (le, operation) (rate(claviger_aws_request_duration_seconds_bucket[$__rate_interval])))",
      },
      {
        title: "Requests that were shed",
        description: "Answered with ThrottlingException before any work, by reason.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{reason}}" },
        expr: "sum by (reason) (rate(claviger_aws_shed_total[$__rate_interval]))",
      },
    ],
  },
  {
    title: "Applications: access and workers",
    panels: [
      {
        title: "Permissions",
        description: "What requests needed, by the decision and the rule that decided.",
        ...{ kind: "timeseries", unit: "reqps", legend: "{{effect}} {{rule}}" },
        expr: "sum by (effect, rule) (rate(claviger_aws_decisions_total[$__rate_interval]))",
      },
      {
        title: "Questions, 99th percentile",
        description: "How long it takes to ask the API server who may do what, and whose a token is.",
        ...{ kind: "timeseries", unit: "s", legend: "{{question}} {{outcome}}" },
        expr: "histogram_quantile(0.99, sum by (le, question, outcome) (rate(claviger_aws_api_server_question_duration_seconds_bucket[$__rate_interval])))",
      },
      {
        title: "Workers that are ready",
        description: "As many as aws.workers on each node.",
        ...{ kind: "timeseries", unit: "short", legend: "{{instance}}" },
        expr: "sum by (instance) (claviger_aws_worker_ready)",
      },
      {
        title: "Requests in flight",
        description: "A worker sheds load beyond 256.",
        ...{ kind: "timeseries", unit: "short", legend: "{{instance}}" },
        expr: "sum by (instance) (claviger_aws_requests_in_flight)",
      },
      {
        title: "Memory of workers",
        description: "Resident memory of each.",
        ...{ kind: "timeseries", unit: "bytes", legend: "{{instance}} {{worker}}" },
        expr: "max by (instance, worker) (claviger_aws_worker_resident_memory_bytes)",
      },
      {
        title: "CPU of workers",
        description: "Processors used by each.",
        ...{ kind: "timeseries", unit: "percentunit", legend: "{{instance}} {{worker}}" },
        expr: "sum by (instance, worker) (rate(claviger_aws_worker_cpu_seconds_total[$__rate_interval]))",
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
