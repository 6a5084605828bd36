import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encryptionConfiguration } from "../src/storage/encryption-config/print.ts";
import { applyKey, startCluster } from "../test/cluster/cluster.ts";
import type { ApiServer } from "../test/controlplane/apiserver.ts";
import { type ControlPlane, startControlPlane } from "../test/controlplane/controlplane.ts";
import { makeNode, socketOf } from "./keyrings.ts";
import type { Bench } from "./part.ts";
import { builtPlugin, goPlugin, running } from "./plugins.ts";

/** An API server with its own etcd, which encrypts Secrets in its own way. */
export interface Site {
  readonly name: string;
  readonly server: ApiServer;
}

/** The site that the others are compared with. */
export const BASELINE = "secretbox";
export const CLAVIGER = "claviger";

/** Starts all sites at the same time. `stack` stops them. */
export async function startSites(bench: Bench, stack: AsyncDisposableStack): Promise<Site[]> {
  const starts = { [CLAVIGER]: claviger, "Go plugin": goReference, [BASELINE]: secretbox, identity };
  const sites: Site[] = [];
  for (const [name, start] of Object.entries(starts)) {
    bench.progress(`secrets: starting the API server with ${name}`);
    const [server] = (await start(bench, stack)).apiServers;
    if (server === undefined) throw new Error(`${name} has no API server`);
    sites.push({ name, server });
  }
  return sites;
}

/** Starts two API servers on one etcd and one plugin. Each encrypts under a key of its own and reads both. */
export async function startTwins(
  bench: Bench,
  stack: AsyncDisposableStack,
  dir: string,
): Promise<readonly [ApiServer, ApiServer]> {
  const providers = ["one", "other"];
  // Two keys of 100 versions.
  const node = await makeNode(dir, 200, providers);
  stack.use(await running([builtPlugin(bench.claviger, node)], bench.peers));
  const kms = providers.map((name) => ({
    kms: { apiVersion: "v2", name, endpoint: `unix://${socketOf(dir, name)}`, timeout: "3s" },
  }));
  const encryptionConfig = async (index: number, folder: string) => {
    const path = join(folder, `encryption-${index}.json`);
    const ordered = index === 0 ? kms : kms.toReversed();
    await writeFile(path, ownConfiguration(...ordered, { identity: {} }));
    return path;
  };
  const { apiServers } = stack.use(await startControlPlane({ apiServers: 2, encryptionConfig }));
  const [first, second] = apiServers;
  if (first === undefined || second === undefined) throw new Error("there are no two API servers");
  return [first, second];
}

type Start = (bench: Bench, stack: AsyncDisposableStack) => Promise<ControlPlane>;

/** Includes everything of a real cluster: custom resources, operator and plugin. */
const claviger: Start = async (_, stack) => {
  const cluster = stack.use(await startCluster());
  await applyKey(cluster);
  return cluster.plane;
};

const goReference: Start = async (bench, stack) => {
  const dir = join(bench.dir, "go-site");
  await mkdir(dir);
  const plugin = goPlugin(bench.peers, dir);
  stack.use(await running([plugin], bench.peers));
  return encrypted(stack, encryptionConfiguration({ name: "go", socket: plugin.socket }));
};

const secretbox: Start = (_, stack) => {
  const secret = randomBytes(32).toString("base64");
  return encrypted(stack, ownConfiguration({ secretbox: { keys: [{ name: "key", secret }] } }));
};

const identity: Start = (_, stack) => encrypted(stack, ownConfiguration({ identity: {} }));

async function encrypted(stack: AsyncDisposableStack, configuration: string): Promise<ControlPlane> {
  const encryptionConfig = async (_: number, dir: string) => {
    const path = join(dir, "encryption.yaml");
    await writeFile(path, configuration, { mode: 0o600 });
    return path;
  };
  return stack.use(await startControlPlane({ encryptionConfig }));
}

/** Renders a configuration for the API server's own providers. JSON is YAML too. */
const ownConfiguration = (...providers: readonly object[]): string =>
  JSON.stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: ["secrets"], providers }],
  });
