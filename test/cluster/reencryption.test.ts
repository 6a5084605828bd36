import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { objectPath } from "../../src/kube/paths.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import type { ReencryptionStatus } from "../../src/resources/schemas/reencryption.ts";
import { storedValue } from "../../src/storage/etcd/stored-value.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { USUAL_CONTROLLERS } from "../controlplane/controllers.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import {
  cart,
  cartDefinition,
  claviger,
  encryptionRules,
  identity,
  kms,
  manifests,
  object,
  roleOfRewriters,
} from "./manifests.ts";
import { createSecrets, Probes, SecretWriter, Traffic } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const ROOT = join(import.meta.dirname, "..", "..");
const SEEDS = 40;
const LONG = { deadline: 600_000, every: 300 };
/** With the probes, both entries of a socket ask for Status within 20 s. */
const SETTLE_SECONDS = 25;
const CARTS = "/registry/shop.example.com/carts/default";

/** Two entries on one socket, each with its own data key. */
const twoEntries = ({ name, socket }: { readonly name: string; readonly socket: string }): string =>
  encryptionRules(
    { resources: ["secrets"], providers: [kms(name, socket), identity] },
    { resources: ["configmaps", "*.shop.example.com"], providers: [kms("shop", socket), identity] },
  );
const everything = ({ name, socket }: { readonly name: string; readonly socket: string }): string =>
  encryptionRules(
    { resources: ["secrets"], providers: [kms(name, socket), identity] },
    { resources: ["*.*"], providers: [kms("shop", socket), identity] },
  );

