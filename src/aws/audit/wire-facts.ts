import type { TlsDetails } from "../../audit/record/audit-record.ts";
import type { WireRequest } from "../door/handler.ts";

/** The facts of a request's connection and headers. Nothing in them was verified. */
export interface WireFacts {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly tls: TlsDetails | undefined;
}

const CREDENTIAL = /Credential=(\w{1,128})\//;

/** Returns the facts of a request as it came over the wire. */
export function wireFacts({ headers, address, tls }: WireRequest): WireFacts {
  const host = headerOf(headers, "host");
  return {
    address: address?.replace(/^::ffff:(?=\d+\.)/, ""),
    userAgent: headerOf(headers, "user-agent"),
    accessKeyId: CREDENTIAL.exec(headerOf(headers, "authorization") ?? "")?.[1],
    tls: tls && { tlsVersion: tls.version, cipherSuite: tls.cipher, clientProvidedHostHeader: host },
  };
}

/** Returns the first value of a header. `name` is in lower case. */
function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((header, index) => index % 2 === 0 && header.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}
