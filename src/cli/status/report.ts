import type { KeySpec } from "../../crypto/key-specs.ts";
import type { ApiServerStatus } from "../../operator/node/decide-api-server.ts";
import type { ManifestProblem } from "../../store/manifests/manifest-verdicts.ts";
import type { KeyState } from "../site/key-state.ts";
import type { NodeReport, StoredData } from "../site/stored-data.ts";

/** Everything that `claviger status` reports. Parts that could not be read are left out. */
export interface StatusReport {
  /** The node that reports; left out in a report of the whole cluster. */
  readonly node?: string;
  readonly providers: readonly ProviderReport[];
  readonly apiServer?: ApiServerReport;
  readonly keys?: readonly KeyReport[];
  readonly manifests?: readonly ManifestProblem[];
  /** The nodes of the cluster by their KeyServers; left out if the API server does not answer, and standalone. */
  readonly nodes?: readonly NodeReport[];
  /** The reason why the report has nothing from the API server, or nothing that is up to date. */
  readonly clusterUnknown?: string;
}

export interface ProviderReport {
  readonly name: string;
  readonly socket: string;
  readonly serves: string;
  /** "ok", or the socket's answer. */
  readonly status: string;
  readonly kmsKeyId?: string;
  /** The resources that this node's EncryptionConfiguration writes through the socket. */
  readonly encrypts?: readonly string[];
  /**
   * The time at which an API server last asked for Status, or at which the plugin began, if that is three
   * minutes ago or more.
   */
  readonly notAskedSince?: string;
}

/** The API server's own report about its EncryptionConfiguration. */
export interface ApiServerReport {
  readonly encryptionConfig: ApiServerStatus["encryptionConfig"];
  readonly message?: string;
  readonly inStep: boolean | undefined;
}

export interface KeyReport {
  readonly key: string;
  readonly keyId: string;
  readonly state: KeyState;
  readonly enabled: boolean;
  readonly deletionDate?: string;
  /** The time until which the current version's imported material may be used. */
  readonly validTo?: string;
  readonly currentVersion?: number;
  /** AWS KMS's name of the kind of key; left out by a node whose keyring has no version of the key. */
  readonly keySpec?: KeySpec;
  readonly kmsKeyId?: string;
  readonly nextRotation?: string;
  /** The resources that the API servers of all nodes put under the key; only in a report of the cluster. */
  readonly encrypts?: readonly string[];
  /** The leading operator's report about the data stored under the key, from the condition Reencrypted. */
  readonly storedData?: StoredData | { readonly unknown: string };
}
