import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

/** The credential that tests sign with: AWS's own example. */
export const EXAMPLE = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

/** A request to sign; its parts have defaults. */
export interface Unsigned {
  readonly method?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly service?: string;
  readonly region?: string;
  readonly sessionToken?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly at: number;
}

/** Signs a request with the signer of the AWS SDK for JavaScript, and returns its headers as node:http receives them. */
export async function signedHeaders(unsigned: Unsigned): Promise<string[]> {
  const { region = "us-local-1", service = "kms", sessionToken, at, body = "{}" } = unsigned;
  const { accessKeyId = EXAMPLE.accessKeyId, secretAccessKey = EXAMPLE.secretAccessKey } = unsigned;
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    region,
    service,
    sha256: NodeSha256,
    applyChecksum: false,
  });
  const request = {
    method: unsigned.method ?? "POST",
    protocol: "https:",
    hostname: "kms.test",
    path: "/",
    query: { ...unsigned.query },
    headers: { host: "kms.test", ...(unsigned.headers ?? DEFAULT_HEADERS) },
    body,
  };
  const { headers } = await signer.sign(request, { signingDate: new Date(at) });
  return Object.entries(headers).flat();
}

const DEFAULT_HEADERS = {
  "content-type": "application/x-amz-json-1.1",
  "x-amz-target": "TrentService.ListKeys",
};

/** SHA-256 and HMAC-SHA-256 in the form that the signer asks for. */
class NodeSha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("not used by the signer");
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
