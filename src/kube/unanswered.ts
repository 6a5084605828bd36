import { ClavigerError, codeOf } from "../errors.ts";
import { KubeError } from "./kube-error.ts";
import { retryMilliseconds } from "./refusal.ts";

/** Statuses of an API server, or of a proxy before it, that can serve nobody just now. */
const BUSY = new Set([429, 502, 503, 504]);

/**
 * Returns whether a call came to no answer at all: the next call would wait as long, and meet
 * the same. A refusal, which has an HTTP status, is of one object only.
 */
export const isUnanswered = (error: unknown): boolean =>
  codeOf(error) === "ApiServer" && !(error instanceof KubeError);

/** Returns whether an error says of the API server, and not of the call's object, that it can do nothing just now. */
export const isBusy = (error: unknown): boolean =>
  isUnanswered(error) || (error instanceof KubeError && BUSY.has(error.httpStatus));

/** Returns after how many milliseconds the API server asked to be called again, if it did; also if its answer is the cause of the error. */
export function retryAfterOf(error: unknown): number | undefined {
  if (error instanceof KubeError) return retryMilliseconds(error.refusal);
  return error instanceof ClavigerError ? retryAfterOf(error.cause) : undefined;
}
