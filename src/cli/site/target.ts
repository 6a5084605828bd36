import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { readConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import { KubeClient, LIKE_KUBECTL } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { namespaceOf, readKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import { objectPath } from "../../kube/paths.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { UsageError } from "../command.ts";

/** The options of a command that talks to an API server, as kubectl has them. */
export const CLUSTER_OPTIONS = {
  kubeconfig: { type: "string" },
  context: { type: "string" },
  namespace: { type: "string", short: "n" },
  config: { type: "string" },
} as const;

export type ClusterOptions = { readonly [K in keyof typeof CLUSTER_OPTIONS]?: string };

/** A way to an API server. */
export interface ClusterAccess {
  readonly kubeconfig: string;
  /** The context to use; the current context if it is left out. */
  readonly context?: string;
}

/** Returns the way to the API server. Without options, the kubeconfig is looked for as kubectl does. */
export function accessOf({ config, kubeconfig, context }: ClusterOptions): ClusterAccess {
  if (config !== undefined && (kubeconfig !== undefined || context !== undefined)) {
    throw new UsageError(
      `--config and --${kubeconfig === undefined ? "context" : "kubeconfig"} exclude one another`,
    );
  }
  const path = config === undefined ? (kubeconfig ?? kubectlsFile(context)) : kubeconfigOf(config);
  return { kubeconfig: path, ...(context !== undefined && { context }) };
}

function kubeconfigOf(config: string): string {
  const { resources } = readConfig(config);
  if (resources.kind === "kubeconfig") return resources.path;
  throw new ClavigerError(
    "ConfigInvalid",
    `configuration ${config} is standalone: change the resource in a file of ${resources.folder} instead`,
  );
}

/**
 * Returns kubectl's kubeconfig. $KUBECONFIG may name several files, which kubectl merges: the first that has
 * the context is used, else the first that exists.
 */
function kubectlsFile(context: string | undefined): string {
  const files = (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
  const [first = join(homedir(), ".kube", "config")] = files;
  const wanted = context === undefined ? undefined : files.find((file) => hasContext(file, context));
  return wanted ?? files.find((file) => existsSync(file)) ?? first;
}

function hasContext(file: string, context: string): boolean {
  try {
    readKubeconfig(file, context);
    return true;
  } catch {
    // The file that is used in the end is read again, and its fault reported.
    return false;
  }
}

/**
 * Reads NAMESPACE/NAME, or a NAME in the namespace that was asked for, else in `fallback`. Throws
 * UsageError.
 */
export function nameOf(argument: string, namespace: string | undefined, fallback: () => string): ObjectName {
  const parts = argument.split("/");
  const [first = "", second] = parts;
  if (parts.length > 2 || parts.includes("")) throw new UsageError(`"${argument}" is not NAMESPACE/NAME`);
  if (second === undefined) return { namespace: namespace ?? fallback(), name: first };
  if (namespace === undefined || namespace === first) return { namespace: first, name: second };
  throw new UsageError(`"${argument}" is not in namespace ${namespace}: leave one of them out`);
}

/** Returns the namespace that was asked for, else that of the context, as kubectl does. */
export function namespaceFor(options: ClusterOptions): string {
  if (options.namespace !== undefined) return options.namespace;
  const { kubeconfig, context } = accessOf(options);
  return namespaceOf(readKubeconfig(kubeconfig, context));
}

/** Reads the name of a MasterKey in an API server, as kubectl would. */
export const nameInCluster = (argument: string, options: ClusterOptions): ObjectName =>
  nameOf(argument, options.namespace, () => namespaceFor(options));

/** Returns a client for a command that makes each call once. */
export const clientOf = ({ kubeconfig, context }: ClusterAccess): KubeClient =>
  new KubeClient(kubeconfig, { ...LIKE_KUBECTL, ...(context !== undefined && { context }) });

/** The policy of deploy/admission.yaml that keeps nodes from changing the spec of a key. */
const NODES_POLICY = "nodes-leave-spec.kms.claviger.dev";

/** A MasterKey in an API server. */
export class ClusterMasterKey {
  readonly #kubeconfigPath: string;
  readonly #client: KubeClient;
  readonly #name: ObjectName;
  readonly #path: string;

  constructor(access: ClusterAccess, name: ObjectName) {
    this.#kubeconfigPath = access.kubeconfig;
    this.#client = clientOf(access);
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