describe.skipIf(binaries === undefined)("stored data follows its key", () => {
  let cluster: Cluster;
  let probes: Probes;
  let folder: string;
  let clock: string;
  let ahead = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-reencryption-"));
    clock = join(folder, "clock");
    await writeFile(clock, "0");
    cluster = await startCluster({
      nodes: 2,
      controllers: [...USUAL_CONTROLLERS, "storage-version-migrator-controller"],
      serves: { alias: "claviger-system/main" },
      encryption: twoEntries,
      environment: { CLAVIGER_TEST_CLOCK: clock, CLAVIGER_TEST_SETTLE_SECONDS: String(SETTLE_SECONDS) },
    });
    probes = new Probes(cluster.plane.apiServers);
    await apply(roleOfRewriters("rewrite-all", REWRITE_ALL));
    const engine = { reencryption: { engine: "StorageVersionMigration" } };
    const keys = [claviger("MasterKey", "first"), claviger("MasterKey", "second", engine)];
    await apply(
      manifests(...keys, claviger("KeyAlias", "main", { masterKey: "first" }), cartDefinition, ...POLICY),
    );
    await cluster.ready();
    await createSecrets(server(1), SEEDS);
    const names = Array.from({ length: 10 }, (_, index) => `thing-${index}`);
    await eventually("the API server serves carts", () => apply(manifests(cart("broken"))));
    await apply(
      manifests(
        ...names.map((name) => object("ConfigMap", name)),
        ...names.map(cart),
        object("ConfigMap", "guarded"),
      ),
    );
    await eventually("the policy is in force", async () => !(await touch("guarded")));
  });
  afterAll(async () => {
    await probes?.stop();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const server = (number: number) => at(cluster.plane.apiServers, number);
  const apply = (text: string) => cluster.kubectl(["apply", "-f", "-"], text);
  const masterKey = (name: string) =>
    cluster.read<MasterKey>(objectPath("MasterKey", { namespace: "claviger-system", name }));
  const patch = (kind: string, name: string, spec: object) =>
    cluster.kubectl([
      ...["patch", kind, "-n", "claviger-system", name, "--type=merge", "-p", JSON.stringify({ spec })],
    ]);
  const rotate = async (name: string) => {
    const admin = await server(1).kubeconfig();
    const args = [
      join(ROOT, "bin", "claviger.js"),
      "rotate",
      `claviger-system/${name}`,
      "--kubeconfig",
      admin,
    ];
    expect(await run(process.execPath, args)).toMatchObject({ code: 0, stderr: "" });
  };
  const reencryption = (name: string, what: string, holds: (status: ReencryptionStatus) => boolean) =>
    eventually(
      what,
      async () => {
        const { status } = await masterKey(name);
        const found = status?.reencryption;
        if (found !== undefined && holds(found)) return found;
        throw new Error(JSON.stringify([found, status?.conditions]));
      },
      LONG,
    );
  const condition = async (name: string) =>
    (await masterKey(name)).status?.conditions?.find(({ type }) => type === "Reencrypted");
  /** Waits until the pause between two rounds is over. */
  const pauseIsOver = async () => {
    ahead += 600;
    await writeFile(clock, String(ahead));
  };
  const touch = async (name: string): Promise<boolean> => {
    const { status } = await server(1).request("PATCH", `/api/v1/namespaces/default/configmaps/${name}`, {
      body: { metadata: { annotations: { at: String(performance.now()) } } },
      contentType: "application/merge-patch+json",
    });
    return status === 200;
  };
  /** Returns the key_ids of everything that is encrypted in etcd, apart from the named objects. */
  const keyIds = async (prefix = "/registry/") => {
    const entries = await cluster.plane.etcd.get(prefix);
    const stored = entries.map(({ key, value }) => ({ key, stored: storedValue(value) }));
    return new Set(stored.flatMap(({ stored: one }) => (one.kind === "kms-v2" ? [one.keyId] : [])));
  };
  const verified = (name: string, kmsKeyId?: string) =>
    reencryption(
      name,
      `all is under the current version of ${name}`,
      (status) =>
        status.phase === "Complete" &&
        status.verified &&
        (kmsKeyId === undefined || status.kmsKeyId === kmsKeyId),
    );

  it("although a plugin stands still, a policy refuses an object and another cannot be decrypted", async () => {
    const old = (await masterKey("first")).status?.currentVersion?.kmsKeyId ?? "";
    await spoil(cluster.plane.etcd.endpoint, `${CARTS}/broken`);
    await using traffic = new Traffic([server(1)], SEEDS);
    await using writer = new SecretWriter(server(2), "never-pausing");
    await at(cluster.nodes, 2).stop("plugin");
    await rotate("first");

    await reencryption(
      "first",
      "the first API server writes under the new key",
      ({ phase }) => phase === "Switching",
    );
    await eventually(
      "only node-2 has not switched",
      async () =>
        (await condition("first"))?.message.includes(
          "API servers behind secrets on node-2 (no plugin answers",
        ),
      LONG,
    );
    const before = writer.writes;
    await eventually("its API server goes on", async () => writer.writes > before + 20);
    expect(await keyIds("/registry/secrets/default/never-pausing")).toEqual(new Set([old]));
    expect((await masterKey("first")).status?.rotation?.running?.phase).toBe("Switching");
    await at(cluster.nodes, 2).start("plugin");

    const refused = await reencryption(
      "first",
      "what is left is named",
      (status) => status.nextRoundAt !== undefined,
    );
    expect(refused.failures).toEqual(
      [
        {
          object: "carts.shop.example.com default/broken",
          reason: "StorageReadError",
          message: expect.stringMatching(
            /^the API server cannot read it: data from the storage is not transformable/,
          ),
        },
        {
          object: "configmaps default/guarded",
          reason: "Invalid",
          message: expect.stringContaining("nobody touches this one"),
        },
      ].sort((a, b) => (a.object < b.object ? -1 : 1)),
    );
    expect(refused).toMatchObject({ failed: 2, remaining: 2 });
    expect(await condition("first")).toMatchObject({ status: "False", reason: "ObjectsLeft" });

    await cluster.kubectl(["delete", "-f", "-"], manifests(...POLICY));
    await eventually("the policy is gone", () => touch("guarded"));
    await pauseIsOver();
    const left = await reencryption(
      "first",
      "one is left",
      ({ round, nextRoundAt }) => round > refused.round && nextRoundAt !== undefined,
    );
    expect(left).toMatchObject({ failed: 1, remaining: 1, failures: [{ reason: "StorageReadError" }] });
    expect((await masterKey("first")).status?.rotation?.running).toBeDefined();

    await etcdCall(cluster.plane.etcd.endpoint, "deleterange", { key: base64(`${CARTS}/broken`) });
    await pauseIsOver();
    const { kmsKeyId } = await verified("first");
    expect(await traffic.stop()).toMatchObject({ errors: [] });
    expect(await writer.stop()).toEqual([]);
    expect(await keyIds()).toEqual(new Set([kmsKeyId]));
    await eventually("the rotation is complete", async () => {
      const { running, last } = (await masterKey("first")).status?.rotation ?? {};
      return running === undefined && last?.number === 2 && last.verified;
    });
  });

  it("to the key that an alias is turned to, by StorageVersionMigrations", async () => {
    await cluster.kubectl(["delete", "clusterrole,clusterrolebinding", "rewrite-all", "claviger-rewriter"]);
    await cluster.kubectl(["apply", "-f", join(ROOT, "deploy", "storage-version-migration.yaml")]);
    await patch("ka", "main", { masterKey: "second" });
    // Kubernetes' controller waits until its caches are as new as the migration, which takes a minute for an
    // idle resource.
    await using _ = new Stirring(async () => {
      await touch("thing-0");
      await cluster.kubectl(["annotate", "--overwrite", "carts/thing-0", `at=${performance.now()}`]);
    });
    const { kmsKeyId, remaining } = await verified("second");
    expect(remaining).toBe(0);
    expect(kmsKeyId).toBe((await masterKey("second")).status?.currentVersion?.kmsKeyId);
    expect(await keyIds()).toEqual(new Set([kmsKeyId]));
    expect((await masterKey("first")).status?.reencryption).toBeUndefined();
    expect(await cluster.kubectl(["get", "storageversionmigrations", "-o", "name"])).toBe("");
  });

  it("with a wildcard, all that the API shows, also what changes all the time", async () => {
    await apply(roleOfRewriters("rewrite-all", REWRITE_ALL));
    await patch("mk", "second", { reencryption: { engine: "Claviger" } });
    for (const node of cluster.nodes) {
      await writeFile(
        node.encryptionConfigPath,
        everything({ name: "secrets", socket: node.socket("secrets") }),
      );
    }
    await Promise.all(cluster.plane.apiServers.map((apiServer) => apiServer.restart()));
    await cluster.ready();
    await rotate("second");
    await eventually(
      "version 2 encrypts",
      async () => (await masterKey("second")).status?.currentVersion?.number === 2,
    );
    const { kmsKeyId } = (await masterKey("second")).status?.currentVersion ?? {};
    // Until every node has reported the new configuration, the scope is that of the former one too.
    await reencryption(
      "second",
      "all that the new configuration names is under version 2",
      (status) =>
        status.phase === "Complete" &&
        status.verified &&
        status.kmsKeyId === kmsKeyId &&
        status.resources?.join() === "!*.kms.claviger.dev,secrets,*.*",
    );
    const kinds = (await cluster.plane.etcd.get("/registry/")).map(({ key, value }) => ({
      key,
      kind: storedValue(value).kind,
    }));
    const others = kinds.filter(({ key, kind }) => kind !== "kms-v2" && !KEPT_PLAIN.test(key));
    expect(others).toEqual([]);
    expect(await keyIds()).toEqual(new Set([kmsKeyId]));
  });
});

