import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { contentsOf, encodings, materialsOf } from "./canaries.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)("a Secret in a cluster with one claviger node", () => {
  const text = "a-text-that-must-not-be-readable-in-etcd";
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
    await applyKey(cluster);
  });
  afterAll(() => cluster?.stop());

  const node = () => {
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error("there is no node");
    return first;
  };
  const server = () => {
    const [first] = cluster.plane.apiServers;
    if (first === undefined) throw new Error("there is no API server");
    return first;
  };
  const createSecret = (name: string) =>
    cluster.kubectl(["create", "secret", "generic", name, `--from-literal=text=${text}`]);
  const readSecret = async (name: string) => {
    const data = await cluster.kubectl(["get", "secret", name, "-o", "jsonpath={.data.text}"]);
    return Buffer.from(data, "base64").toString("utf8");
  };
  /** After a restart the API server has no data key in memory, so a read uses the plugin. */
  const expectReadable = async (name: string) => {
    await cluster.ready();
    expect(await readSecret(name)).toBe(text);
  };

  it("is stored under the provider's prefix, and its text is nowhere in etcd", async () => {
    await createSecret("first");
    const [entry] = await cluster.plane.etcd.get("/registry/secrets/default/first");
    expect(entry?.value.toString("latin1")).toMatch(new RegExp(`^k8s:enc:kms:v2:${PROVIDER}:`));
    const everything = await cluster.plane.etcd.get("");
    for (const form of encodings(Buffer.from(text))) {
      expect(everything.filter((candidate) => candidate.value.includes(form)).map(({ key }) => key)).toEqual(
        [],
      );
    }
    expect(await readSecret("first")).toBe(text);
  });

  it("is stored with the key_id that the MasterKey's status shows", async () => {
    const jsonpath = "jsonpath={.status.currentVersion.kmsKeyId}";
    const keyId = await cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", jsonpath]);
    const [entry] = await cluster.plane.etcd.get("/registry/secrets/default/first");
    expect(keyId).toMatch(/^[0-9a-f]{32}$/);
    expect(entry?.value.includes(keyId)).toBe(true);
  });

  it("is readable after the API server was killed and started again", async () => {
    await server().kill9();
    await server().start();
    await expectReadable("first");
  });

  it("is readable after the plugin was killed and started again, on the socket that it left behind", async () => {
    await node().kill9("plugin");
    await node().start("plugin");
    await server().restart();
    await expectReadable("first");
  });

  it("is readable after the API server started anew while the operator was dead", async () => {
    await node().kill9("operator");
    await server().kill9();
    await server().start();
    await expectReadable("first");
    await createSecret("while-the-operator-is-dead");
    await expectReadable("while-the-operator-is-dead");
    await node().start("operator");
  });

  it("is readable after plugin and API server started anew while the operator was dead", async () => {
    await node().kill9("operator");
    await node().kill9("plugin");
    await server().kill9();
    await node().start("plugin");
    await server().start();
    await expectReadable("first");
    await node().start("operator");
  });

  it("is readable after everything was killed at once and started again", async () => {
    await Promise.all([node().killAll(), server().kill9(), cluster.plane.etcd.kill9()]);
    await cluster.plane.etcd.start();
    await server().start();
    await node().startBoth();
    await expectReadable("first");
    await createSecret("after-the-crash");
    await expectReadable("after-the-crash");
  });

  it("shows on its KeyServer that the API server encrypts under the current key_id", async () => {
    await server().restart();
    await cluster.ready();
    await createSecret("switched");
    await eventually("the KeyServer counts an Encrypt", async () => {
      const jsonpath = "jsonpath={.status.providers[0].encrypts}";
      return Number(await cluster.kubectl(["get", "ks", node().name, "-o", jsonpath])) > 0;
    });
  });

  it("is refused by Encrypt, Decrypt and Status while its key is disabled, and readable again after", async () => {
    const patch = (enabled: boolean) =>
      cluster.kubectl([
        ...["patch", "mk", "-n", "claviger-system", "secrets", "--type=merge"],
        ...["-p", JSON.stringify({ spec: { enabled } })],
      ]);
    await patch(false);
    await cluster.kubectl([
      ...[
        "wait",
        "--for=condition=Ready=false",
        "--timeout=120s",
        "-n",
        "claviger-system",
        "masterkey/secrets",
      ],
    ]);
    await server().kill9();
    await server().start();
    // /livez would wait a minute for the Secrets that the API server cannot list.
    await eventually("a read of the Secret is refused", async () => {
      const { status } = await server().request("GET", "/api/v1/namespaces/default/secrets/first");
      return status >= 500;
    });
    const plugin = new KmsClient(node().socket(PROVIDER));
    await expect(plugin.status()).rejects.toThrow(
      /claviger-system\/secrets is disabled; set spec.enabled to true/,
    );
    plugin.close();
    await patch(true);
    await expectReadable("first");
  });

  it("leaves key bytes in no log, state file, etcd value, event or metric", async () => {
    const secrets = [cluster.rootKey, ...(await materialsOf(node()))];
    expect(secrets.length).toBeGreaterThan(1);
    const places = new Map<string, Buffer>();
    for (const entry of await cluster.plane.etcd.get("")) places.set(`etcd ${entry.key}`, entry.value);
    for (const [path, bytes] of await contentsOf(cluster.plane.dir)) {
      if (path !== node().rootKeyPath) places.set(path, bytes);
    }
    places.set("events", Buffer.from(await cluster.kubectl(["get", "events", "-A", "-o", "json"])));
    places.set("resources", Buffer.from(await cluster.kubectl(["get", "mk,kv,ka,ks", "-A", "-o", "json"])));
    places.set("metrics", Buffer.from(await cluster.kubectl(["get", "--raw", "/metrics"])));
    const found = [...places].filter(([, bytes]) =>
      secrets.some((secret) => encodings(secret).some((form) => bytes.includes(form))),
    );
    expect(places.size).toBeGreaterThan(50);
    expect(found.map(([place]) => place)).toEqual([]);
  });
});
