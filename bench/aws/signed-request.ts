import { randomUUID } from "node:crypto";
import { signedHeaders } from "../../src/testing/aws-signer.ts";

/** A server of AWS KMS, and the credential with which it is called. */
export interface Target {
  /** HOST:PORT. */
  readonly address: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Returns a whole HTTP request, with the headers that the AWS SDK for JavaScript sends. */
export async function signedRequest(target: Target, operation: string, input: object): Promise<string> {
  const { address, region, accessKeyId, secretAccessKey } = target;
  const body = JSON.stringify(input);
  const headers = await signedHeaders({
    headers: {
      host: address,
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `TrentService.${operation}`,
      "content-length": String(Buffer.byteLength(body)),
      "x-amz-user-agent": "aws-sdk-js/3.1000.0",
      "user-agent": "aws-sdk-js/3.1000.0 ua/2.1 os/linux#6.18 lang/js md/nodejs#26.10.0 api/kms#3.1000.0",
      "amz-sdk-invocation-id": randomUUID(),
      "amz-sdk-request": "attempt=1; max=3",
      connection: "keep-alive",
    },
    ...{ body, region, accessKeyId, secretAccessKey, at: Date.now() },
  });
  const lines = headers.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${headers[at + 1]}`] : []));
  return ["POST / HTTP/1.1", ...lines, "", body].join("\r\n");
}
