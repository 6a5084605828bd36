import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Diagnosis } from "../../src/cli/doctor/diagnose.ts";
import { objectPath } from "../../src/kube/paths.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyServer, MasterKey } from "../../src/resources/resources.ts";
import { applyKey, type Cluster, CRDS, RIGHTS, startCluster } from "../cluster/cluster.ts";
import { createSecrets, Probes } from "../cluster/traffic.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { say } from "../controlplane/build.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const CLAVIGER = join(ROOT, "bin", "claviger.js");
const VERSION = process.env.CLAVIGER_TEST_KUBERNETES ?? "";
const MINOR = Number(VERSION.split(".")[1]);
const NAME = { namespace: "claviger-system", name: "secrets" };
const SECRETS = 20;
const LONG = { deadline: 900_000, every: 500 };
const GUARDS = join("deploy", "admission.yaml");

describe(`claviger with Kubernetes ${VERSION}`, () => {
  let cluster: Cluster;
  /** With the probes, an API server asks for Status within 20 s, so that a rotation takes a minute. */
  let probes: Probes;
  const begun = performance.now();
  const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(0);

  beforeAll(async () => {
    const rights = RIGHTS.filter((path) => MINOR >= 30 || !path.endsWith(GUARDS));
    cluster = await startCluster({
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: "25", CLAVIGER_TEST_SILENCE_SECONDS: "60" },
      install: async (plane) => {
        const files = rights.filter((word) => word !== "-f").flatMap((path) => ["-f", path]);
        const { code, stderr } = await plane.kubectl(["apply", "-f", CRDS, ...files]);
        expect(code, stderr).toBe(0);
      },
    });
    probes = new Probes(cluster.plane.apiServers);
  });
  afterAll(async () => {
    await probes?.stop();
    await cluster?.stop();
  });

  const server = (): ApiServer => {
    const [first] = cluster.plane.apiServers;
    if (first === undefined) throw new Error("there is no API server");
    return first;
  };
  const masterKey = () => cluster.read<MasterKey>(objectPath("MasterKey", NAME));
  const expectReadable = async () => {
    for (let index = 0; index < SECRETS; index++) {
      const { data } = await cluster.read<{ data: { value: string } }>(
        `/api/v1/namespaces/default/secrets/seed-${index}`,
      );
      expect(Buffer.from(data.value, "base64").toString()).toBe(`text of seed-${index}`);
    }
  };
  const keyIds = async () => {
    const { status } = await masterKey();
    const id = status?.currentVersion?.kmsKeyId ?? "none";
    const entries = await cluster.plane.etcd.get("/registry/secrets/default/seed-");
    return entries.map(
      ({ value }) => value.toString("latin1").startsWith("k8s:enc:kms:v2:secrets:") && value.includes(id),
    );
  };
  const doctor = async (): Promise<Diagnosis> => {
    const config = cluster.nodes[0]?.configPath ?? "";
    const { stdout } = await run(process.execPath, [CLAVIGER, "doctor", "--config", config, "-o", "json"]);
    return JSON.parse(stdout);
  };

  it("is the version that was asked for", async () => {
    const { gitVersion } = await cluster.read<{ gitVersion: string }>("/version");
    expect(gitVersion).toBe(`v${VERSION}`);
  });

  it("gets a key, and stores Secrets under it", async () => {
    await applyKey(cluster);
    await createSecrets(server(), SECRETS);
    expect(await keyIds()).toEqual(Array(SECRETS).fill(true));
    say(`a Secret under the key after ${seconds()} s`);
  });

  it("refuses what the definitions' rules forbid", async () => {
    const patch = { spec: { keySpec: "RSA_4096" } };
    const args = [
      "patch",
      "mk",
      "-n",
      NAME.namespace,
      NAME.name,
      "--type=merge",
      "-p",
      JSON.stringify(patch),
    ];
    expect((await cluster.plane.kubectl(args)).stderr).toMatch(/keySpec is immutable|Unsupported value/);
    const change = { spec: { number: 7 } };
    const [kv = ""] = (await cluster.kubectl(["get", "kv", "-o", "name"])).trim().split("\n");
    const { stderr } = await cluster.plane.kubectl([
      "patch",
      kv,
      "--type=merge",
      "-p",
      JSON.stringify(change),
    ]);
    expect(stderr).toContain("number is immutable");
  });

  it("keeps a key that is in use, by the guards or by its finalizer", async () => {
    await eventually(
      "the condition InUse is there",
      async () => conditionOf((await masterKey()).status?.conditions, "InUse")?.status === "True",
    );
    const remove = ["delete", "mk", "-n", NAME.namespace, NAME.name, "--dry-run=server"];
    if (MINOR >= 30) {
      await eventually("the guards refuse a deletion", async () =>
        /is not deleted: the key is used by/.test((await cluster.plane.kubectl(remove)).stderr),
      );
    } else {
      const { code, stderr } = await cluster.plane.kubectl(["apply", "-f", join(ROOT, GUARDS)]);
      expect(code).toBe(1);
      expect(stderr).toContain('no matches for kind "ValidatingAdmissionPolicy"');
      expect((await masterKey()).metadata.finalizers).toContain("kms.claviger.dev/material");
    }
  });

  const rotate = async (engine: string) => {
    const spec = { rotation: { requestToken: "now" }, reencryption: { engine } };
    await cluster.kubectl([
      ...["patch", "mk", "-n", NAME.namespace, NAME.name, "--type=merge"],
      ...["-p", JSON.stringify({ spec })],
    ]);
  };

  if (MINOR < 37) {
    it("cannot rotate with Kubernetes' own migrator, and says which version has it", async () => {
      await cluster.kubectl(["apply", "-f", join(ROOT, "deploy", "storage-version-migration.yaml")]);
      await rotate("StorageVersionMigration");
      await eventually(
        "the condition names the version that is needed",
        async () => {
          const { message = "" } = conditionOf((await masterKey()).status?.conditions, "Reencrypted") ?? {};
          if (message.includes("does not serve storagemigration.k8s.io/v1 (Kubernetes 1.37")) return true;
          throw new Error(message);
        },
        LONG,
      );
    });
  }

  it("rotates, writes every Secret again and proves it by a census", async () => {
    await rotate("Claviger");
    const last = await eventually(
      "the rotation is verified",
      async () => {
        const { status } = await masterKey();
        const { running, last: done } = status?.rotation ?? {};
        if (running === undefined && done?.number === 2) return done;
        throw new Error(JSON.stringify(status?.reencryption));
      },
      LONG,
    );
    expect(last).toMatchObject({ number: 2, verified: true });
    expect(await keyIds()).toEqual(Array(SECRETS).fill(true));
    say(`the rotation verified after ${seconds()} s`);
  });

  it("reads every Secret after the API server was killed and started again", async () => {
    await server().kill9();
    await server().start();
    await cluster.ready();
    await expectReadable();
  });

  it("says by doctor what this version lacks, and nothing else", async () => {
    const lacks = [
      ...(MINOR < 30 ? ["GrantsNotGuarded", "GuardsNotServed"] : []),
      ...(MINOR < 34 ? ["OwnApiServerNotInStep"] : []),
    ];
    const passing = ["NoAutomaticRotation", "NotSwitched"];
    const report = await eventually("doctor finds no error", async () => {
      const found = await doctor();
      const errors = found.findings.filter(({ severity }) => severity === "error");
      if (errors.length > 0) throw new Error(JSON.stringify(errors));
      return found;
    });
    const found = report.findings.map(({ check }) => check).filter((name) => !passing.includes(name));
    expect(found.toSorted()).toEqual(lacks);
  });

  it("knows which file the API server uses from 1.34 on, and says that it does not before", async () => {
    const reason = await eventually("the condition is there", async () => {
      const { status } = await cluster.read<KeyServer>(objectPath("KeyServer", { name: "node-1" }));
      const { reason: found } = conditionOf(status?.conditions, "ApiServerInStep") ?? {};
      return found === (MINOR >= 34 ? "InStep" : "NotCompared") ? found : undefined;
    });
    say(`ApiServerInStep: ${reason}`);
  });
});
