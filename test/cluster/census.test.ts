import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { type Census, isClean, staleRows } from "../../src/storage/census/census.ts";
import { censusOfNode } from "../../src/storage/census/node-census.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import {
  CART,
  cart,
  cartDefinition,
  claviger,
  encryptionRules,
  identity,
  kms,
  manifests,
  object,
} from "./manifests.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = `${import.meta.dirname}/../../bin/claviger.js`;
/** A name as k3s and RKE2 give to the keys that they rotate. */
const TIMED_KEY = "secretboxkey-2026-03-09T09:46:54+01:00";
/** Encrypts Secrets and carts by claviger, under two names, and ConfigMaps by a key of the file. */
function encryption({ name, socket }: { readonly name: string; readonly socket: string }): string {
  const secretbox = {
    secretbox: { keys: [{ name: TIMED_KEY, secret: randomBytes(32).toString("base64") }] },
  };
  return encryptionRules(
    { resources: ["secrets"], providers: [kms(name, socket), identity] },
    { resources: ["configmaps"], providers: [secretbox, kms("later", socket), identity] },
    { resources: ["*.shop.example.com"], providers: [kms("shop", socket), identity] },
  );
}

const secrets = (...names: string[]) => manifests(...names.map((name) => object("Secret", name)));

describe.skipIf(binaries === undefined)("a census of a real etcd", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ serves: { alias: "claviger-system/main" }, encryption });
    // The test itself decides what is rewritten, and when.
    const spec = { reencryption: { engine: "None" } };
    const keys = [claviger("MasterKey", "first", spec), claviger("MasterKey", "second", spec)];
    await apply(manifests(...keys, claviger("KeyAlias", "main", { masterKey: "first" }), cartDefinition));
    await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=60s", `crd/${CART}`]);
    await cluster.ready();
    await apply(secrets("a", "b", "c"));
    const maps = manifests(object("ConfigMap", "one"), object("ConfigMap", "two"));
    await apply(`${maps}---\n${manifests(cart("cart"))}`);
    await putPlain("/registry/secrets/default/plain", object("Secret", "plain"));
  });
  afterAll(() => cluster?.stop());

  const apply = (text: string) => cluster.kubectl(["apply", "-f", "-"], text);
  const keyIdOf = (name: string) =>
    cluster.kubectl([
      ...["get", "mk", "-n", "claviger-system", name],
      ...["-o", "jsonpath={.status.currentVersion.kmsKeyId}"],
    ]);
  /** Stores an object as an API server without encryption would. */
  const putPlain = async (key: string, value: object) => {
    const [encodedKey, encodedValue] = [key, JSON.stringify(value)].map((text) =>
      Buffer.from(text).toString("base64"),
    );
    const reply = await fetch(`${cluster.plane.etcd.endpoint}/v3/kv/put`, {
      method: "POST",
      body: JSON.stringify({ key: encodedKey, value: encodedValue }),
    });
    expect(reply.status).toBe(200);
  };
  const config = () => readConfig(cluster.nodes[0]?.configPath ?? "");
  const take = (all = false): Promise<Census> =>
    censusOfNode(config(), { all, signal: new AbortController().signal });
  const rowsOf = ({ rows }: Census, resource: string) => rows.filter((row) => row.resource === resource);
  const under = (keyId: string, provider = "secrets") => ({ kind: "kms-v2", provider, keyId });

  it("counts what each provider stored, plain values, and custom resources, and gives names", async () => {
    const first = await keyIdOf("first");
    const census = await take();
    expect(rowsOf(census, "secrets")).toEqual([
      {
        resource: "secrets",
        stored: under(first),
        objects: 3,
        examples: ["default/a", "default/b", "default/c"],
      },
      { resource: "secrets", stored: { kind: "plain" }, objects: 1, examples: ["default/plain"] },
    ]);
    expect(rowsOf(census, CART)).toEqual([
      { resource: CART, stored: under(first, "shop"), objects: 1, examples: ["default/cart"] },
    ]);
    const [maps, ...more] = rowsOf(census, "configmaps");
    expect(more).toEqual([]);
    expect(maps?.stored).toEqual({ kind: "secretbox", keyName: TIMED_KEY });
    expect(maps?.examples).toEqual(expect.arrayContaining(["default/one", "default/two"]));
    expect(maps?.objects).toBe((await cluster.plane.etcd.get("/registry/configmaps/")).length);
    expect(new Set(census.rows.map(({ resource }) => resource))).toEqual(
      new Set(["secrets", "configmaps", CART]),
    );
  });

  it("has names with colons whole, and doctor finds that API servers read what is stored under them", async () => {
    const command = (...args: string[]) =>
      run(process.execPath, [CLAVIGER, ...args, "--config", cluster.nodes[0]?.configPath ?? ""]);
    const { stdout } = await command("census");
    expect(stdout).toMatch(/^configmaps +secretbox secretboxkey-2026-03-09T09:46:54\+01:00 +\d+$/m);
    expect(await cluster.kubectl(["get", "configmap", "one", "-o", "name"])).toContain("configmap/one");
    const doctor = await command("doctor");
    expect(doctor.stdout).not.toContain("MissingProvider");
    expect(doctor.stdout).not.toMatch(/secretboxkey-2026-03-09T09[^:]/);
  });

  it("counts every key there is with all, each with a group that the API has", async () => {
    const census = await take(true);
    expect(census.objects).toBeGreaterThan(100);
    expect(census.objects).toBeLessThanOrEqual((await cluster.plane.etcd.get("/registry/")).length);
    const served = (await cluster.kubectl(["api-resources", "-o", "name"])).split("\n");
    const internal = [
      "apiserveripinfo",
      "apiserverpeeripinfo",
      "serviceipallocations",
      "servicenodeportallocations",
    ];
    const counted = new Set(census.rows.map(({ resource }) => resource));
    expect([...counted].filter((name) => ![...served, ...internal].includes(name))).toEqual([]);
    expect([...counted]).toEqual(
      expect.arrayContaining(["services", "leases.coordination.k8s.io", "masterkeys.kms.claviger.dev", CART]),
    );
  });

  it("tells two key_ids apart until the last object is written again, and then is clean", async () => {
    const [first, second] = [await keyIdOf("first"), await keyIdOf("second")];
    const expected = new Map([
      ["secrets", second],
      ["shop", second],
    ]);
    const alias = JSON.stringify({ spec: { masterKey: "second" } });
    await cluster.kubectl(["patch", "ka", "-n", "claviger-system", "main", "--type=merge", "-p", alias]);
    await eventually("both providers write under the second key", async () => {
      // A health probe makes the API server ask for the key_id.
      await cluster.ready();
      await cluster.kubectl(["replace", "-f", "-"], secrets("b", "c"));
      await cluster.kubectl(["annotate", "--overwrite", "cart/cart", `at=${Date.now()}`]);
      return staleRows(await take(), expected).every(
        ({ resource, objects }) => resource === "configmaps" || (resource === "secrets" && objects === 1),
      );
    });
    const census = await take();
    expect(rowsOf(census, "secrets")).toEqual([
      { resource: "secrets", stored: under(second), objects: 2, examples: ["default/b", "default/c"] },
      { resource: "secrets", stored: under(first), objects: 1, examples: ["default/a"] },
      { resource: "secrets", stored: { kind: "plain" }, objects: 1, examples: ["default/plain"] },
    ]);
    expect(isClean(census, expected)).toBe(false);
    await cluster.kubectl(["replace", "-f", "-"], secrets("a", "plain"));
    const rewritten = await take();
    // ConfigMaps belong to another provider by design.
    const rows = rewritten.rows.filter(({ resource }) => resource !== "configmaps");
    expect(isClean({ ...rewritten, rows }, expected)).toBe(true);
    expect(rowsOf(rewritten, "secrets")).toMatchObject([{ stored: under(second), objects: 4 }]);
  });

  it("is shown by the command, with the MasterKey's version and as JSON", async () => {
    const command = (...more: string[]) =>
      run(process.execPath, [CLAVIGER, "census", "--config", cluster.nodes[0]?.configPath ?? "", ...more]);
    const shown = await command();
    expect(shown.stderr).toBe("");
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^RESOURCE +PROVIDER +KEY_ID +VERSION +OBJECTS\n/);
    expect(shown.stdout).toMatch(/^secrets +secrets +\w{32} +claviger-system\/second v1 +4$/m);
    const { rows } = JSON.parse((await command("-o", "json")).stdout);
    expect(rows.find(({ resource }: { resource: string }) => resource === CART)).toMatchObject({
      version: "claviger-system/second v1",
      objects: 1,
    });
  });

  it("finds a value that no API server can read, by name", async () => {
    const [value] = await cluster.plane.etcd.get("/registry/secrets/default/a");
    const half = value?.value.subarray(0, 60) ?? Buffer.alloc(0);
    const reply = await fetch(`${cluster.plane.etcd.endpoint}/v3/kv/put`, {
      method: "POST",
      body: JSON.stringify({
        key: Buffer.from("/registry/secrets/default/a").toString("base64"),
        value: half.toString("base64"),
      }),
    });
    expect(reply.status).toBe(200);
    expect(rowsOf(await take(), "secrets")).toContainEqual({
      resource: "secrets",
      stored: { kind: "damaged", provider: "secrets" },
      objects: 1,
      examples: ["default/a"],
    });
  });
});
