import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { readConfig } from "../config.ts";
import { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../keyring/rows.ts";
import { KubeClient } from "../kube/client.ts";
import { objectPath } from "../kube/paths.ts";
import type { MasterKey } from "../kube/resources.ts";
import { UsageError } from "./command.ts";

/** Reads NAMESPACE/NAME. Throws UsageError. */
export function nameOf(argument: string): ObjectName {
  const [namespace = "", name = "", ...more] = argument.split("/");
  if (namespace !== "" && name !== "" && more.length === 0) return { namespace, name };
  throw new UsageError(`${JSON.stringify(argument)} is not NAMESPACE/NAME`);
}

export interface ClusterOptions {
  readonly config?: string;
  readonly kubeconfig?: string;
}

/** The kubeconfig to use, as kubectl looks for it where neither option is given. */
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

/** A MasterKey of an API server. */
export class ClusterMasterKey {
  readonly #client: KubeClient;
  readonly #path: string;

  constructor(kubeconfigPath: string, name: ObjectName) {
    this.#client = new KubeClient(kubeconfigPath);
    this.#path = objectPath("MasterKey", name);
  }

  /** As it is now. Throws NotFound or ApiServer. */
  async read(signal?: AbortSignal): Promise<MasterKey> {
    // The CRD's schema has validated it.
    return (await this.#client.request({
      method: "GET",
      path: this.#path,
      ...(signal && { signal }),
    })) as MasterKey;
  }

  /**
   * Changes these fields of its spec and no others; null takes one away (RFC 7396).
   * Throws Conflict where it has not the given resourceVersion any more.
   */
  async patch(spec: object, resourceVersion?: string): Promise<void> {
    await this.#client.request({
      method: "PATCH",
      path: this.#path,
      contentType: "application/merge-patch+json",
      body: { spec, ...(resourceVersion !== undefined && { metadata: { resourceVersion } }) },
    });
  }
}
