import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import type { RewriteProgress } from "../../src/storage/rewrite/rewrite-report.ts";
import { migrate } from "../../src/storage/rewrite/storage-version-migration.ts";
import { apiResources } from "../../src/storage/served/api-resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type ControlPlane, startControlPlane } from "../controlplane/controlplane.ts";
import { eventually } from "../controlplane/wait.ts";

const binaries = await controlPlaneBinaries();
const MIGRATIONS = "/apis/storagemigration.k8s.io/v1/storageversionmigrations";

/** Kubernetes' own controller takes minutes to begin, so the tests play its part. */
describe.skipIf(binaries === undefined)("a migration by StorageVersionMigrations", () => {
  let plane: ControlPlane;
  let client: KubeClient;
  const { signal } = new AbortController();

  beforeAll(async () => {
    plane = await startControlPlane();
    const [server] = plane.apiServers;
    if (server === undefined) throw new Error("there is no API server");
    client = new KubeClient(await server.kubeconfig());
  });
  afterAll(() => plane?.stop());

  const start = async (
    kmsKeyId: string,
    onProgress?: (progress: RewriteProgress) => void,
    abort = signal,
  ) => {
    const resources = await apiResources(client, ["secrets", "configmaps"], signal);
    const pollMilliseconds = 50;
    return migrate({
      client,
      resources,
      kmsKeyId,
      signal: abort,
      pollMilliseconds,
      ...(onProgress && { onProgress }),
    });
  };
  const names = async () => {
    const list = await client.request({ method: "GET", path: MIGRATIONS });
    return (list as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name);
  };
  const exist = (expected: string[]) =>
    eventually("the migrations are made", async () => (await names()).join() === expected.join());
  const condition = (type: string, message: string) => ({
    type,
    status: "True",
    reason: `Migration${type}`,
    message,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
  const say = (name: string, ...conditions: object[]) =>
    client.request({
      method: "PATCH",
      path: `${MIGRATIONS}/${name}/status`,
      contentType: "application/merge-patch+json",
      body: { status: { conditions } },
    });

  it("is followed to its end, told, and cleaned up", async () => {
    const seen: RewriteProgress[] = [];
    const report = start("0a", (progress) => seen.push(progress));
    // The promise is awaited below, and until then a failure must not end the test run.
    report.catch(() => undefined);
    const [configmaps, secrets] = ["claviger-0a-configmaps", "claviger-0a-secrets"] as const;
    await exist([configmaps, secrets]);
    const halfway = condition("Running", "The migration is running, 4/10 objects not yet migrated");
    await say(secrets, halfway);
    await eventually("the progress is told", async () => seen.at(-1)?.done === 6);
    await say(
      configmaps,
      condition("Running", "The migration is running, 2 objects verified migrated"),
      condition("Succeeded", ""),
    );
    await say(secrets, halfway, condition("Failed", 'x: Invalid value: "a secret"'));
    expect(await report).toEqual({
      rewritten: 8,
      unchanged: 0,
      gone: 0,
      failed: 1,
      failures: [
        { resource: "secrets", reason: "MigrationFailed", message: "what is stored is not valid now" },
      ],
    });
    expect(await names()).toEqual([]);
  });

  it("goes on where another leader began it", async () => {
    const stop = new AbortController();
    const first = start("0b", undefined, stop.signal);
    first.catch(() => undefined);
    await exist(["claviger-0b-configmaps", "claviger-0b-secrets"]);
    stop.abort();
    await expect(first).rejects.toThrow(/abort/);
    const second = start("0b");
    second.catch(() => undefined);
    for (const name of await names()) await say(name, condition("Succeeded", ""));
    expect(await second).toMatchObject({ failed: 0, failures: [] });
    expect(await names()).toEqual([]);
  });

  it("is refused with advice by an API server that knows no migrations", async () => {
    const old: Pick<KubeClient, "request"> = {
      request: async (call) => {
        if (call.path.startsWith(MIGRATIONS)) throw new KubeError(404, "the server could not find it");
        return await client.request(call);
      },
    };
    const without = Object.assign(Object.create(client), old);
    const resources = await apiResources(client, ["secrets"], signal);
    await expect(migrate({ client: without, resources, kmsKeyId: "0c", signal })).rejects.toThrow(
      /set spec.reencryption.engine to Claviger/,
    );
  });
});
