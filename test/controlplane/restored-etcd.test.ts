import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KubeClient } from "../../src/kube/client.ts";
import { type Reflectable, Reflector } from "../../src/kube/reflector.ts";
import type { ApiServer } from "./apiserver.ts";
import { controlPlaneBinaries } from "./binaries.ts";
import { type ControlPlane, startControlPlane } from "./controlplane.ts";
import { eventually } from "./wait.ts";

const binaries = await controlPlaneBinaries();
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

interface ConfigMap extends Reflectable {
  readonly data?: { readonly text?: string };
}

describe.skipIf(binaries === undefined)("a reflector whose API server's etcd is put back to a copy", () => {
  let plane: ControlPlane;
  let followed: ApiServer;
  let other: ApiServer;
  let reflector: Reflector<ConfigMap>;
  let copy: string;
  const lines: string[] = [];
  const stopping = new AbortController();

  beforeAll(async () => {
    plane = await startControlPlane({ apiServers: 2 });
    const [first, second] = plane.apiServers;
    if (first === undefined || second === undefined) throw new Error("two API servers are needed");
    [followed, other] = [first, second];
    await write("kept", "old");
    copy = join(plane.dir, "etcd-copy");
    await plane.etcd.copyData(copy);
    await other.ready();
    reflector = new Reflector<ConfigMap>({
      client: new KubeClient(await followed.kubeconfig()),
      path: CONFIG_MAPS,
      log: (_, message) => lines.push(message),
      onChange: () => undefined,
    });
    void reflector.run(stopping.signal);
  });
  afterAll(async () => {
    stopping.abort();
    await plane?.stop();
  });

  const write = async (name: string, text: string): Promise<void> => {
    const body = { metadata: { name }, data: { text } };
    const changed = await other.request("PUT", `${CONFIG_MAPS}/${name}`, { body });
    if (changed.status === 404) {
      expect((await other.request("POST", CONFIG_MAPS, { body })).status).toBe(201);
    } else {
      expect(changed.status).toBe(200);
    }
  };
  const copied = (): Record<string, string> =>
    Object.fromEntries(
      reflector
        .objects()
        .filter(({ data }) => data?.text !== undefined)
        .map(({ metadata, data }) => [metadata.name, data?.text ?? ""]),
    );
  const becomes = async (expected: Record<string, string>): Promise<void> => {
    await eventually(
      `the copy is ${JSON.stringify(expected)}`,
      async () => {
        expect(copied()).toEqual(expected);
        return true;
      },
      { deadline: 60_000 },
    );
  };
  /** Stops every API server, as etcd's documentation requires. The followed API server comes back last. */
  const restore = async (meanwhile: () => Promise<void>): Promise<void> => {
    await Promise.all(plane.apiServers.map((server) => server.stop()));
    await plane.etcd.restoreData(copy);
    await other.start();
    await other.ready();
    await meanwhile();
    await followed.start();
    await followed.ready();
  };

  it("the server's revision is lower than ours => what was undone goes, and what comes is seen", async () => {
    for (let n = 0; n < 100; n += 1) await write("kept", `new ${n}`);
    await write("undone", "x");
    await becomes({ kept: "new 99", undone: "x" });
    const before = Number(reflector.resourceVersion);
    await restore(() => Promise.resolve());
    await becomes({ kept: "old" });
    expect(Number(reflector.resourceVersion)).toBeLessThan(before);
    await write("after", "y");
    await becomes({ kept: "old", after: "y" });
  });

  it("the server's revision has passed ours meanwhile => the same", async () => {
    await write("undone", "x");
    await becomes({ kept: "old", after: "y", undone: "x" });
    const before = Number(reflector.resourceVersion);
    await restore(async () => {
      for (let n = 0; n < 300; n += 1) await write("meanwhile", String(n));
    });
    await becomes({ kept: "old", meanwhile: "299" });
    expect(Number(reflector.resourceVersion)).toBeGreaterThan(before);
  });
});
