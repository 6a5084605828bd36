import { codeOf } from "../errors.ts";

/**
 * Whether a call came to no answer at all: the next one would wait as long, and meet
 * the same. A refusal, which has an HTTP status, is of one object only.
 */
export const isUnanswered = (error: unknown): boolean =>
  codeOf(error) === "ApiServer" && !(error instanceof Error && "httpStatus" in error);
