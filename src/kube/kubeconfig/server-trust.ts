import { ClavigerError, messageOf } from "../../errors.ts";
import { readSmall } from "./credential-file.ts";
import { clusterOf, readKubeconfig, serverOf } from "./kubeconfig.ts";

/** The address of an API server and what verifies it: a connection without an identity. */
export interface ServerTrust {
  readonly server: string;
  /** Certificates in PEM; the system's if left out. */
  readonly ca?: string;
  /** The name in the server's certificate; the host of its address if left out. */
  readonly servername?: string;
}

/**
 * Reads the address of the API server, and what verifies it, from a kubeconfig. Throws ConfigInvalid, also if
 * the kubeconfig does not verify the server or uses a proxy: other people's tokens are sent to it.
 */
export function readServerTrust(path: string): ServerTrust {
  const kubeconfig = readKubeconfig(path);
  const server = serverOf(kubeconfig, path).href;
  const { caData, caFile, tlsServerName, skipTLSVerify, proxyUrl } = clusterOf(kubeconfig) ?? {};
  const unfit = (why: string) => new ClavigerError("ConfigInvalid", `kubeconfig ${path}: ${why}`);
  if (skipTLSVerify)
    throw unfit("insecure-skip-tls-verify is set, and tokens go to a verified API server only");
  if (proxyUrl) throw unfit("proxy-url is set, and the console uses no proxy");
  try {
    const ca = caData ? Buffer.from(caData, "base64").toString() : caFile && readSmall(caFile).toString();
    return { server, ...(ca && { ca }), ...(tlsServerName && { servername: tlsServerName }) };
  } catch (cause) {
    throw unfit(messageOf(cause));
  }
}
