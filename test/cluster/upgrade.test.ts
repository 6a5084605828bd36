import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, CRDS, RIGHTS, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";
import { createSecrets, Traffic } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const ROOT = join(import.meta.dirname, "..", "..");
const FORMER = join(ROOT, "test", "upgrade", "claviger-0.1.0.tar.gz");
const SECRETS = 40;

describe.skipIf(binaries === undefined)("an upgrade from 0.1.0 under load, and back", () => {
  let cluster: Cluster;
  let former: string;
  let traffic: Traffic;

  beforeAll(async () => {
    // Not under node_modules, because Node strips no types there: it runs from sources, as this release does.
    former = await mkdtemp(join(tmpdir(), "claviger-0.1.0-"));
    const unpacked = await run("tar", ["-xzf", FORMER, "-C", former]);
    expect(unpacked.code, unpacked.stderr).toBe(0);
    await symlink(join(ROOT, "node_modules"), join(former, "node_modules"));
    cluster = await startCluster({
      nodes: 2,
      release: former,
      // The former release does not know this field, and does everything as the node.
      withoutRewriter: true,
      install: async (plane) => {
        const rights = ["rbac.yaml", "rewriter.yaml", "admission.yaml"].map((name) =>
          join(former, "deploy", name),
        );
        const files = [join(former, "crds"), ...rights].flatMap((file) => ["-f", file]);
        const applied = await plane.kubectl(["apply", ...files]);
        expect(applied.stderr).toBe("");
      },
    });
    await applyKey(cluster);
    const [server] = cluster.plane.apiServers;
    if (server === undefined) throw new Error("there is no API server");
    await createSecrets(server, SECRETS);
    traffic = new Traffic(cluster.plane.apiServers, SECRETS);
  });
  afterAll(async () => {
    await traffic?.stop();
    await cluster?.stop();
    if (former !== undefined) await rm(former, { recursive: true, force: true });
  });

  const masterKey = async (): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", "json"]));
  const versions = async (): Promise<KeyVersion[]> =>
    (JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])) as { items: KeyVersion[] }).items;
  /** Replaces the releases one after the other, as an administrator does. */
  const turnTo = async (release: string) => {
    for (const node of cluster.nodes) {
      await replace(node, release);
      await eventually(`${node.name} is Ready`, async () => {
        const server = JSON.parse(await cluster.kubectl(["get", "ks", node.name, "-o", "json"]));
        return conditionOf(server.status?.conditions, "Ready")?.status === "True";
      });
    }
  };
  const replace = async (node: ClavigerNode, release: string) => {
    node.release = release;
    for (const part of ["operator", "plugin"] as const) {
      await node.stop(part);
      await node.start(part);
    }
    await cluster.ready();
  };
  const rotateTo = async (number: number) => {
    const change = { spec: { rotation: { requestToken: `to-${number}` } } };
    await cluster.kubectl([
      ...["patch", "mk", "-n", "claviger-system", "secrets", "--type=merge"],
      ...["-p", JSON.stringify(change)],
    ]);
    await eventually(
      `version ${number} encrypts`,
      async () => (await masterKey()).status?.currentVersion?.number === number,
    );
  };
  /** A new API server process has no data key in memory, so it reads through the plugin. */
  const readsAfterRestart = async () => {
    const [server] = cluster.plane.apiServers;
    await traffic.stop();
    await server?.kill9();
    await server?.start();
    await cluster.ready();
    for (let index = 0; index < SECRETS; index++) {
      const text = await cluster.kubectl(["get", "secret", `seed-${index}`, "-o", "jsonpath={.data.value}"]);
      expect(Buffer.from(text, "base64").toString()).toBe(`text of seed-${index}`);
    }
    traffic = new Traffic(cluster.plane.apiServers, SECRETS);
  };
  const trafficWithoutErrors = async () => {
    const { reads, writes, errors } = await traffic.stop();
    expect(errors).toEqual([]);
    expect(Math.min(reads, writes)).toBeGreaterThan(0);
    traffic = new Traffic(cluster.plane.apiServers, SECRETS);
  };

  it("upgrades without a failed read or write, and every version of before gets its proof", async () => {
    await rotateTo(2);
    const before = await versions();
    expect(before.map(({ spec }) => spec.ownership)).toEqual([undefined, undefined]);
    await cluster.kubectl(["apply", "-f", CRDS, ...RIGHTS]);
    await turnTo(ROOT);
    await eventually("every version has an ownership proof", async () =>
      (await versions()).every(({ spec }) => spec.ownership !== undefined),
    );
    const seals = new Map(before.map(({ spec }) => [spec.versionId, spec.seal]));
    for (const { spec } of await versions()) expect(spec.seal).toEqual(seals.get(spec.versionId));
    await trafficWithoutErrors();
    await rotateTo(3);
    await readsAfterRestart();
  });

  it("goes back to the former release, which reads and serves all that this one made", async () => {
    await turnTo(former);
    await readsAfterRestart();
    await rotateTo(4);
    await trafficWithoutErrors();
  });

  it("upgrades again, and what the former release made meanwhile gets its proof", async () => {
    await turnTo(ROOT);
    await eventually("every version has an ownership proof", async () => {
      const all = await versions();
      return all.length === 4 && all.every(({ spec }) => spec.ownership !== undefined);
    });
    await rotateTo(5);
    await readsAfterRestart();
    await trafficWithoutErrors();
  });
});
