import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** The version and the cipher suite of a connection, by the names of the RFCs. */
export interface ConnectionTls {
  readonly version: string;
  readonly cipher: string;
}

/** OpenSSL is asked once for each connection. */
const known = new WeakMap<Socket, ConnectionTls>();

/** Returns the TLS of a connection; undefined if it has none. */
export function connectionTls(socket: Socket): ConnectionTls | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const tls = known.get(socket) ?? {
    version: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher()?.standardName ?? "unknown",
  };
  known.set(socket, tls);
  return tls;
}