/** claviger's own resources, and those that API servers keep for themselves. */
const KEPT_PLAIN = /^\/registry\/(kms\.claviger\.dev|masterleases|peerserverleases|ranges)\//;

const REWRITE_ALL = [{ apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "patch"] }];

const POLICY = [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "guard" },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["configmaps"] },
        ],
      },
      validations: [{ expression: 'object.metadata.name != "guarded"', message: "nobody touches this one" }],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "guard" },
    spec: { policyName: "guard", validationActions: ["Deny"] },
  },
];

/** Does something about once a second until it is disposed of. */
class Stirring implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(work: () => Promise<void>) {
    this.#done = this.#run(work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(work: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // A failed call is repeated, and must not end the test run.
      await work().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

/** Changes a byte of a value in etcd, so that it no longer decrypts. */
async function spoil(endpoint: string, key: string): Promise<void> {
  const name = base64(key);
  const { kvs } = await etcdCall(endpoint, "range", { key: name });
  const value = Buffer.from(kvs[0]?.value ?? "", "base64");
  // The message begins with the encrypted data, and this byte is part of it.
  const place = value.lastIndexOf(Buffer.from(SPOILT_AFTER)) + SPOILT_AFTER.length + 8;
  value.writeUInt8(value.readUInt8(place) ^ 1, place);
  await etcdCall(endpoint, "put", { key: name, value: value.toString("base64") });
}

async function etcdCall(endpoint: string, method: string, body: object) {
  const reply = await fetch(`${endpoint}/v3/kv/${method}`, { method: "POST", body: JSON.stringify(body) });
  expect(reply.status).toBe(200);
  return (await reply.json()) as { readonly kvs: readonly { readonly value: string }[] };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

const SPOILT_AFTER = "k8s:enc:kms:v2:shop:";

function at<T>(list: readonly T[], number: number): T {
  const found = list[number - 1];
  if (found === undefined) throw new Error(`there is no number ${number}`);
  return found;
}
