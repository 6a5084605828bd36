/**
 * `npm run cluster`: a control plane on this machine whose Secrets are encrypted by claviger, for
 * experiments. Ctrl-C stops and removes everything.
 */
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stopSignal } from "../../src/cli/terminal/stop-signal.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { applyKey, type Cluster, KEY, startCluster } from "./cluster.ts";
import { startAwsApi, withAwsApi } from "./main-aws.ts";
import type { ClavigerNode, Part } from "./node.ts";

const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const USAGE = "usage: npm run cluster -- [--nodes N]   (N API servers, 1 to 5, each with its own claviger)";

function nodesWanted(): number {
  const { values } = parseArgs({ options: { nodes: { type: "string", default: "1" } } });
  const nodes = Number(values.nodes);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 5)
    throw new Error("--nodes takes a number from 1 to 5");
  return nodes;
}

async function main(nodes: number): Promise<void> {
  const binaries = await controlPlaneBinaries();
  if (binaries === undefined)
    throw new Error("building the control plane needs Go: install it, or set KUBEBUILDER_ASSETS");
  say(
    `Starting etcd, ${nodes} kube-apiserver${nodes > 1 ? "s" : ""}, controllers, and claviger beside each …`,
  );
  // Installed first, so that Ctrl-C leaves no half-started cluster behind.
  const stop = stopSignal();
  await using cluster = await startCluster({ nodes, controllers: true, ...(await withAwsApi()) });
  say(`Applying the MasterKey ${KEY} …`);
  await applyKey(cluster);
  say("Starting the AWS KMS API …");
  const aws = await startAwsApi(cluster, stop);
  const kubeconfig = await cluster.plane.apiServers[0]?.kubeconfig();
  say(`
Secrets are encrypted. Everything lies in ${cluster.plane.dir}. In another terminal:

  export KUBECONFIG=${kubeconfig} ETCD=${cluster.plane.etcd.endpoint}
  alias kubectl=${binaries.kubectl}

  kubectl get mk,kv,ka,ks -A                       # state, version, key_id, which node serves what
  kubectl create secret generic hello --from-literal=text=secret
  kubectl get secret hello -o jsonpath='{.data.text}' | base64 -d; echo
  curl -s $ETCD/v3/kv/range -d '{"key": "'$(printf /registry/secrets/default/hello | base64)'"}' \\
    | grep -o '"value":"[^"]*' | cut -d'"' -f4 | base64 -d | head -c 60   # what etcd has
${cluster.nodes.map((node) => `  tail -f ${node.logPath("operator")} ${node.logPath("plugin")}`).join("\n")}
  alias claviger='${process.execPath} ${CLAVIGER}'
  claviger rotate ${KEY} --wait                    # ends when a census has proven it
  claviger census --config ${cluster.nodes[0]?.configPath}   # what is stored under which key
${cluster.nodes.map((node) => `  claviger status --config ${node.configPath}; claviger doctor --config ${node.configPath}`).join("\n")}
${aws}
To see what a crash does, kill a process by its id, and start it again:

${processesOf(cluster).join("\n")}

Ctrl-C stops and removes everything.
`);
  if (!stop.aborted) await once(stop, "abort");
  say("Stopping …");
}

/** Lists every process with its id, and how to start claviger's processes by hand. */
function processesOf({ plane, nodes }: Cluster): string[] {
  const part = (node: ClavigerNode, name: Part) => {
    const pid = node.running(name)?.pid;
    const again = `claviger ${name} --config ${node.configPath}`;
    return pid === undefined ? [] : [`  ${pid}  ${name} of ${node.name}; again: ${again}`];
  };
  return [
    `  ${plane.etcd.pid}  etcd at ${plane.etcd.endpoint}`,
    ...plane.apiServers.map((server) => `  ${server.pid}  kube-apiserver at ${server.url}`),
    `  ${plane.controllers?.pid}  kube-controller-manager`,
    ...nodes.flatMap((node) => [...part(node, "plugin"), ...part(node, "operator"), ...part(node, "api")]),
  ];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  await main(nodesWanted());
  say("Everything is stopped and removed.");
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exitCode = 1;
}
