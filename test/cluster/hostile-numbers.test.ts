import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_VERSION_NUMBER } from "../../src/keyring/version-number.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import { objectPath } from "../../src/kube/paths.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import { resources } from "../../src/resources/definitions.ts";
import type { KeyServer, KeyVersion, Kind, MasterKey } from "../../src/resources/resources.ts";
import type { JsonSchema } from "../../src/resources/schemas/schema.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import { claviger, manifests } from "./manifests.ts";
import { leaves, sample } from "./schema-samples.ts";

const binaries = await controlPlaneBinaries();
const NAMESPACE = "claviger-system";
const SOME_TIME = "2026-01-02T03:04:05Z";

const INTEGERS = [0, -1, 1.5, 2 ** 31, MAX_VERSION_NUMBER, 2 ** 53 - 1, 2 ** 53, 1e308];
const TIMES = [
  "0000-01-01T00:00:00Z",
  "0000-01-01T00:00:00+23:59",
  "2016-12-31T23:59:60Z",
  "2026-01-02t03:04:05z",
  "9999-12-31T23:59:59.999999999Z",
  "9999-12-31T23:59:59-23:59",
  "+275760-09-13T00:00:00Z",
  "2026-01-02T03:04:05x5Z",
];

const isWithin = ({ minimum = 0, maximum = 0 }: JsonSchema, value: number): boolean =>
  Number.isInteger(value) && value >= minimum && value <= maximum;

describe.skipIf(binaries === undefined)(
  "numbers and times at their limits, written with a node's kubeconfig",
  () => {
    let cluster: Cluster;
    let asNode: KubeClient;
    const targets: { [K in Kind]?: { readonly name: string; readonly namespace?: string } } = {
      MasterKey: { namespace: NAMESPACE, name: "secrets" },
      KeyAlias: { namespace: NAMESPACE, name: "main" },
      KeyServer: { name: "node-1" },
    };

    beforeAll(async () => {
      cluster = await startCluster();
      await applyKey(cluster);
      await cluster.kubectl(
        ["apply", "-f", "-"],
        manifests(claviger("KeyAlias", "main", { masterKey: "secrets" })),
      );
      await cluster.kubectl(["create", "secret", "generic", "before", "--from-literal=a=b"]);
      const [server] = cluster.plane.apiServers;
      if (server === undefined) throw new Error("the cluster has an API server");
      asNode = new KubeClient(await server.kubeconfig("claviger-node"));
      targets.KeyVersion = { name: (await versions())[0]?.metadata.name ?? "" };
    });
    afterAll(() => cluster?.stop());

    const getJson = async <T>(...args: readonly string[]): Promise<T> =>
      JSON.parse(await cluster.kubectl(["get", ...args, "-o", "json"]));
    const versions = async () => (await getJson<{ readonly items: readonly KeyVersion[] }>("kv")).items;
    const readiness = (object: MasterKey | KeyServer) =>
      conditionOf(object.status?.conditions, "Ready")?.status;

    /** Returns true if the API server accepted it. */
    async function taken(kind: Kind, status: unknown): Promise<boolean> {
      const target = targets[kind];
      if (target === undefined) throw new Error(`there is no ${kind} to write to`);
      const path = `${objectPath(kind, target)}/status`;
      try {
        const contentType = "application/merge-patch+json";
        await asNode.request({ method: "PATCH", path, contentType, body: { status } });
        return true;
      } catch (error) {
        if (error instanceof KubeError && error.httpStatus >= 400 && error.httpStatus < 500) return false;
        throw error;
      }
    }

    /** Expects that the operators and the plugin continue to work, whatever the objects contain. */
    async function expectAlive(name: string): Promise<void> {
      await cluster.kubectl(["apply", "-f", "-"], manifests(claviger("MasterKey", name)));
      await eventually(`${name}, which is made afterwards, is ready`, async () => {
        return readiness(await getJson<MasterKey>("mk", "-n", NAMESPACE, name)) === "True";
      });
      await eventually("what was stored before is read", async () => {
        const { code } = await cluster.plane.kubectl(["get", "secret", "before"]);
        return code === 0;
      });
      await eventually("a new Secret is written", async () => {
        const { code } = await cluster.plane.kubectl(["create", "secret", "generic", name]);
        return code === 0;
      });
      await eventually("the node says that it is well", async () => {
        return readiness(await getJson<KeyServer>("ks", "node-1")) === "True";
      });
      expect(await cluster.nodes[0]?.log("operator")).not.toMatch(/RangeError|Invalid time value/);
    }

    it.each(["KeyServer", "KeyAlias", "KeyVersion", "MasterKey"] as const)(
      "any of them in the status of a %s => is refused, or all go on as before",
      async (kind) => {
        const { status } = resources[kind];
        const random = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), 3);
        for (const { path, schema } of leaves(status.json)) {
          if (schema.type === "integer") {
            for (const value of [...INTEGERS, ...random]) {
              const said = `${kind} ${path.join(".")} = ${value}`;
              expect(await taken(kind, sample(status.json, path, value)), said).toBe(isWithin(schema, value));
            }
          }
          if (schema.format !== "date-time") continue;
          for (const value of TIMES) await taken(kind, sample(status.json, path, value));
        }
        await expectAlive(`after-${kind.toLowerCase()}`);
      },
    );

    it("a running rotation to a number of a node's choice => no version of it is made, and the claim goes", async () => {
      const running = { trigger: "OnDemand", startedAt: SOME_TIME, phase: "Distributing" };
      for (const number of [3, 2 ** 31, MAX_VERSION_NUMBER, 2 ** 53]) {
        const fits = number <= MAX_VERSION_NUMBER;
        expect(await taken("MasterKey", { rotation: { running: { ...running, number } } })).toBe(fits);
        await eventually(`the claim of ${number} is gone`, async () => {
          const { status } = await getJson<MasterKey>("mk", "-n", NAMESPACE, "secrets");
          return status?.rotation?.running === undefined;
        });
      }
      const numbers = (await versions()).map(({ spec }) => spec.number);
      expect(Math.max(...numbers)).toBeLessThan(3);
    });
  },
);
