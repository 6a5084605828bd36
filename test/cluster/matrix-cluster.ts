import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPeers } from "../../bench/peers.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { claviger, manifests, roleOfRewriters } from "./manifests.ts";
import {
  chainsAfter,
  encryptionOf,
  GROUP,
  type Resource,
  resourcesOf,
  type Scenario,
  type Sockets,
} from "./matrix-scenarios.ts";

/** No API server keeps an old key_id over the restart with which each edit ends. */
const SETTLE_SECONDS = 4;

/** A node, and the number of phases that it has finished. */
interface Place {
  readonly index: number;
  readonly phase: number;
  readonly nodes: number;
}

/** Renders the EncryptionConfiguration of a node in a phase. */
export function encryptionAt(
  scenarios: readonly Scenario[],
  { index, phase, nodes }: Place,
  sockets: Sockets,
): string {
  const chains = scenarios.map((scenario) => ({
    scenario,
    chain: chainsAfter(scenario, phase, nodes)[index] ?? [],
  }));
  return encryptionOf(chains, sockets);
}

/** Starts a cluster in which every scenario has its MasterKey, and its chain from before the first edit. */
export async function startMatrixCluster(
  scenarios: readonly Scenario[],
  nodes: number,
  others: Others,
): Promise<Cluster> {
  const cluster = await startCluster({
    nodes,
    flags: () => ["--feature-gates=KMSv1=true"],
    providers: Object.fromEntries(scenarios.map(({ name }) => [name, { key: `claviger-system/${name}` }])),
    encryption: (_, { index, socket }) =>
      encryptionAt(scenarios, { index, phase: 0, nodes }, others.sockets(socket)),
    environment: { CLAVIGER_TEST_SETTLE_SECONDS: String(SETTLE_SECONDS) },
  });
  try {
    const definitions = scenarios.flatMap(resourcesOf).flatMap(definitionOf);
    const keys = scenarios.map(({ name }) => claviger("MasterKey", name));
    await cluster.kubectl(["apply", "-f", "-"], `${manifests(...definitions, ...keys)}---\n${REWRITE}`);
    const wait = ["wait", "--for=condition=Ready", "--timeout=120s", "-n", "claviger-system", "--all", "mk"];
    await cluster.kubectl(wait);
    await cluster.ready();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

const REWRITE = roleOfRewriters("rewrite-matrix", [
  { apiGroups: [GROUP], resources: ["*"], verbs: ["get", "list", "patch"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "patch"] },
]);

function definitionOf({ kind, apiVersion, pattern }: Resource): object[] {
  if (apiVersion === "v1") return [];
  const plural = pattern.slice(0, -GROUP.length - 1);
  const text = { type: "object", additionalProperties: { type: "string" } };
  const openAPIV3Schema = { type: "object", properties: { data: text } };
  return [
    {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: pattern },
      spec: {
        group: GROUP,
        scope: "Namespaced",
        names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    },
  ];
}

/** The former KMS plugin, which speaks both versions, for all nodes. */
export interface Others {
  sockets(ours: Sockets["claviger"]): Sockets;
  stop(): Promise<void>;
}

export async function startOthers(): Promise<Others> {
  const folder = await mkdtemp(join(tmpdir(), "clv-other-"));
  const [v1, v2] = [join(folder, "v1.sock"), join(folder, "v2.sock")];
  const { referencePlugin } = await buildPeers();
  const plugin: RunningProcess = await startProcess({
    name: "reference-plugin",
    binary: referencePlugin,
    args: ["--socket", v2, "--v1-socket", v1, "--key-file", join(folder, "key")],
    log: join(folder, "log"),
    home: folder,
  });
  return {
    sockets: (ours) => ({ v1, v2, claviger: ours }),
    stop: async () => {
      await plugin.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
