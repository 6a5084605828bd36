/** A change that a step makes. Changes are data, so that they can be shown before they are made. */
export type Change =
  | FolderChange
  | FileChange
  | RootKeyChange
  | KubeconfigChange
  | ObjectChange
  | ClusterConfigurationChange
  | RewriteChange
  | DeletionChange
  | RemovalChange
  | RunChange;

export interface FolderChange {
  readonly kind: "folder";
  readonly path: string;
}

export interface FileChange {
  readonly kind: "file";
  readonly path: string;
  readonly mode: number;
  /** The text that is there; undefined if there is no file. */
  readonly before: string | undefined;
  /** The text that is wanted; undefined if the file is removed. */
  readonly after: string | undefined;
}

export interface RootKeyChange {
  readonly kind: "root key";
  readonly path: string;
}

/** A kubeconfig with a client certificate that kubeadm signs. Its text is secret. */
export interface KubeconfigChange {
  readonly kind: "kubeconfig";
  readonly path: string;
  readonly user: string;
  readonly group: string;
  /** The configuration of kubeadm that names the API server. */
  readonly kubeadmConfig: string;
}

/** kubeadm's ClusterConfiguration, in its ConfigMap. */
export interface ClusterConfigurationChange {
  readonly kind: "cluster configuration";
  readonly before: string;
  readonly after: string;
}

/** An object that is applied. */
export interface ObjectChange {
  readonly kind: "object";
  readonly path: string;
  readonly object: KubeObject;
  /** The object that is there; undefined if there is none. */
  readonly before?: unknown;
}

/** Every object of a resource is written back as it is, so that the API server stores it anew. */
export interface RewriteChange {
  readonly kind: "rewrite";
  /** The path of the collection. */
  readonly path: string;
  readonly objects: number;
}

/** An object is deleted. */
export interface DeletionChange {
  readonly kind: "delete";
  readonly path: string;
  readonly name: string;
}

/** A file, or a folder with everything in it, is removed for good. */
export interface RemovalChange {
  readonly kind: "remove";
  readonly path: string;
}

/** A program is run, which must succeed. */
export interface RunChange {
  readonly kind: "run";
  readonly command: string;
  readonly args: readonly string[];
}

/** An object of Kubernetes, as a manifest has it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export const objectName = ({ kind, metadata: { namespace, name } }: KubeObject): string =>
  `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;

/** Describes a change in a line. */
export function describe(change: Change): string {
  switch (change.kind) {
    case "folder":
      return `folder ${change.path}, mode 0700`;
    case "file":
      return `${change.after === undefined ? "remove " : change.before === undefined ? "create " : "change "}${change.path}`;
    case "root key":
      return `create ${change.path}, 32 random bytes, mode 0600`;
    case "kubeconfig":
      return `create ${change.path}, user ${change.user}, group ${change.group}`;
    case "object":
      return `${change.before === undefined ? "create" : "change"} ${objectName(change.object)}`;
    case "rewrite":
      return `write back every object of ${change.path}`;
    case "delete":
      return `delete ${change.name}`;
    case "run":
      return `run ${[change.command, ...change.args].join(" ")}`;
    case "remove":
      return `remove ${change.path}`;
    case "cluster configuration":
      return "change ClusterConfiguration in ConfigMap kube-system/kubeadm-config";
  }
}
