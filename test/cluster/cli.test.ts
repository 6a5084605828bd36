import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { CLAVIGER } from "../standalone/installation.ts";
import { applyKey, type Cluster, KEY, startCluster } from "./cluster.ts";
import { manifests, claviger as object } from "./manifests.ts";
import type { ClavigerNode } from "./node.ts";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)("commands that change a MasterKey", () => {
  let cluster: Cluster;
  let node: ClavigerNode;
  let admin: string;
  beforeAll(async () => {
    cluster = await startCluster();
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error("there is no node");
    node = first;
    admin = (await cluster.plane.apiServers[0]?.kubeconfig()) ?? "";
    await applyKey(cluster);
  });
  afterAll(() => cluster?.stop());

  const claviger = (...args: readonly string[]): Promise<CommandResult> =>
    run(process.execPath, [CLAVIGER, ...args]);
  const apply = (name: string, spec: object) =>
    cluster.kubectl(["apply", "-f", "-"], manifests(object("MasterKey", name, spec)));
  const masterKey = async (name: string): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", "claviger-system", name, "-o", "json"]));
  const state = (name: string, wanted: string) =>
    eventually(`${name} is ${wanted}`, async () => (await masterKey(name)).status?.keyState === wanted);

  it("say what to use in place of a node's kubeconfig", async () => {
    // The policy is enforced some time after it was applied.
    await eventually("the node is refused", async () => {
      const { code, stderr } = await claviger("rotate", KEY, "--config", node.configPath);
      return code === 1 && /is that of a node of claviger, .+ --kubeconfig FILE\n$/.test(stderr);
    });
  });

  it("refuse to rotate a key that is pending deletion, and leave its spec as it is", async () => {
    await apply("old", { deletion: { pendingWindowInDays: 7 } });
    await state("old", "PendingDeletion");
    const refused = await claviger("rotate", "claviger-system/old", "--wait", "--kubeconfig", admin);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/old is not rotated: it is pending deletion, due at .+/);
    expect((await masterKey("old")).spec.rotation?.requestToken).toBeUndefined();
  });

  it("status -A shows every key and node by kubectl's kubeconfig, on a machine without a configuration", async () => {
    const { stdout, stderr } = await run(process.execPath, [CLAVIGER, "status", "-A"], {
      env: { PATH: process.env.PATH, HOME: "/nowhere", KUBECONFIG: admin },
    });
    expect(stdout, stderr).toMatch(/^KEY +STATE +VERSION +ENCRYPTS +STORED DATA +NEXT ROTATION\n/);
    expect(stdout).toMatch(/^claviger-system\/old +PendingDeletion /m);
    expect(stdout).toMatch(/^NODE +READY +SERVES\n\S+ +True +\S+: claviger-system\/secrets v1$/m);
  });

  it("rotate --wait ends when the key is disabled before a leader looks, and takes its request back", async () => {
    await apply("idle", {});
    await state("idle", "Enabled");
    await node.stop("operator");
    const asked = claviger("rotate", "claviger-system/idle", "--wait", "--kubeconfig", admin);
    await eventually("the request is written", async () =>
      (await masterKey("idle")).spec.rotation?.requestToken?.startsWith("cli-"),
    );
    await cluster.kubectl([
      ...["patch", "mk", "-n", "claviger-system", "idle", "--type=merge"],
      ...["-p", '{"spec":{"enabled":false}}'],
    ]);
    const { code, stderr } = await asked;
    expect(code).toBe(1);
    expect(stderr).toMatch(/it is disabled; set spec\.enabled to true first; the request was taken back\n$/);
    expect((await masterKey("idle")).spec.rotation?.requestToken).toBeUndefined();
    await node.start("operator");
  });

  it("rotate --wait follows a rotation to its end, and refuses the one beyond the limit", async () => {
    await apply("seldom", { rotation: { onDemandLimit: 1 } });
    await state("seldom", "Enabled");
    const first = await claviger(
      "rotate",
      "seldom",
      "-n",
      "claviger-system",
      "--wait",
      "--kubeconfig",
      admin,
    );
    expect(first.code, first.stderr).toBe(0);
    const second = await claviger("rotate", "claviger-system/seldom", "--wait", "--kubeconfig", admin);
    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(second.stderr).toContain("1 of 1 rotations were asked for; raise spec.rotation.onDemandLimit");
  });
});
