import { readFile, stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MasterKey } from "../../src/resources/resources.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";

const binaries = await controlPlaneBinaries();

const PARTS = ["etcd", "API server", "plugin", "operator"] as const;
type Part = (typeof PARTS)[number];

/** Returns every order of some things. */
function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]];
  return things.flatMap((first) =>
    ordersOf(things.filter((thing) => thing !== first)).map((rest) => [first, ...rest]),
  );
}

const SECRETS = "/api/v1/namespaces/default/secrets";
const secretOf = (name: string) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  stringData: { text: name },
});

/**
 * A power cut and a start in every order, on one node. Each part is started once the part before it has done
 * what it can do alone.
 */
describe.skipIf(binaries === undefined)("etcd, API server, plugin and operator after a power cut", () => {
  let cluster: Cluster;
  const written: string[] = [];

  beforeAll(async () => {
    cluster = await startCluster();
    await applyKey(cluster);
    await write("first");
  });
  afterAll(() => cluster?.stop());

  const server = (): ApiServer => first(cluster.plane.apiServers);
  const node = (): ClavigerNode => first(cluster.nodes);

  const write = async (name: string): Promise<void> => {
    const { status } = await server().request("POST", SECRETS, { body: secretOf(name) });
    expect(status).toBe(201);
    written.push(name);
  };
  const readAll = async (): Promise<string[]> => {
    const { status, body } = await server().request("GET", SECRETS);
    expect(status).toBe(200);
    const { items } = body as { readonly items: readonly { readonly data: { readonly text: string } }[] };
    return items.map(({ data }) => Buffer.from(data.text, "base64").toString());
  };
  const powerCut = () =>
    Promise.all([
      cluster.plane.etcd.kill9(),
      server().kill9(),
      node().kill9("plugin"),
      node().kill9("operator"),
    ]);

  /** Starts a part and waits until it has done what it can do without the parts that do not run yet. */
  const starts: Readonly<Record<Part, () => Promise<unknown>>> = {
    etcd: () => cluster.plane.etcd.start(),
    "API server": () => startServer(),
    plugin: () => startAndLog(node().logPath("plugin"), () => node().start("plugin")),
    operator: () => startAndLog(node().logPath("operator"), () => node().start("operator")),
  };
  /** Ends when it answers, or has met an etcd that does not run. */
  const startServer = async () => {
    const before = (await readFile(server().log)).length;
    await server().start();
    const answers = () => server().ready("/livez", { deadline: 1_000, every: 200 });
    await eventually("the API server answers, or says that etcd does not", async () => {
      const since = (await readFile(server().log)).subarray(before);
      if (since.includes("connection refused") || since.includes("context deadline exceeded")) return true;
      await answers();
      return true;
    });
  };
  /** An API server that gives up waiting for etcd is started again, as the kubelet does. */
  const serves = () =>
    eventually(
      "the API server is ready",
      async () => {
        try {
          await server().ready("/readyz", { deadline: 1_000, every: 200 });
          return true;
        } catch (error) {
          if (error instanceof Hopeless) await server().start();
          throw new Error(String(error));
        }
      },
      { deadline: 240_000, every: 100 },
    );

  it.each(ordersOf(PARTS))(
    "%s, %s, %s, %s => every Secret is read, and another is written",
    async (...order) => {
      await powerCut();
      for (const part of order) await starts[part]();
      await serves();
      expect((await readAll()).sort()).toEqual([...written].sort());
      await write(order.join("-").toLowerCase().replaceAll(" ", "-"));
      expect(node().running("plugin")).toBeDefined();
      expect(node().running("operator")).toBeDefined();
    },
  );

  it("and after all of them the key is Ready, and what was written is under it", async () => {
    expect(written).toHaveLength(25);
    await cluster.kubectl(
      "wait --for=condition=Ready --timeout=120s -n claviger-system masterkey/secrets".split(" "),
    );
    const { status }: MasterKey = JSON.parse(
      await cluster.kubectl("get mk -n claviger-system secrets -o json".split(" ")),
    );
    const keyId = status?.currentVersion?.kmsKeyId ?? "none";
    const stored = await cluster.plane.etcd.get("/registry/secrets/default/");
    expect(stored).toHaveLength(25);
    const elsewhere = stored.filter(
      ({ value }) => !value.includes(`k8s:enc:kms:v2:${PROVIDER}:`) || !value.includes(keyId),
    );
    expect(elsewhere).toEqual([]);
  });
});

/** Starts a process, and waits until it has written to its log. */
async function startAndLog(log: string, start: () => Promise<unknown>): Promise<void> {
  const size = async () => (await stat(log).catch(() => undefined))?.size ?? 0;
  const before = await size();
  await start();
  await eventually(`${log} grows`, async () => (await size()) > before);
}

function first<T>(list: readonly T[]): T {
  const [found] = list;
  if (found === undefined) throw new Error("the cluster has one node");
  return found;
}
