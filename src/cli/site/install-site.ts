import { hostname } from "node:os";
import { resolve } from "node:path";
import { type NodeConfig, parseConfig } from "../../config/config.ts";
import { PATHS } from "../../install/paths.ts";
import { runProgram } from "../../install/run-program.ts";
import { placeOf, type Site } from "../../install/site.ts";
import { textOf } from "../../install/text-file.ts";
import { KubeClient, LIKE_KUBECTL } from "../../kube/client.ts";
import { censusOfNode } from "../../storage/census/node-census.ts";

export interface SiteOptions {
  readonly kubeconfig?: string | undefined;
  readonly root?: string | undefined;
  readonly signal: AbortSignal;
}

/** Opens this node for an installation. `close` ends the connections to its API server. */
export function openSite({ kubeconfig, root = "/", signal }: SiteOptions): {
  readonly site: Site;
  close(): void;
} {
  const folder = resolve(root);
  const path = kubeconfig ?? placeOf({ root: folder }, PATHS.adminKubeconfig);
  const client = new KubeClient(path, LIKE_KUBECTL);
  const count = (config: NodeConfig) => censusOfNode(config, { all: true, signal });
  const site = { root: folder, nodeName: nodeNameIn(folder), run: runProgram, kube: client, count, signal };
  return { site, close: () => client.close() };
}

/** Returns the node's name by its configuration; the host's name if there is none. */
function nodeNameIn(root: string): string {
  const text = textOf(placeOf({ root }, PATHS.config));
  return text === undefined ? hostname().toLowerCase() : parseConfig(text, PATHS.config).nodeName;
}
