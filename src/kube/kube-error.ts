import type { IncomingMessage } from "node:http";
import { ClavigerError, messageOf } from "../errors.ts";
import { NO_REASON, type Refusal, refusalOf } from "./refusal.ts";
import type { KubeRequest } from "./request.ts";

/** An answer of the API server that is not 2xx. */
export class KubeError extends ClavigerError {
  readonly httpStatus: number;
  readonly refusal: Refusal;

  constructor(httpStatus: number, message: string, refusal: Refusal = NO_REASON) {
    super(httpStatus === 409 ? "Conflict" : httpStatus === 404 ? "NotFound" : "ApiServer", message);
    this.httpStatus = httpStatus;
    this.refusal = refusal;
  }
}

/** Makes the error of a call that got no answer, or a part of one. The cause of an abort is in its reason. */
export function brokenOff(call: KubeRequest, error: unknown): ClavigerError {
  const cause = error instanceof Error && error.name === "AbortError" ? (error.cause ?? error) : error;
  return new ClavigerError("ApiServer", `${call.method} ${call.path}: ${messageOf(cause)}`, { cause });
}

/** Creates the error for an unusable response: its HTTP status is wrong, or a needed Date is missing. */
export function errorOf(
  call: KubeRequest,
  { statusCode = 0, headers }: IncomingMessage,
  text: string,
): KubeError {
  const refusal = refusalOf(text, headers["retry-after"]);
  const message = `${call.method} ${call.path}: ${refusal.message ?? `HTTP ${statusCode}`}`;
  return new KubeError(statusCode, message, refusal);
}
