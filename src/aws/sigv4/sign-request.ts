import type { Secret } from "../../crypto/secret.ts";
import { ALGORITHM, scopeText } from "./authorization.ts";
import { basic } from "./request-time.ts";
import type { Site } from "./signature-verifier.ts";
import { SigningKeys, sha256, signatureOf } from "./signing-keys.ts";

/** A request of claviger itself to an AWS KMS API. */
export interface OwnRequest {
  readonly host: string;
  /** The name of the operation. */
  readonly operation: string;
  readonly body: string;
}

export interface Signer {
  readonly accessKeyId: string;
  readonly secret: Secret;
}

/** Returns the headers of a request, signed by AWS Signature Version 4. */
export function signRequest(
  { host, operation, body }: OwnRequest,
  { accessKeyId, secret }: Signer,
  { region, service }: Site,
  now: number,
): Readonly<Record<string, string>> {
  const time = basic(now);
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    host,
    "x-amz-date": time,
    "x-amz-target": `TrentService.${operation}`,
  };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = ["POST", "/", "", lines.join(""), names, sha256(body)].join("\n");
  const scope = { date: time.slice(0, 8), region, service, terminator: "aws4_request" };
  const key = new SigningKeys().keyOf(accessKeyId, secret, scope);
  const signature = signatureOf(key, time, scope, canonical).toString("hex");
  const credential = `Credential=${accessKeyId}/${scopeText(scope)}`;
  const authorization = `${ALGORITHM} ${credential}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...headers, authorization };
}
