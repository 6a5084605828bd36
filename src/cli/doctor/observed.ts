import type { NodeConfig } from "../../config/config.ts";
import type { EncryptionFacts } from "../../install/kubeadm/cluster-configuration.ts";
import type { CertificateFile } from "../../kube/certificate-expiry.ts";
import type { ApiServerState } from "../../operator/node/decide-api-server.ts";
import type { KeyAlias, KeyServer, MasterKey } from "../../resources/resources.ts";
import type { Census } from "../../storage/census/census.ts";
import type { EncryptionConfig } from "../../storage/encryption-config/encryption-config.ts";
import type { GrantGuard } from "../../store/roles.ts";
import type { KeyringFacts } from "../site/keyring-facts.ts";
import type { Look } from "./look.ts";

/** All observations. Each may fail without the others. */
export interface Sights {
  readonly encryptionConfig: EncryptionConfig;
  readonly keyring: KeyringFacts;
  readonly resources: ClusterResources;
  readonly leases: readonly NodeLease[];
  /** The EncryptionConfiguration that this node's API server uses. */
  readonly apiServer: ApiServerState;
  /** The API server's flags and mounts in kubeadm's configuration. */
  readonly kubeadm: EncryptionFacts;
  readonly clock: ServerClock;
  readonly kubernetes: KubernetesVersion;
  readonly grants: GrantSupport;
  readonly rights: readonly MissingRight[];
  /** Verbs with which this node's own kubeconfig may read Secrets. */
  readonly secretRights: readonly string[];
  readonly etcd: Census;
}

export type Sight = keyof Sights;

export interface ClusterResources {
  readonly masterKeys: readonly MasterKey[];
  readonly keyAliases: readonly KeyAlias[];
  readonly keyServers: readonly KeyServer[];
}

/** A node's Lease. Times are epoch milliseconds. */
export interface NodeLease {
  readonly node: string;
  /** The time of the last renewal, by the node's clock. */
  readonly renewedAt: number;
  /** The same moment by the API server's clock, if the managedFields have it. */
  readonly writtenAt?: number;
}

export interface ServerClock {
  /** The API server's clock minus ours, in milliseconds; exact to a second. */
  readonly ahead: number;
}

export interface KubernetesVersion {
  /** The API server's `gitVersion`, such as `v1.30.14`. */
  readonly version: string;
  /** True if it serves ValidatingAdmissionPolicies of version v1. */
  readonly servesPolicies: boolean;
}

/** Support of the API server for KeyGrants. */
export interface GrantSupport {
  /** True if it serves KeyGrants. */
  readonly served: boolean;
  /** The admission policy that keeps spec.grantedBy true. */
  readonly guard: GrantGuard;
  /** The admission policy of key policies. */
  readonly policyGuard: GrantGuard;
}

/** A verb that the rewriter needs and its user may not use. */
export interface MissingRight {
  readonly resource: string;
  readonly verbs: readonly string[];
}

export interface RootKeyFile {
  readonly path: string;
  /** Permission bits of the file and of its folder, if they can be read. */
  readonly mode?: number;
  readonly folderMode?: number;
  /** The id of a root key that can be used; otherwise `fault` says why it cannot. */
  readonly rootKeyId?: string;
  readonly fault?: string;
}

/** A folder that this node's processes rely on, and that another user can replace. */
export interface UnsafeFolder {
  readonly what: string;
  readonly flaw: string;
}

/** A socket's answer to Status. */
export interface SocketAnswer {
  readonly name: string;
  readonly socket: string;
  /** The reason why the socket is not healthy. */
  readonly fault?: string;
}

/** Everything that `claviger doctor` checks. */
export interface Observed {
  readonly config: NodeConfig;
  readonly rootKey: RootKeyFile;
  readonly unsafeFolders: readonly UnsafeFolder[];
  /** The client certificates of this node. */
  readonly certificates: readonly CertificateFile[];
  /** The certificate of the AWS KMS API; empty if it has none, or if it cannot be read. */
  readonly apiCertificate: readonly CertificateFile[];
  readonly sockets: readonly SocketAnswer[];
  /** The reason why the AWS KMS API of this node answers no requests, if so. */
  readonly apiFault?: { readonly listen: string; readonly fault: string };
  readonly looks: { readonly [S in Sight]: Look<Sights[S]> };
}
