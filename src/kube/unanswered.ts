import { ClavigerError, codeOf } from "../errors.ts";
import { KubeError } from "./kube-error.ts";
import { retryMilliseconds } from "./refusal.ts";

/**
 * The status codes with which an API server, or a proxy before it, says that it cannot serve anybody at
 * present.
 */
const BUSY = new Set([429, 502, 503, 504]);

/**
 * Returns true if a call got no answer at all: the next call would wait as long, in vain. A refusal, which
 * has an HTTP status, is about one object only.
 */
export const isUnanswered = (error: unknown): boolean =>
  codeOf(error) === "ApiServer" && !(error instanceof KubeError);

/**
 * Returns true if an error says that the API server, and not the call's object, can do nothing at present.
 */
export const isBusy = (error: unknown): boolean =>
  isUnanswered(error) || (error instanceof KubeError && BUSY.has(error.httpStatus));

/** Returns after how many milliseconds the API server asked to be called again, if it did; also if its answer is the cause of the error. */
export function retryAfterOf(error: unknown): number | undefined {
  if (error instanceof KubeError) return retryMilliseconds(error.refusal);
  return error instanceof ClavigerError ? retryAfterOf(error.cause) : undefined;
}
