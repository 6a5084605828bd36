import { AwsError } from "../aws-error.ts";

/** The answer to a request. `x-amzn-RequestId` and `Date` are added by the door. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_TYPE = { "content-type": "application/x-amz-json-1.1" };

/** Returns the answer of an operation that was done. */
export const jsonReply = (body: string): Reply => ({ status: 200, headers: JSON_TYPE, body });

/** Returns the answer for an error. The JavaScript SDK needs a `message`. */
export const errorReply = ({ status, type, message }: AwsError): Reply => ({
  status,
  headers: JSON_TYPE,
  body: JSON.stringify({ __type: type, message }),
});

/** Returns the answer for a request that is shed before any work. Clients wait before they send it again. */
export const throttledReply = (waitMilliseconds: number): Reply => {
  const { headers, ...reply } = errorReply(new AwsError("ThrottlingException", "Rate exceeded"));
  return { ...reply, headers: { ...headers, "x-amz-retry-after": String(waitMilliseconds) } };
};

/** Returns an answer for probes. */
export const textReply = (status: number, text: string): Reply => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  body: `${text}\n`,
});
