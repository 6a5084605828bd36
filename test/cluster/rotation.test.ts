import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collectionPath, objectPath } from "../../src/kube/paths.ts";
import type { KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import { createSecrets, Probes, Traffic } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const SEEDS = 5_000;
const NAME = { namespace: "claviger-system", name: "secrets" };
const LONG = { deadline: 600_000, every: 500 };
/** With the probes, every API server asks for Status within 20 s: what it writes after this time is under the new key_id. */
const SETTLE_SECONDS = 25;
/** Three times as long as an API server with the probes goes without asking. */
const SILENCE_SECONDS = 60;

const key = (rotation: object): string =>
  JSON.stringify({
    apiVersion: "kms.claviger.dev/v1alpha1",
    kind: "MasterKey",
    metadata: { namespace: "claviger-system", name: "secrets" },
    spec: { rotation },
  });

describe.skipIf(binaries === undefined)("rotation on three API servers with 5,000 Secrets", () => {
  let cluster: Cluster;
  let probes: Probes;
  let folder: string;
  let clock: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-rotation-"));
    clock = join(folder, "clock");
    await writeFile(clock, "0");
    cluster = await startCluster({
      nodes: 3,
      operatorsUse: 0,
      environment: {
        CLAVIGER_TEST_CLOCK: clock,
        CLAVIGER_TEST_SETTLE_SECONDS: String(SETTLE_SECONDS),
        CLAVIGER_TEST_SILENCE_SECONDS: String(SILENCE_SECONDS),
      },
    });
    probes = new Probes(cluster.plane.apiServers);
    await applyKey(cluster, key({ enabled: true, periodInDays: 90 }));
    await createSecrets(server(1), SEEDS);
  });
  afterAll(async () => {
    await probes?.stop();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const server = (number: number) => at(cluster.plane.apiServers, number);
  const node = (number: number) => at(cluster.nodes, number);
  const masterKey = () => cluster.read<MasterKey>(objectPath("MasterKey", NAME));
  const keyVersions = async (): Promise<readonly KeyVersion[]> =>
    (await cluster.read<{ readonly items: readonly KeyVersion[] }>(collectionPath("KeyVersion"))).items;
  const seeds = () => cluster.plane.etcd.get("/registry/secrets/default/seed-");
  const metadata = async () => {
    const { items } = JSON.parse(
      await cluster.kubectl(["get", "secrets", "--show-managed-fields", "-o", "json"]),
    );
    return new Map<string, unknown>(
      items
        .filter((secret: Named) => secret.metadata.name.startsWith("seed-"))
        .map(({ metadata: { resourceVersion: _, ...rest }, ...secret }: Named) => [
          rest.name,
          { ...secret, rest },
        ]),
    );
  };
  const completed = (number: number) =>
    eventually(
      `the rotation to version ${number} is complete`,
      async () => {
        const { status } = await masterKey();
        const versions = await keyVersions();
        if (versions.filter((version) => version.status?.state === "Current").length > 1)
          throw new Hopeless(
            `two current versions: ${JSON.stringify(versions.map((version) => version.status))}`,
          );
        const { running, last } = status?.rotation ?? {};
        return running === undefined && last?.number === number ? status : undefined;
      },
      LONG,
    );
  const census = async () => {
    const { stdout, stderr, code } = await run(process.execPath, [
      ...[CLAVIGER, "census", "--config", node(1).configPath, "-o", "json"],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout);
  };
  const keyIdsIn = ({ rows }: { rows: readonly CensusRow[] }) =>
    rows
      .filter(({ resource }) => resource === "secrets")
      .map(({ stored, objects }) => ({ kind: stored.kind, keyId: stored.keyId, objects }));

  it("comes by itself when it is due: everything is rewritten once, nothing fails, and a census proves it", async () => {
    const before = await masterKey();
    const [writes, contents] = [await seeds(), await metadata()];
    await using traffic = new Traffic(cluster.plane.apiServers, SEEDS);
    await writeFile(clock, String(90 * 86_400));

    const status = await completed(2);
    const { reads, writes: written, errors } = await traffic.stop();
    expect(errors).toEqual([]);
    expect(Math.min(reads, written)).toBeGreaterThan(100);

    const kmsKeyId = status.currentVersion?.kmsKeyId;
    expect(kmsKeyId).not.toBe(before.status?.currentVersion?.kmsKeyId);
    expect(status.rotation?.last).toMatchObject({ trigger: "Automatic", number: 2, verified: true });
    expect(status.reencryption).toMatchObject({ kmsKeyId, phase: "Complete", verified: true, remaining: 0 });
    expect(keyIdsIn(await census())).toEqual([{ kind: "kms-v2", keyId: kmsKeyId, objects: SEEDS + 3 }]);
    // The number of each Secret's writes after exactly one rewrite.
    const twice = new Map(writes.map((entry) => [entry.key, entry.writes + 1]));
    const wrong = (await seeds()).filter((entry) => entry.writes !== twice.get(entry.key));
    expect(wrong.map((entry) => [entry.key, entry.writes])).toEqual([]);
    expect(await metadata()).toEqual(contents);
    const states = (await keyVersions()).map(({ spec, status: state }) => [
      spec.number,
      state?.state,
      state?.trigger,
    ]);
    expect(states.sort()).toEqual([
      [1, "Retired", undefined],
      [2, "Current", "Automatic"],
    ]);
  });

  it("asked for twice in a row, with an API server down and another killed, leaders and plugins killed, ends complete", async () => {
    const before = await masterKey();
    await using traffic = new Traffic([server(1)], SEEDS);
    await server(3).stop();
    const admin = await server(1).kubeconfig();
    const rotate = (...options: readonly string[]) =>
      run(
        process.execPath,
        [CLAVIGER, "rotate", "claviger-system/secrets", "--kubeconfig", admin, ...options],
        {
          deadline: LONG.deadline,
        },
      );
    expect(await rotate()).toMatchObject({ code: 0, stderr: "" });
    await eventually("version 3 is on its way", async () =>
      (await keyVersions()).some(({ spec }) => spec.number === 3),
    );
    const waiting = rotate("--wait");
    const seen = new Set<string>();
    let isBack = false;
    await eventually(
      "the rotation to version 4 is complete",
      async () => {
        const { status } = await masterKey();
        const { running, last } = status?.rotation ?? {};
        const phase = running === undefined ? "" : `${running.number} ${running.phase}`;
        // One that is down for that long is waited for by name, as nobody knows what it will write.
        const reencrypted = status?.conditions?.find(({ type }) => type === "Reencrypted");
        const isAwaited = running?.phase === "Verifying" || reencrypted?.reason === "ApiServerSilent";
        if (isAwaited && !isBack) {
          isBack = true;
          await server(3).start();
        }
        if (phase !== "" && !seen.has(phase)) {
          seen.add(phase);
          await killLeader();
          if (running?.phase === "Switching") await restartPlugin(1);
          if (running?.phase === "Reencrypting") await crash(server(2));
        }
        return running === undefined && last?.number === 4;
      },
      LONG,
    );
    expect([...seen].filter((phase) => phase.startsWith("4"))).toEqual(
      expect.arrayContaining(["4 Switching", "4 Reencrypting"]),
    );
    const { code, stdout, stderr } = await waiting;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const reports = stdout
      .split("\n")
      .filter((line) => /version 4 of claviger-system\/secrets is Reencrypting/.test(line));
    // Repeated after half a minute only, and then with the time that has passed.
    expect(reports.filter((line) => !/after \d+/.test(line))).toHaveLength(1);
    expect(stdout).toMatch(
      /version 4 is current, and a census of etcd found nothing under an older key_id\n$/,
    );
    const { status } = await masterKey();
    const kmsKeyId = status?.currentVersion?.kmsKeyId;
    expect(status?.rotation).toMatchObject({
      onDemandCount: 2,
      last: { number: 4, trigger: "OnDemand", verified: true },
    });
    const rows = keyIdsIn(await census());
    expect(rows.map((row) => row.keyId)).toEqual([kmsKeyId]);
    const { errors } = await traffic.stop();
    expect(errors).toEqual([]);
    if (!isBack) await server(3).start();
    await server(3).ready();
    const reply = await server(3).request("GET", "/api/v1/namespaces/default/secrets/seed-4999");
    expect(reply.status).toBe(200);
    expect(before.status?.currentVersion?.number).toBe(2);
    const ids = (await keyVersions()).map((version) => version.status?.kmsKeyId);
    expect(new Set(ids).size).toBe(4);
  });

  async function crash(apiServer: ApiServer): Promise<void> {
    await apiServer.kill9();
    await apiServer.start();
  }

  const leader = async (): Promise<string> =>
    cluster.kubectl([
      ...[
        "get",
        "lease",
        "-n",
        "claviger-system",
        "claviger-operator",
        "-o",
        "jsonpath={.spec.holderIdentity}",
      ],
    ]);

  async function killLeader(): Promise<void> {
    const name = await leader();
    const victim = cluster.nodes.find((candidate) => candidate.name === name);
    await victim?.kill9("operator");
    await victim?.start("operator");
  }

  async function restartPlugin(number: number): Promise<void> {
    await node(number).kill9("plugin");
    await node(number).start("plugin");
  }

  it("is seen at a glance: kubectl get, and the KeyServers say what each socket's API server does", async () => {
    // API server 3 has just been started, so whatever was proven without it is proven again.
    await eventually(
      "kubectl get says Complete again",
      async () => {
        const table = await cluster.kubectl(["get", "mk", "-n", "claviger-system"]);
        return /NEXT_ROTATION\s+DATA/.test(table) && /Complete/.test(table);
      },
      LONG,
    );
    const { items } = JSON.parse(await cluster.kubectl(["get", "ks", "-o", "json"]));
    for (const { status } of items as readonly KeyServer[]) {
      expect(status?.providers).toMatchObject([
        { name: PROVIDER, entries: 1, resources: expect.arrayContaining(["secrets"]) },
      ]);
    }
  });
});

interface Named {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

interface CensusRow {
  readonly resource: string;
  readonly stored: { readonly kind: string; readonly keyId?: string };
  readonly objects: number;
}

function at<T>(list: readonly T[], number: number): T {
  const found = list[number - 1];
  if (found === undefined) throw new Error(`there is no number ${number}`);
  return found;
}
