import { fieldsOf, parsedJson, textAs } from "../json.ts";

/** The fields of a Kubernetes Status object that are used here, besides the HTTP status (meta/v1 Status). */
export interface Refusal {
  readonly message?: string;
  /** Such as `Forbidden`, `Invalid`, `StorageReadError`. */
  readonly reason?: string;
  readonly causes: readonly RefusalCause[];
  /** How many seconds the server asks to be left alone. */
  readonly retryAfterSeconds?: number;
  /**
   * For a list whose revision was compacted (410): the token with which to continue, at the cost of a
   * consistent snapshot.
   */
  readonly continue?: string;
}

export interface RefusalCause {
  readonly reason?: string;
  readonly field?: string;
  /**
   * Only for a value that the API server cannot read: for an invalid field the message would quote the value.
   */
  readonly message?: string;
}

/**
 * The reason of each value in etcd that a list could not read (NewAPIStatusError of k8s.io/apiserver,
 * pkg/storage/etcd3).
 */
const STORAGE_CAUSE = "UnexpectedServerResponse";

/** For an answer that is no Status, such as a proxy's HTML page. */
export const NO_REASON: Refusal = { causes: [] };

/** A longer Retry-After is shortened to this. */
const MAX_RETRY_AFTER_SECONDS = 60;

/**
 * Returns how many milliseconds to leave the server alone, up to the maximum, or undefined if it did not ask.
 */
export const retryMilliseconds = ({
  retryAfterSeconds: seconds,
}: Pick<Refusal, "retryAfterSeconds">): number | undefined =>
  seconds === undefined ? undefined : Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000;

/** Reads the body of an answer that is not 2xx, and its Retry-After header. Never throws. */
export function refusalOf(body: string, retryAfter: string | undefined): Refusal {
  // For a proxy's HTML page, for example, only the HTTP status is known.
  const status = fieldsOf(parsedJson(body));
  const details = fieldsOf(status.details);
  const causes = Array.isArray(details.causes) ? details.causes.map(causeOf) : [];
  const seconds = secondsOf(retryAfter) ?? secondsOf(details.retryAfterSeconds);
  return {
    ...textAs("message", stable(status.message)),
    ...textAs("reason", status.reason),
    ...textAs("continue", fieldsOf(status.metadata).continue),
    ...(seconds !== undefined && { retryAfterSeconds: seconds }),
    causes,
  };
}

/**
 * Removes the port of the server's own connection, as in `read tcp 10.0.0.1:43210->10.0.0.2:443: reset`, so
 * that the same refusal is always the same text in a status.
 */
const stable = (message: unknown): unknown =>
  typeof message === "string" ? message.replace(/:\d+->/g, "->") : message;

function causeOf(value: unknown): RefusalCause {
  const { reason, field, message } = fieldsOf(value);
  return {
    ...textAs("reason", reason),
    ...textAs("field", field),
    ...(reason === STORAGE_CAUSE && textAs("message", stable(message))),
  };
}

/** Retry-After may also be a date (RFC 9110), but the API server sends seconds. */
function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
