import { type NodeConfig, parseConfig } from "../config/config.ts";
import { PATHS } from "./paths.ts";
import { placeOf, type Site } from "./site.ts";
import { textOf } from "./text-file.ts";

/** Returns the AWS KMS API of this node's configuration; undefined if none is served or the configuration is broken. */
export function nodeApi(site: Pick<Site, "root">): NodeConfig["api"] {
  const text = textOf(placeOf(site, PATHS.config));
  try {
    return text === undefined ? undefined : parseConfig(text, PATHS.config).api;
  } catch {
    // The step of the configuration says what is wrong with it.
    return undefined;
  }
}

/** Returns true if the API asks the API server by the kubeconfig that init has signed. */
export const hasApiIdentity = (site: Pick<Site, "root">): boolean =>
  nodeApi(site)?.kubeconfig === PATHS.apiKubeconfig;
