import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProviderConfig } from "../../src/config/config.ts";
import type { Limits } from "../../src/config/limits.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { Condition } from "../../src/resources/schemas/fields.ts";
import { encryptionConfiguration } from "../../src/storage/encryption-config/print.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import {
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from "../controlplane/controlplane.ts";
import { eventually } from "../controlplane/wait.ts";
import { ClavigerNode, type NodeMetrics, type NodeOptions } from "./node.ts";

const ROOT = join(import.meta.dirname, "..", "..");
export const CRDS = join(ROOT, "crds");
export const ADMISSION = join(ROOT, "deploy", "admission.yaml");
export const RIGHTS = ["rbac.yaml", "rewriter.yaml", "admission.yaml"].flatMap((name) => [
  "-f",
  join(ROOT, "deploy", name),
]);
/** The user of a node's operator: not an administrator, as in a real cluster. */
export const NODE_USER = "claviger-node";
/** The user with which it rewrites stored objects. */
export const REWRITER_USER = "claviger-rewriter";
export const PROVIDER = "secrets";
export const KEY = "claviger-system/secrets";

export interface ClusterOptions {
  /** The number of API servers, each with a claviger node; 1 if left out. */
  readonly nodes?: number;
  readonly dir?: string;
  readonly controllers?: ControlPlaneOptions["controllers"];
  readonly flags?: ControlPlaneOptions["flags"];
  /** The key that the provider serves; the MasterKey `claviger-system/secrets` if left out. */
  readonly serves?: { readonly key: string } | { readonly alias: string };
  /** The keys of several providers, by the provider's name; `serves` is then ignored. */
  readonly providers?: NodeOptions["providers"];
  /**
   * The index of the API server that every operator uses, as through a load balancer; each uses its own if
   * left out.
   */
  readonly operatorsUse?: number;
  /** Added to the environment of every claviger process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Replaces the kubeconfig of a node's operator. */
  readonly operatorKubeconfig?: (kubeconfig: string, index: number) => Promise<string>;
  /** Replaces the kubeconfig of the identity that rewrites stored objects. */
  readonly rewriterKubeconfig?: (kubeconfig: string, index: number) => Promise<string>;
  /**
   * Returns each API server's EncryptionConfiguration for the provider next to it; the configuration that
   * claviger prints if left out.
   */
  readonly encryption?: (provider: Pick<ProviderConfig, "name" | "socket">, site: EncryptionSite) => string;
  /** The folder of the release that the nodes run; this checkout if left out. */
  readonly release?: string;
  /** True if the nodes have no identity for the rewriter, and so none of its rights. */
  readonly withoutRewriter?: boolean;
  /** Further users, in addition to the admin and the nodes. */
  readonly users?: ControlPlaneOptions["users"];
  /** The `limits` of every node's configuration. */
  readonly limits?: Partial<Limits>;
  /** The addresses of the metrics of each node; none are served if left out. */
  readonly metrics?: readonly NodeMetrics[];
  /** The address of the first node's console; none is served if left out. */
  readonly console?: { readonly listen: string };
  /** Returns the section `aws` of the first node; it has none if left out. */
  readonly aws?: (server: ApiServer) => Promise<object>;
  /** How often every node counts complete data again; an hour if left out. */
  readonly censusIntervalMinutes?: number;
  /** Installs resources and rights; kubectl apply of crds/ and deploy/ if left out. */
  readonly install?: (plane: ControlPlane) => Promise<void>;
}

/** The node whose EncryptionConfiguration is needed, and the sockets of its providers. */
export interface EncryptionSite {
  readonly index: number;
  socket(provider: string): string;
}

/**
 * A control plane whose Secrets are encrypted by claviger. Every part is a process of its own on loopback.
 */
export interface Cluster extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly nodes: readonly ClavigerNode[];
  /** The root key of all nodes, for tests that search for it in places that must not have it. */
  readonly rootKey: Buffer;
  /** Gets a path as the admin and returns what it holds; rejects unless it is 200. For polls: it costs far less than a kubectl. */
  read<T>(path: string): Promise<T>;
  /** Runs kubectl as the admin and returns its output. Rejects if it fails. */
  kubectl(args: readonly string[], stdin?: string): Promise<string>;
  /** Waits until every API server answers /readyz, KMS included. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts etcd, API servers configured for KMS v2, the CRDs, and a claviger node next to each API server. The
 * API servers start without their key, as in a first installation: Secrets work once the MasterKey is
 * applied.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const plane = await startControlPlane({
    apiServers: options.nodes ?? 1,
    encryptionConfig: (index, dir) => writeEncryptionConfig(dir, index, options),
    hostname: nodeName,
    readyPath: "/livez",
    users: [
      userOf(NODE_USER, "claviger:nodes"),
      userOf(REWRITER_USER, "claviger:rewriters"),
      ...(options.users ?? []),
    ],
    ...(options.dir !== undefined && { dir: options.dir }),
    ...(options.controllers !== undefined && { controllers: options.controllers }),
    ...(options.flags !== undefined && { flags: options.flags }),
  });
  const rootKey = randomBytes(32);
  const nodes: ClavigerNode[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.killAll()));
    await plane.stop();
  };
  try {
    const kubectl = kubectlOf(plane);
    if (options.install === undefined) await kubectl(["apply", "-f", CRDS, ...RIGHTS]);
    else await options.install(plane);
    await allEstablished(plane);
    for (const [index, server] of plane.apiServers.entries()) {
      nodes.push(await createNode({ plane, server, index, rootKey, options }));
    }
    for (const node of nodes) node.release = options.release ?? node.release;
    await Promise.all(nodes.map((node) => node.startBoth()));
    const ready = async () => {
      await Promise.all(plane.apiServers.map((server) => server.ready()));
    };
    const read = <T>(path: string) => readFrom<T>(plane, path);
    return { plane, nodes, rootKey, read, kubectl, ready, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until the API server serves all the resources that are installed. */
