import { join } from "node:path";
import type { Cluster } from "../cluster/cluster.ts";
import { NODE_USER } from "../cluster/cluster.ts";
import { ClavigerNode } from "../cluster/node.ts";

/** Shifts the clock of a Node process, from its start on. */
const shifted = (milliseconds: number): string =>
  `data:text/javascript,${encodeURIComponent(`
    const Real = Date;
    const now = () => Real.now() + ${milliseconds};
    globalThis.Date = class Date extends Real {
      constructor(...parts) { parts.length === 0 ? super(now()) : super(...parts); }
      static now() { return now(); }
    };
  `)}`;

/**
 * Starts another node beside a cluster's first API server, with the AWS KMS API and without a socket. Its clock is
 * ahead of the first node's. It is up to the caller to kill its processes.
 */
export async function startSecondNode(
  cluster: Cluster,
  { aws, ahead }: { readonly aws: object; readonly ahead: number },
): Promise<ClavigerNode> {
  const { plane, nodes, rootKey } = cluster;
  const node = await ClavigerNode.create({
    ...{ name: "node-2", dir: join(plane.dir, "node-2"), rootKey, aws, providers: {} },
    kubeconfig: (await plane.apiServers[0]?.kubeconfig(NODE_USER)) ?? "",
    rewriterKubeconfig: undefined,
    encryptionConfig: nodes[0]?.encryptionConfigPath ?? "",
    etcd: { endpoints: [plane.etcd.endpoint] },
    environment: { NODE_OPTIONS: `--import ${shifted(ahead)}` },
  });
  await node.start("operator");
  await node.start("api");
  return node;
}
