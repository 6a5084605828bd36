import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { readConfig } from "../config.ts";
import { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../keyring/rows.ts";
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
