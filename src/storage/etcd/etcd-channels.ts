import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { Client, type ClientOptions, credentials, type VerifyOptions } from "@grpc/grpc-js";
import type { EtcdConfig } from "../../config/config.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { readRegularFile } from "../../files/regular-file.ts";

/** A larger answer is requested again in smaller pages. A value in etcd has at most 1.5 MiB by default. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** A bundle of certificate authorities has some hundred kilobytes. */
const MAX_PEM_BYTES = 4 * 1024 * 1024;

/** One member of the etcd cluster. */
export interface EtcdMember {
  readonly endpoint: string;
  readonly client: Client;
}

/**
 * Creates a channel to each endpoint, without connecting. Certificates are read now: the next client reads
 * renewed ones. Throws ConfigInvalid.
 */
export function etcdMembers(config: EtcdConfig): readonly EtcdMember[] {
  const files = config.ca === undefined ? undefined : readFiles(config.ca, config.client);
  return config.endpoints.map((endpoint) => {
    const { protocol, host, hostname } = new URL(endpoint);
    const target = withPort(host, endpoint);
    if (protocol !== "https:")
      return { endpoint, client: new Client(target, credentials.createInsecure(), OPTIONS) };
    if (files === undefined) throw new ClavigerError("Internal", `${endpoint} has no certificates`);
    const address = hostname.replace(/^\[(.*)\]$/, "$1");
    return { endpoint, client: secureClient(target, files, isIP(address) === 0 ? undefined : address) };
  });
}

const OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
  // A proxy from the environment must not be used for the control-plane nodes.
  "grpc.enable_http_proxy": 0,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2_000,
  // Closing a client then closes its connections.
  "grpc.use_local_subchannel_pool": 1,
};

/** URL removes a port that is the scheme's default, but gRPC has another default. */
function withPort(host: string, endpoint: string): string {
  return /:\d+$/.test(host) ? host : `${host}:${endpoint.slice(endpoint.lastIndexOf(":") + 1)}`;
}

interface TlsFiles {
  readonly ca: Buffer;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

function readFiles(ca: string, client: EtcdConfig["client"]): TlsFiles {
  return {
    ca: read("ca", ca),
    cert: client === undefined ? null : read("cert", client.cert),
    key: client === undefined ? null : read("key", client.key),
  };
}

/**
 * grpc-js passes the target's host to TLS as the server name, and Node refuses an IP address there (RFC 6066
 * has none). So another name is sent for an `address`, and the certificate must still be valid for the
 * address.
 */
function secureClient(target: string, { ca, key, cert }: TlsFiles, address: string | undefined): Client {
  const verify: VerifyOptions =
    address === undefined
      ? {}
      : { checkServerIdentity: (_name, peer) => checkServerIdentity(address, peer as PeerCertificate) };
  const options = address === undefined ? OPTIONS : { ...OPTIONS, "grpc.ssl_target_name_override": "etcd" };
  try {
    return new Client(target, credentials.createSsl(ca, key, cert, verify), options);
  } catch (cause) {
    throw new ClavigerError(
      "ConfigInvalid",
      `the certificates of etcd (etcd.ca, etcd.cert, etcd.key) cannot be used: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function read(field: "ca" | "cert" | "key", path: string): Buffer {
  try {
    return readRegularFile(path, { maxBytes: MAX_PEM_BYTES });
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `etcd.${field} ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
