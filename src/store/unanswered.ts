import { ClavigerError, codeOf } from "../errors.ts";
import type { KubeError } from "../kube/client.ts";
import { retryMilliseconds } from "../kube/refusal.ts";

/** What an API server, or what stands before it, says if it can serve nobody just now. */
const BUSY = new Set([429, 502, 503, 504]);

/**
 * Whether a call came to no answer at all: the next one would wait as long, and meet
 * the same. A refusal, which has an HTTP status, is of one object only.
 */
export const isUnanswered = (error: unknown): boolean => codeOf(error) === "ApiServer" && !isAnswer(error);

/** By its field: the class comes with a client that takes a second to load, which standalone mode does without. */
const isAnswer = (error: unknown): error is KubeError =>
  error instanceof ClavigerError && "httpStatus" in error;

/** Whether a call says of the API server, and not of its object, that it can do nothing just now. */
export const isBusy = (error: unknown): boolean =>
  isUnanswered(error) || (isAnswer(error) && BUSY.has(error.httpStatus));

/** After how many milliseconds the API server asked to be called again, if it did; also if its answer is the cause of the error. */
export function retryAfterOf(error: unknown): number | undefined {
  if (!isAnswer(error)) return error instanceof ClavigerError ? retryAfterOf(error.cause) : undefined;
  return retryMilliseconds(error.refusal);
}
