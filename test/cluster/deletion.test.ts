import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { ADMISSION, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";
import { periodIsRecorded } from "./waiting-periods.ts";

const binaries = await controlPlaneBinaries();
const NAMESPACE = "claviger-system";
const DAY_SECONDS = 86_400;
const MONTH_SECONDS = 31 * DAY_SECONDS;
const SEED = Buffer.from("the seed of a data key, 32 bytes");

describe.skipIf(binaries === undefined)("the deletion of a key in a cluster of two nodes", () => {
  let cluster: Cluster;
  let folder: string;
  let clients: KmsClient[] = [];
  /** A seed that was encrypted under the key that will be destroyed. */
  let encrypted: { readonly ciphertext: Buffer; readonly keyId: string };
  let version: KeyVersion;
  /** A Secret as it is stored under that key. */
  let storedEarly: Buffer;
  let sealed: Buffer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "claviger-clock-"));
    await setClock(0);
    cluster = await startCluster({
      nodes: 2,
      controllers: true,
      serves: { alias: `${NAMESPACE}/main` },
      environment: { CLAVIGER_TEST_CLOCK: clock(), CLAVIGER_TEST_SETTLE_SECONDS: "10" },
    });
    await apply("MasterKey", "old", {});
    await apply("KeyAlias", "main", { masterKey: "old" });
    await isReady("masterkey/old");
    await cluster.ready();
    clients = cluster.nodes.map((node) => new KmsClient(node.socket(PROVIDER)));
    const answer = await client(0).encrypt({ plaintext: SEED, uid: randomUUID() });
    encrypted = { ciphertext: Buffer.from(answer.ciphertext), keyId: answer.keyId };
    await cluster.kubectl(["create", "secret", "generic", "early", "--from-literal=text=early"]);
    const [early] = await cluster.plane.etcd.get("/registry/secrets/default/early");
    storedEarly = early?.value ?? Buffer.alloc(0);
    version = await versionOf("old");
    sealed = Buffer.from(version.spec.seal?.sealed ?? "", "base64");
  });
  afterAll(async () => {
    for (const each of clients) each.close();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const clock = () => join(folder, "clock");
  const setClock = (seconds: number) => writeFile(clock(), String(seconds));
  function client(index: number): KmsClient {
    const found = clients[index];
    if (found === undefined) throw new Error(`there is no node ${index}`);
    return found;
  }
  const apply = (kind: string, name: string, spec: object, namespace = NAMESPACE) =>
    cluster.kubectl(
      ["apply", "-f", "-"],
      JSON.stringify({ apiVersion: "kms.claviger.dev/v1alpha1", kind, metadata: { namespace, name }, spec }),
    );
  const isReady = (resource: string, namespace = NAMESPACE) =>
    cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=110s", "-n", namespace, resource]);
  const getJson = async <T>(...args: readonly string[]): Promise<T> =>
    JSON.parse(await cluster.kubectl(["get", ...args, "-o", "json"]));
  const key = (name: string, namespace = NAMESPACE) => getJson<MasterKey>("mk", "-n", namespace, name);
  async function versionOf(name: string): Promise<KeyVersion> {
    const { items } = await getJson<{ items: KeyVersion[] }>("kv");
    const found = items.find(({ spec }) => spec.masterKey.name === name);
    if (found === undefined) throw new Error(`${name} has no KeyVersion`);
    return found;
  }
  const patch = (resource: string, change: object, namespace = NAMESPACE) =>
    cluster.kubectl(["patch", "-n", namespace, resource, "--type=merge", "-p", JSON.stringify(change)]);
  const schedule = () => patch("masterkey/old", { spec: { deletion: { pendingWindowInDays: 30 } } });
  const cancel = () => patch("masterkey/old", { spec: { deletion: null } });
  const decrypt = (index: number) =>
    client(index).decrypt({ ...encrypted, annotations: new Map(), uid: randomUUID() });
  /** Returns true if a namespace is gone. Throws the reason that keeps a namespace that is being deleted. */
  async function isGone(namespace: string): Promise<boolean> {
    const found = await cluster.kubectl(["get", "ns", namespace, "--ignore-not-found", "-o", "json"]);
    if (found === "") return true;
    const { status } = JSON.parse(found) as { readonly status: { readonly conditions?: object[] } };
    throw new Error(JSON.stringify(status.conditions));
  }

  /** Restarts the API servers. A start asks for the key_id at once; otherwise it takes up to a minute. */
  async function restartServers(): Promise<void> {
    await Promise.all(cluster.plane.apiServers.map((server) => server.restart()));
    await cluster.ready();
  }
  const everyNodeDecrypts = () =>
    eventually("every node decrypts", async () => {
      const opened = await Promise.all(clients.map((_, index) => decrypt(index)));
      return opened.every((bytes) => bytes.equals(SEED));
    });
  const everyNodeSays = (text: RegExp) =>
    eventually(`every node says ${text}`, async () => {
      const answers = await Promise.all(clients.map((_, index) => decrypt(index).then(() => "", String)));
      return answers.every((answer) => text.test(answer));
    });

  it("is refused while the key is in use, by the name of who uses it", async () => {
    await eventually("the condition InUse is there", async () => {
      const inUse = conditionOf((await key("old")).status?.conditions, "InUse");
      return inUse?.message.includes("node-2") === true && inUse.message.includes("KeyAlias");
    });
    await eventually("the API server refuses to delete the key", async () => {
      const { code, stderr } = await cluster.plane.kubectl([
        "delete",
        "mk",
        "-n",
        NAMESPACE,
        "old",
        "--dry-run=server",
      ]);
      return code !== 0 && /is not deleted: the key is used by provider secrets of node node-1/.test(stderr);
    });
    const { stderr } = await cluster.plane.kubectl(["delete", "mk", "-n", NAMESPACE, "old"]);
    expect(stderr).toMatch(/KeyAlias claviger-system\/main/);
    expect((await key("old")).metadata.deletionTimestamp).toBeUndefined();
  });

  it("by spec.deletion is refused too, and changes nothing", async () => {
    await schedule();
    await eventually("the refusal is told", async () => {
      const { status } = await key("old");
      const blocked = conditionOf(status?.conditions, "DeletionBlocked");
      return blocked?.status === "True" && blocked.message.includes("provider secrets of node node-1");
    });
    expect((await key("old")).status).toMatchObject({ keyState: "Enabled" });
    await everyNodeDecrypts();
    await cancel();
  });

  it("is held by the finalizer where the admission policy lets it through", async () => {
    await cluster.kubectl([
      "delete",
      "validatingadmissionpolicybinding",
      "masterkey-in-use.kms.claviger.dev",
    ]);
    await eventually("the deletion is let through", async () => {
      await cluster.plane.kubectl(["delete", "mk", "-n", NAMESPACE, "old", "--wait=false"]);
      return (await key("old")).metadata.deletionTimestamp !== undefined;
    });
    await eventually("the condition says what to do", async () => {
      const { status } = await key("old");
      return conditionOf(status?.conditions, "DeletionBlocked")?.reason === "HeldInUse";
    });
    const { status } = await key("old");
    const message = conditionOf(status?.conditions, "DeletionBlocked")?.message ?? "";
    expect(message).toMatch(
      /used by provider secrets of node node-1.*kubectl patch mk -n claviger-system old/,
    );
    await patch("masterkey/old", { metadata: { finalizers: null } });
    await everyNodeDecrypts();
    await apply("MasterKey", "old", {});
    await isReady("masterkey/old");
    expect((await key("old")).status?.currentVersion?.kmsKeyId).toBe(encrypted.keyId);
    await cluster.kubectl(["apply", "-f", ADMISSION]);
  });

  it("is refused while objects are stored under the key, which a census of etcd counts", async () => {
    await apply("MasterKey", "next", {});
    await isReady("masterkey/next");
    await apply("KeyAlias", "main", { masterKey: "next" });
    await restartServers();
    await eventually(
      "what was stored under the old key is re-encrypted",
      async () => {
        const [early] = await cluster.plane.etcd.get("/registry/secrets/default/early");
        return early?.value.includes(encrypted.keyId) === false;
      },
      { deadline: 300_000 },
    );
    await cluster.plane.etcd.put("/registry/secrets/default/forgotten", storedEarly);
    await schedule();
    await eventually("the refusal is told", async () => {
      const blocked = conditionOf((await key("old")).status?.conditions, "DeletionBlocked");
      const found = `the key is used by 1 stored objects under key_id ${encrypted.keyId}`;
      return blocked?.reason === "InUse" && blocked.message.includes(found);
    });
    expect((await key("old")).status).toMatchObject({ keyState: "Enabled" });
    await everyNodeDecrypts();
    await cluster.plane.etcd.delete("/registry/secrets/default/forgotten");
  });

  it("is accepted once nothing needs the key, and refuses the key on every node until it is cancelled", async () => {
    await everyNodeSays(/MasterKey claviger-system\/old is pending deletion and will be destroyed after/);
    await eventually("key and version say the same", async () => {
      const { status } = await key("old");
      expect(status).toMatchObject({ keyState: "PendingDeletion", deletion: {} });
      expect((await versionOf("old")).status?.deletion).toEqual(status?.deletion);
      return true;
    });
    await cancel();
    await everyNodeDecrypts();
    await eventually("the key is Enabled", async () => (await key("old")).status?.keyState === "Enabled");
    await eventually("the cancellation is an Event", async () => {
      const { items: events } = await getJson<{ items: { message: string }[] }>(
        ...[
          "events",
          "-n",
          NAMESPACE,
          "--field-selector",
          "involvedObject.name=old,reason=DeletionCancelled",
        ],
      );
      return events.some(({ message }) =>
        /^the deletion after .* is cancelled; the key is Enabled$/.test(message),
      );
    });
  });

  it("outlives the object; made again within the waiting period, the key adopts its versions", async () => {
    const { status } = await key("old");
    await schedule();
    await everyNodeSays(/is pending deletion/);
    await cluster.kubectl(["delete", "mk", "-n", NAMESPACE, "old", "--timeout=110s"]);
    expect((await versionOf("old")).status?.deletion).toBeDefined();
    await everyNodeSays(/is pending deletion/);
    await apply("MasterKey", "old", {});
    await isReady("masterkey/old");
    await everyNodeDecrypts();
    expect((await key("old")).status?.keyId).toBe(status?.keyId);
    await eventually("its versions are not to be destroyed", async () => {
      return (await versionOf("old")).status?.deletion === undefined;
    });
  });

  it("with its namespace loses no material", async () => {
    await cluster.kubectl(["create", "namespace", "shop"]);
    await apply("MasterKey", "payments", {}, "shop");
    await isReady("masterkey/payments", "shop");
    const { status } = await key("payments", "shop");
    const before = await versionOf("payments");
    await cluster.kubectl(["delete", "namespace", "shop", "--wait=false"]);
    // The controller's own back-off decides how long this takes.
    await eventually("the namespace is gone", () => isGone("shop"), { deadline: 240_000 });
    expect((await versionOf("payments")).spec).toEqual(before.spec);
    await cluster.kubectl(["create", "namespace", "shop"]);
    await apply("MasterKey", "payments", {}, "shop");
    await isReady("masterkey/payments", "shop");
    expect((await key("payments", "shop")).status?.keyId).toBe(status?.keyId);
  });

  it("destroys the material after the waiting period: in etcd, in every keyring's bytes, in every plugin", async () => {
    expect(await placesWith(sealed)).toEqual(["etcd", ...cluster.nodes.map(({ name }) => name)]);
    await schedule();
    await everyNodeSays(/is pending deletion/);
    await periodIsRecorded(cluster.nodes, (await versionOf("old")).spec.keyId);
    await setClock(MONTH_SECONDS);
    await everyNodeSays(/version 1 of MasterKey claviger-system\/old was destroyed on .*: the deletion of/);
    await eventually("nothing of it is left on any node", async () => {
      const { status } = await versionOf("old");
      return status?.state === "Destroyed" && status.erasedAt !== undefined;
    });
    expect(await placesWith(sealed)).toEqual([]);
    await eventually("the key says that it is destroyed everywhere", async () => {
      const { status } = await key("old");
      const destroyed = conditionOf(status?.conditions, "Destroyed");
      return status?.keyState === "Destroyed" && destroyed?.status === "True";
    });
    expect((await client(0).status()).healthz).toBe("ok");
  });

  it("is not undone by an etcd that was restored from before: the nodes destroy the version again", async () => {
    const { metadata } = await versionOf("old");
    await patch(`keyversion/${metadata.name}`, { spec: { seal: version.spec.seal, destroyed: null } });
    await eventually("it is destroyed again", async () => {
      return (await versionOf("old")).spec.destroyed !== undefined;
    });
    await cluster.kubectl(["delete", "kv", metadata.name]);
    const { seal, ...identity } = version.spec;
    await cluster.plane.kubectl(["create", "-f", "-"], {
      stdin: JSON.stringify({
        ...version,
        metadata: { name: `${metadata.name}-again` },
        spec: { ...identity, seal },
      }),
    });
    await eventually("what was handed back is destroyed again", async () => {
      const { items } = await getJson<{ items: KeyVersion[] }>("kv");
      const its = items.filter(({ spec }) => spec.versionId === identity.versionId);
      return its.length > 0 && its.every(({ spec }) => spec.destroyed !== undefined);
    });
    expect(await placesWith(sealed)).toEqual([]);
    await everyNodeSays(/was destroyed on/);
  });

  it("leaves the name free for a key of another keyId", async () => {
    const before = await key("old");
    await cluster.kubectl(["delete", "mk", "-n", NAMESPACE, "old", "--timeout=110s"]);
    await apply("MasterKey", "old", {});
    await isReady("masterkey/old");
    expect((await key("old")).status?.keyId).not.toBe(before.status?.keyId);
  });

  it("destroys versions that no longer encrypt, once their retention is over and nothing needs them", async () => {
    await cluster.kubectl(["create", "secret", "generic", "kept", "--from-literal=text=kept"]);
    const earlier = await versionOf("next");
    const seal = Buffer.from(earlier.spec.seal?.sealed ?? "", "base64");
    await patch("masterkey/next", {
      spec: { rotation: { requestToken: "once" }, retention: { policy: "Destroy", afterDays: 7 } },
    });
    const retention = async () => conditionOf((await key("next")).status?.conditions, "Retention");
    await eventually(
      "version 2 is current",
      async () => (await key("next")).status?.currentVersion?.number === 2,
    );
    await restartServers();
    await eventually(
      "everything is re-encrypted, and the destruction has a date",
      async () => (await retention())?.reason === "DestructionScheduled",
      { deadline: 300_000 },
    );
    expect(await placesWith(seal)).toEqual(["etcd", ...cluster.nodes.map(({ name }) => name)]);
    await periodIsRecorded(cluster.nodes, (await key("next")).status?.currentVersion?.kmsKeyId ?? "");
    await setClock(MONTH_SECONDS + 8 * DAY_SECONDS);
    await eventually("version 1 is destroyed on every node", async () => {
      const { items } = await getJson<{ items: KeyVersion[] }>("kv");
      const own = items.find(({ spec }) => spec.versionId === earlier.spec.versionId);
      return (
        own?.spec.destroyed?.reason.startsWith("its retention ended") && own.status?.erasedAt !== undefined
      );
    });
    expect(await placesWith(seal)).toEqual([]);
    await restartServers();
    const text = await cluster.kubectl(["get", "secret", "kept", "-o", "jsonpath={.data.text}"]);
    expect(Buffer.from(text, "base64").toString()).toBe("kept");
    const { items: events } = await getJson<{ items: { reason: string; message: string }[] }>(
      ...["events", "-n", NAMESPACE, "--field-selector", "involvedObject.name=next,reason=VersionDestroyed"],
    );
    expect(events.map(({ message }) => message)).toEqual([
      expect.stringMatching(/version 1 of .* was destroyed: its retention ended.*etcd snapshots and backups/),
    ]);
  });

  it("cannot be forged by who may write KeyVersions and has no root key: the nodes put the material back", async () => {
    const { metadata, spec } = await versionOf("next");
    const proof = { provider: "file", rootKeyId: spec.seal?.rootKeyId, sealed: spec.seal?.sealed };
    const destroyed = { at: "2026-01-02T03:04:05Z", reason: "because", proof };
    await patch(`keyversion/${metadata.name}`, { spec: { seal: null, destroyed } });
    await eventually("the material is back", async () => {
      return (await versionOf("next")).spec.seal?.sealed === spec.seal?.sealed;
    });
    expect((await client(1).status()).keyId).toBe((await key("next")).status?.currentVersion?.kmsKeyId);
  });

  it("nodes have no right to change what a key is to be, or to have it deleted", async () => {
    const node = cluster.nodes[0];
    if (node === undefined) throw new Error("there is no node");
    const { kubeconfig } = JSON.parse(JSON.stringify(await configOf(node)));
    const args = ["--kubeconfig", kubeconfig, "patch", "mk", "-n", NAMESPACE, "next", "--type=merge"];
    const { code, stderr } = await cluster.plane.kubectl([...args, "-p", '{"spec":{"enabled":false}}']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/a node of claviger does not change the spec of a MasterKey/);
    const owner = { apiVersion: "v1", kind: "ConfigMap", name: "gone", uid: randomUUID() };
    for (const [metadata, refusal] of [
      [{ ownerReferences: [owner] }, /gives a MasterKey no owner/],
      [{ labels: { prune: "me" } }, /does not label a MasterKey/],
      [{ annotations: { prune: "me" } }, /does not annotate a MasterKey/],
    ] as const) {
      const refused = await cluster.plane.kubectl([...args, "-p", JSON.stringify({ metadata })]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(refusal);
    }
  });

  it("is shown by every KeyServer as no problem", async () => {
    await eventually("every node is well", async () => {
      const { items } = await getJson<{ items: KeyServer[] }>("ks");
      return items.every(({ status }) => conditionOf(status?.conditions, "Ready")?.status === "True");
    });
  });

  /** Returns the places with these bytes: etcd's live values, and the files of each node's keyring. */
  async function placesWith(bytes: Buffer): Promise<string[]> {
    const base64 = Buffer.from(bytes.toString("base64"));
    const values = (await cluster.plane.etcd.get("")).map(({ value }) => value);
    const found = values.some((value) => value.includes(base64) || value.includes(bytes)) ? ["etcd"] : [];
    return [...found, ...cluster.nodes.filter((node) => holds(node, bytes)).map(({ name }) => name)];
  }
});

const holds = (node: ClavigerNode, bytes: Buffer): boolean =>
  ["", "-wal", "-shm", "-journal"]
    .map((suffix) => `${node.keyringPath}${suffix}`)
    .some((path) => existsSync(path) && readFileSync(path).includes(bytes));

async function configOf(node: ClavigerNode): Promise<unknown> {
  const { parse } = await import("yaml");
  return parse(readFileSync(node.configPath, "utf8"));
}
