import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { readConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import { KubeClient, LIKE_KUBECTL } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { objectPath } from "../../kube/paths.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { UsageError } from "../command.ts";

/** Reads NAMESPACE/NAME. Throws UsageError. */
export function nameOf(argument: string): ObjectName {
  const [namespace = "", name = "", ...more] = argument.split("/");
  if (namespace !== "" && name !== "" && more.length === 0) return { namespace, name };
  throw new UsageError(`"${argument}" is not NAMESPACE/NAME`);
}

export interface ClusterOptions {
  readonly config?: string;
  readonly kubeconfig?: string;
}

/** Returns the path of the kubeconfig. Without either option it is looked for as kubectl does. */
export function kubeconfigOf({ config, kubeconfig }: ClusterOptions): string {
  if (config !== undefined && kubeconfig !== undefined) {
    throw new UsageError("--config and --kubeconfig exclude one another");
  }
  if (config !== undefined) {
    const { resources } = readConfig(config);
    if (resources.kind === "kubeconfig") return resources.path;
    throw new ClavigerError(
      "ConfigInvalid",
      `configuration ${config} is standalone: change the resource in a file of ${resources.folder} instead`,
    );
  }
  const [first] = (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
  return kubeconfig ?? first ?? join(homedir(), ".kube", "config");
}

/** The policy of deploy/admission.yaml that keeps nodes from changing the spec of a key. */
const NODES_POLICY = "nodes-leave-spec.kms.claviger.dev";

/** A MasterKey in an API server. */
export class ClusterMasterKey {
  readonly #kubeconfigPath: string;
  readonly #client: KubeClient;
  readonly #name: ObjectName;
  readonly #path: string;

  constructor(kubeconfigPath: string, name: ObjectName) {
    this.#kubeconfigPath = kubeconfigPath;
    this.#client = new KubeClient(kubeconfigPath, LIKE_KUBECTL);
    this.#name = name;
    this.#path = objectPath("MasterKey", name);
  }

  /** Reads the MasterKey. Throws NotFound or ApiServer. */
  async read(signal?: AbortSignal): Promise<MasterKey> {
    try {
      // The CRD's schema has validated it.
      return (await this.#client.request({
        method: "GET",
        path: this.#path,
        ...(signal && { signal }),
      })) as MasterKey;
    } catch (error) {
      throw error instanceof KubeError && error.code === "NotFound" ? this.#notFound(error) : error;
    }
  }

  /**
   * Changes these fields of its spec and no others; null removes a field (RFC 7396). Throws Conflict if the
   * given resourceVersion is stale.
   */
  async patch(spec: object, resourceVersion?: string): Promise<void> {
    try {
      await this.#client.request({
        method: "PATCH",
        path: this.#path,
        contentType: "application/merge-patch+json",
        body: { spec, ...(resourceVersion !== undefined && { metadata: { resourceVersion } }) },
      });
    } catch (error) {
      throw error instanceof KubeError && error.message.includes(NODES_POLICY) ? this.#asNode(error) : error;
    }
  }

  /** An API server that does not know the kind gives no reason. */
  #notFound(cause: KubeError): ClavigerError {
    if (cause.refusal.reason === "NotFound") {
      return new ClavigerError(
        "NotFound",
        `there is no MasterKey ${nameText(this.#name)} by kubeconfig ${this.#kubeconfigPath}; kubectl get masterkeys -A shows those that there are`,
        { cause },
      );
    }
    return new ClavigerError(
      "NotFound",
      `the API server of kubeconfig ${this.#kubeconfigPath} has no MasterKeys: apply the custom resource definitions of claviger's folder crds, or use another kubeconfig`,
      { cause },
    );
  }

  #asNode(cause: KubeError): ClavigerError {
    return new ClavigerError(
      "ConfigInvalid",
      `MasterKey ${nameText(this.#name)} was not changed: kubeconfig ${this.#kubeconfigPath} is that of a node of claviger, and nodes do not change the spec of a key; use your own kubeconfig: --kubeconfig FILE`,
      { cause },
    );
  }
}
