import type { NodeConfig } from "../config/config.ts";
import { certificateExpiry, kubeconfigExpiry } from "../kube/certificate-expiry.ts";

/** A file with a client certificate of this node. */
export interface ClientCertificate {
  readonly path: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/**
 * Returns the client certificates that a configuration names, as they are on the disk now. Leaves out a file that
 * cannot be read: whoever needs it reports that.
 */
export function clientCertificates({
  resources,
  rewriter,
  etcd,
}: Pick<NodeConfig, "resources" | "rewriter" | "etcd">): ClientCertificate[] {
  const kubeconfig = resources.kind === "kubeconfig" ? resources.path : undefined;
  return [
    ...found(kubeconfig, kubeconfigExpiry),
    ...found(rewriter?.kubeconfig, kubeconfigExpiry),
    ...found(etcd?.client?.cert, certificateExpiry),
  ];
}

function found(
  path: string | undefined,
  read: (path: string) => number | undefined,
): readonly ClientCertificate[] {
  if (path === undefined) return [];
  try {
    const expiresAt = read(path);
    return expiresAt === undefined ? [] : [{ path, expiresAt }];
  } catch {
    return [];
  }
}