async function allEstablished(plane: ControlPlane): Promise<void> {
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  await eventually("every CustomResourceDefinition is established", async () => {
    const { items } = await readFrom<{ items: WithConditions[] }>(plane, path);
    return items.every((crd) => holds("Established", crd));
  });
}

interface WithConditions {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const holds = (type: string, { status }: WithConditions): boolean =>
  conditionOf(status?.conditions, type)?.status === "True";

/** Applies the MasterKey that the provider serves, and waits until Secrets work on every API server. */
export async function applyKey(cluster: Cluster, text = exampleKey()): Promise<void> {
  await cluster.kubectl(["apply", "-f", "-"], text);
  const path = "/apis/kms.claviger.dev/v1alpha1/namespaces/claviger-system/masterkeys/secrets";
  await eventually(`${KEY} is Ready`, async () => holds("Ready", await cluster.read(path)));
  await cluster.ready();
}

export const exampleKey = (): string => `
apiVersion: kms.claviger.dev/v1alpha1
kind: MasterKey
metadata: { namespace: claviger-system, name: secrets }
spec: {}
`;

interface Site {
  readonly plane: ControlPlane;
  readonly server: ApiServer;
  readonly index: number;
  readonly rootKey: Buffer;
  readonly options: ClusterOptions;
}

async function createNode({ plane, server, index, rootKey, options }: Site): Promise<ClavigerNode> {
  const apiServer = plane.apiServers[options.operatorsUse ?? index] ?? server;
  const usual = await apiServer.kubeconfig(NODE_USER);
  const rewriter = options.withoutRewriter ? undefined : await apiServer.kubeconfig(REWRITER_USER);
  return ClavigerNode.create({
    name: nodeName(index),
    dir: nodeDir(plane.dir, index),
    rootKey,
    kubeconfig: (await options.operatorKubeconfig?.(usual, index)) ?? usual,
    rewriterKubeconfig: rewriter && ((await options.rewriterKubeconfig?.(rewriter, index)) ?? rewriter),
    providers: options.providers ?? { [PROVIDER]: options.serves ?? { key: KEY } },
    encryptionConfig: encryptionConfigPath(plane.dir, index),
    etcd: {
      endpoints: [plane.etcd.endpoint],
      ...(options.censusIntervalMinutes !== undefined && {
        censusIntervalMinutes: options.censusIntervalMinutes,
      }),
    },
    environment: options.environment ?? {},
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.metrics?.[index] !== undefined && { metrics: options.metrics[index] }),
    ...(index === 0 && options.console !== undefined && { console: options.console }),
    ...(index === 0 && options.aws !== undefined && { aws: await options.aws(server) }),
  });
}

const userOf = (name: string, group: string) => ({
  name,
  token: randomBytes(16).toString("hex"),
  groups: [group],
});

const nodeName = (index: number): string => `node-${index + 1}`;
const nodeDir = (dir: string, index: number): string => join(dir, nodeName(index));

const encryptionConfigPath = (dir: string, index: number): string => join(dir, `encryption-${index}.yaml`);

async function writeEncryptionConfig(dir: string, index: number, options: ClusterOptions): Promise<string> {
  const path = encryptionConfigPath(dir, index);
  const socket = (provider: string) => join(nodeDir(dir, index), "run", `${provider}.sock`);
  const provider = { name: PROVIDER, socket: socket(PROVIDER) };
  const text = options.encryption?.(provider, { index, socket }) ?? encryptionConfiguration(provider);
  await writeFile(path, text);
  return path;
}

async function readFrom<T>({ apiServers: [server] }: ControlPlane, path: string): Promise<T> {
  if (server === undefined) throw new Error("there is no API server");
  const { status, body } = await server.request("GET", path, { deadline: 30_000 });
  if (status !== 200) throw new Error(`GET ${path}: HTTP ${status} ${JSON.stringify(body)}`);
  // The API server validates every object against its CRD.
  return body as T;
}

function kubectlOf(plane: ControlPlane): Cluster["kubectl"] {
  return async (args, stdin) => {
    const result = await plane.kubectl(args, stdin === undefined ? {} : { stdin });
    if (result.code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
}
