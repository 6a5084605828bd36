/** The places of an installation on a control-plane node, as README.md and deploy/ name them. */
export const PATHS = {
  config: "/etc/claviger/claviger.yaml",
  rootKey: "/etc/claviger/root.key",
  kubeconfig: "/etc/claviger/kubeconfig",
  rewriterKubeconfig: "/etc/claviger/rewriter.kubeconfig",
  apiKubeconfig: "/etc/claviger/api.kubeconfig",
  originals: "/etc/claviger/originals.json",
  joinKey: "/etc/claviger/join.key",
  tmpfiles: "/etc/tmpfiles.d/claviger.conf",
  encryptionConfig: "/etc/kubernetes/enc/enc.yaml",
  manifests: "/etc/kubernetes/manifests",
  apiServer: "/etc/kubernetes/manifests/kube-apiserver.yaml",
  adminKubeconfig: "/etc/kubernetes/admin.conf",
  units: "/etc/systemd/system",
} as const;

/** Folders of mode 0700, in the order in which they are made. */
export const FOLDERS = [
  "/etc/claviger",
  "/var/lib/claviger",
  "/etc/kubernetes/enc",
  "/var/run/claviger",
] as const;

export const SOCKET_FOLDER = "/var/run/claviger";
export const ENCRYPTION_FOLDER = "/etc/kubernetes/enc";
