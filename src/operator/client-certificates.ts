import type { NodeConfig } from "../config/config.ts";
import {
  type CertificateFile,
  certificateExpiry,
  expiryIn,
  kubeconfigExpiry,
} from "../kube/certificate-expiry.ts";

/**
 * Returns the client certificates that a configuration names, as they are on the disk now. Leaves out a file that
 * cannot be read: whoever needs it reports that.
 */
export function clientCertificates({
  resources,
  rewriter,
  etcd,
  api,
}: Pick<NodeConfig, "resources" | "rewriter" | "etcd" | "api">): CertificateFile[] {
  const kubeconfig = resources.kind === "kubeconfig" ? resources.path : undefined;
  return [
    ...expiryIn(kubeconfig, kubeconfigExpiry),
    ...expiryIn(rewriter?.kubeconfig, kubeconfigExpiry),
    ...expiryIn(api?.kubeconfig, kubeconfigExpiry),
    ...expiryIn(etcd?.client?.cert, certificateExpiry),
  ];
}
