/** A metric that the processes of the API count: a counter, or with buckets a histogram of seconds. */
export interface Definition {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds in seconds. */
  readonly buckets?: readonly number[];
  /** The series that begin with 0, as `seriesOf` names them: increase() misses the first event of any other. */
  readonly begin: readonly string[];
}

/** Joins the values of a metric's labels. No value has a space. */
export const seriesOf = (...values: readonly string[]): string => values.join(" ");

/** An answer takes about a millisecond, and seconds if it waits for the API server or the operator. */
const REQUEST_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];
const QUESTION_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5];

export const definitions = {
  requests: {
    name: "claviger_aws_requests_total",
    help: "Requests to the AWS KMS API that were answered, by result.",
    labels: ["result"],
    begin: ["ok", "refused", "throttled", "failed"],
  },
  durations: {
    name: "claviger_aws_request_duration_seconds",
    help: "Requests to the AWS KMS API that were answered, by operation and result.",
    labels: ["operation", "result"],
    buckets: REQUEST_BUCKETS,
    begin: [],
  },
  errors: {
    name: "claviger_aws_errors_total",
    help: "Requests to the AWS KMS API that were answered with an error, by AWS's name of the error.",
    labels: ["error"],
    begin: [],
  },
  shed: {
    name: "claviger_aws_shed_total",
    help: "Requests to the AWS KMS API that were answered with ThrottlingException before any work, by reason.",
    labels: ["reason"],
    begin: ["in-work", "load", "memory"],
  },
  decisions: {
    name: "claviger_aws_decisions_total",
    help: "Permissions that requests to the AWS KMS API needed, by the decision and the rule that decided.",
    labels: ["effect", "rule"],
    begin: [
      ...["allow grant", "allow grant-token", "allow policy-allow", "allow rbac"],
      ...["deny policy-closed", "deny policy-deny", "deny policy-none", "deny none", "deny rbac-unknown"],
    ],
  },
  questions: {
    name: "claviger_aws_api_server_question_duration_seconds",
    help: "Questions of the AWS KMS API to the API server, by kind and outcome.",
    labels: ["question", "outcome"],
    buckets: QUESTION_BUCKETS,
    begin: ["SubjectAccessReview", "TokenReview"].flatMap((question) => [
      seriesOf(question, "answered"),
      seriesOf(question, "failed"),
    ]),
  },
  auditWrites: {
    name: "claviger_aws_audit_write_duration_seconds",
    help: "Records of the AWS KMS API that were written to the audit log or could not be, by outcome.",
    labels: ["outcome"],
    buckets: REQUEST_BUCKETS,
    begin: ["written", "failed"],
  },
  auditDropped: {
    name: "claviger_aws_audit_dropped_total",
    help: "Requests to the AWS KMS API that have no record in the audit log, by reason.",
    labels: ["reason"],
    begin: ["unverified", "backlog"],
  },
} as const satisfies Readonly<Record<string, Definition>>;

export type MetricName = keyof typeof definitions;
export const metricNames = Object.keys(definitions) as readonly MetricName[];
