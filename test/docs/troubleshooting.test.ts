import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KeyId, kmsKeyId, newVersionId, type VersionId } from "../../src/crypto/ids.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { applyKey, type Cluster, exampleKey, NODE_USER, startCluster } from "../cluster/cluster.ts";
import { encryptionRules, identity } from "../cluster/manifests.ts";
import type { ClavigerNode } from "../cluster/node.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { prose, ROOT, read } from "./markdown.ts";

const binaries = await controlPlaneBinaries();

/**
 * The quotations in the headings of docs/troubleshooting.md, by the problem that causes them; `…` stands for
 * the variable parts.
 */
const QUOTES = {
  firstStart: ["got unexpected nil transformer", "[-]kms-providers failed: reason withheld"],
  noPlugin: ["dial unix …: connect: no such file or directory", "dial unix …: connect: connection refused"],
  noStatus: ['encryptedDEKSource with keyID hash "…" expired at …'],
  lostVersion: ["failed to decrypt DEK, error: …", "no version with key_id … is in …"],
  otherKeyId: ["key_id is not the one that the ciphertext was made under"],
  damaged: ["cipher: message authentication failed"],
  list: ["failed to read one or more secrets from the storage: …"],
  identity: [
    "StorageError: corrupt object, Code: …, Key: …",
    "identity transformer tried to read encrypted data",
  ],
  noPrefix: ["no matching prefix found"],
  notLoaded: ["error processing encryption config file …", "health check for new transformers failed, …"],
  unknownField: ["strict decoding error: unknown field …"],
  cachesize: ["cachesize is not supported in v2"],
  inUse: ["MasterKey … is not deleted: …"],
  leases: ["claviger's operators lead and report by Leases in this Namespace"],
  terminating: ["Some content in the namespace has finalizers remaining: kms.claviger.dev/material in …"],
  held: ["the object is to be deleted and is held while the key is used by …"],
  nodeUser: [
    "a node of claviger does not change the spec of a MasterKey",
    'secrets is forbidden: User "…" cannot list resource "secrets"',
  ],
} as const;

const headings = [...prose(read("docs/troubleshooting.md")).matchAll(/^### (.+)$/gm)].map(
  ([, title = ""]) => title,
);
const quoted = headings.map((title) => [...title.matchAll(/`([^`]+)`/g)].map(([, quote = ""]) => quote));

describe("the headings of docs/troubleshooting.md", () => {
  it("each quote what somebody sees, which is provoked below, and nothing else is", () => {
    expect(headings.filter((_, index) => quoted[index]?.length === 0)).toEqual([]);
    expect(quoted.flat().sort()).toEqual(Object.values(QUOTES).flat().sort());
  });
});

/** Returns true if a text contains the quotation of a heading. */
function occurs(quote: string, text: string): boolean {
  const parts = quote.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(parts.join(String.raw`[^\n]*?`)).test(text);
}

/** Only the message about an expired data key takes as long as its three minutes. */
const PATIENCE = { deadline: 300_000, every: 500 };
const SECRETS = "/registry/secrets/default";

/**
 * Two nodes. The second node's plugin is stopped from the second test on, because the consequence takes three
 * minutes.
 */
describe.skipIf(binaries === undefined)("what docs/troubleshooting.md quotes is said", () => {
  let cluster: Cluster;
  let goodConfig: string;

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2, controllers: ["namespace-controller"] });
    goodConfig = await readFile(node(1).encryptionConfigPath, "utf8");
  });
  afterAll(() => cluster?.stop());

  const server = (number: 1 | 2): ApiServer => at(cluster.plane.apiServers, number);
  const node = (number: 1 | 2): ClavigerNode => at(cluster.nodes, number);
  /** Returns the output that somebody at a terminal sees, through the API server of that number. */
  const kubectl = async (number: 1 | 2, args: readonly string[], user?: string): Promise<string> => {
    const kubeconfig = await server(number).kubeconfig(user);
    const { stdout, stderr } = await cluster.plane.kubectl(args, { kubeconfig });
    return `${stdout}${stderr}`;
  };
  const createSecret = (number: 1 | 2, name: string) =>
    kubectl(number, ["create", "secret", "generic", name, "--from-literal=text=secret"]);
  const get = (name: string) => kubectl(1, ["get", "secret", name]);
  const log = async (number: 1 | 2, since = 0) => (await readFile(server(number).log, "utf8")).slice(since);
  const sees = (trouble: keyof typeof QUOTES, look: () => Promise<string>) =>
    eventually(
      `somebody sees ${QUOTES[trouble].join(", ")}`,
      async () => {
        const text = await look();
        const missing = QUOTES[trouble].filter((quote) => !occurs(quote, text));
        if (missing.length === 0) return text;
        throw new Error(`${missing.join(", ")} is not in: ${text.slice(-2_000)}`);
      },
      PATIENCE,
    );
  /** Puts another value of Secret `name` into etcd while `look` runs. */
  const withValue = async (name: string, change: (text: string) => string, look: () => Promise<unknown>) => {
    const [entry] = await cluster.plane.etcd.get(`${SECRETS}/${name}`);
    if (entry === undefined) throw new Error(`there is no Secret ${name}`);
    await put(name, Buffer.from(change(entry.value.toString("latin1")), "latin1"));
    try {
      await look();
    } finally {
      await put(name, entry.value);
    }
  };
  const put = async (name: string, value: Buffer) => {
    const key = Buffer.from(`${SECRETS}/${name}`).toString("base64");
    const body = JSON.stringify({ key, value: value.toString("base64") });
    const { ok } = await fetch(`${cluster.plane.etcd.endpoint}/v3/kv/put`, { method: "POST", body });
    if (!ok) throw new Error(`etcd did not take ${name}`);
  };
  const keyOf = async (namespace: string): Promise<Ids> => {
    const { status }: MasterKey = JSON.parse(
      await cluster.kubectl(["get", "mk", "-n", namespace, "secrets", "-o", "json"]),
    );
    if (status?.keyId === undefined || status.currentVersion === undefined) throw new Error("no key yet");
    const { versionId, kmsKeyId: id } = status.currentVersion;
    // The API server has stored claviger's own values.
    return { keyId: status.keyId as KeyId, versionId: versionId as VersionId, kmsKeyId: id };
  };
  /** Kills the first API server, which would wait a minute for its own failing calls, and starts it again. */
  const startAgain = async () => {
    await server(1).kill9();
    await server(1).start();
  };
  /** Starts the first API server with another EncryptionConfiguration. */
  const startWith = async (config: string) => {
    await writeFile(node(1).encryptionConfigPath, config);
    await startAgain();
  };
  const secretsBy = (...providers: object[]) => encryptionRules({ resources: ["secrets"], providers });

  it("before there is a key", async () => {
    await sees(
      "firstStart",
      async () => (await createSecret(1, "early")) + (await kubectl(1, ["get", "--raw", "/readyz?verbose"])),
    );
    await applyKey(cluster, exampleKey());
    for (const name of ["a", "b"])
      await eventually(name, async () => (await createSecret(1, name)).includes("created"));
    await eventually("the second API server writes", async () =>
      (await createSecret(2, "c")).includes("created"),
    );
  });

  it("with a version that no keyring has, another one's key_id, and damage", async () => {
    // From now on nobody answers the second API server: see the last test.
    await node(2).stop("plugin");
    await writeFile(node(2).encryptionConfigPath, goodConfigOf(2).replace("timeout: 3s", "timeout: 4s"));
    await cluster.kubectl(["create", "namespace", "apps"]);
    await cluster.kubectl(["apply", "-f", "-"], exampleKey().replace("claviger-system", "apps"));
    const own = await keyOf("claviger-system");
    await withValue(
      "a",
      (text) => asOfLostVersion(text, own),
      async () => {
        await sees("lostVersion", () => get("a"));
        await sees("list", () => kubectl(1, ["get", "secrets"]));
      },
    );
    await cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=120s", "-n", "apps", "mk/secrets"]);
    const other = await keyOf("apps");
    await withValue(
      "a",
      (text) => text.replace(own.kmsKeyId, other.kmsKeyId),
      () => sees("otherKeyId", () => get("a")),
    );
    await withValue("a", withBrokenText, () => sees("damaged", () => get("a")));
    expect(await get("a")).toContain("Opaque");
  });

  it("to who asks for what claviger refuses", async () => {
    const mk = ["mk", "-n", "claviger-system", "secrets"];
    await sees("inUse", () => kubectl(1, ["delete", ...mk]));
    await sees("leases", () => kubectl(1, ["delete", "--wait=false", "namespace", "claviger-system"]));
    const spec = '{"spec":{"enabled":false}}';
    await sees(
      "nodeUser",
      async () =>
        (await kubectl(1, ["patch", ...mk, "--type=merge", "-p", spec], NODE_USER)) +
        (await kubectl(1, ["get", "secrets"], NODE_USER)),
    );
  });

  it("to who deletes the namespace of a key while no operator runs", async () => {
    for (const number of [1, 2] as const) await node(number).stop("operator");
    await kubectl(1, ["delete", "--wait=false", "namespace", "apps"]);
    await sees("terminating", () => kubectl(1, ["get", "namespace", "apps", "-o", "json"]));
    for (const number of [1, 2] as const) await node(number).start("operator");
    await cluster.kubectl(["wait", "--for=delete", "--timeout=300s", "namespace/apps"]);
  });

  it("to who deletes a key in use where no policy is in force", async () => {
    await cluster.kubectl(["delete", "-f", join(ROOT, "deploy", "admission.yaml")]);
    const mk = ["mk", "-n", "claviger-system", "secrets"];
    await eventually("the policy is gone", async () =>
      /^masterkey\S* "secrets" deleted/m.test(await kubectl(1, ["delete", "--wait=false", ...mk])),
    );
    await sees("held", () => kubectl(1, ["get", ...mk, "-o", "json"]));
    await cluster.kubectl(["apply", "-f", join(ROOT, "deploy", "admission.yaml")]);
  });

  it("by an API server whose plugin is away", async () => {
    const before = (await log(1)).length;
    await node(1).kill9("plugin");
    await startAgain();
    await eventually(
      "the socket of a killed plugin refuses",
      async () => occurs(QUOTES.noPlugin[1], await log(1, before)),
      PATIENCE,
    );
    await rm(node(1).socket("secrets"));
    await sees("noPlugin", () => log(1, before));
    await server(1).ready("/livez");
    expect(await get("a")).toContain(QUOTES.firstStart[0]);
    await node(1).start("plugin");
  });

  it("by an API server that goes by another EncryptionConfiguration", async () => {
    // For an API server without a rule for the resource, or without a file, it is plain.
    await startWith(encryptionRules({ resources: ["configmaps"], providers: [identity] }));
    await server(1).ready("/livez");
    await sees("identity", () => get("a"));
    await startWith(secretsBy(identity));
    await server(1).ready("/livez");
    await sees("noPrefix", () => get("a"));
    const aescbc = { keys: [{ name: "k", secret: Buffer.alloc(32, 1).toString("base64") }] };
    await startWith(secretsBy({ aescbc }));
    await server(1).ready("/livez");
    await sees("noPrefix", () => get("a"));
  });

  it.each([
    ["unknownField", "timeuot:"],
    ["cachesize", "cachesize: 100\n          timeout:"],
  ] as const)("by an API server that does not start (%s)", async (trouble, field) => {
    const before = (await log(1)).length;
    await startWith(goodConfig.replace("timeout:", field));
    await sees(trouble, () => log(1, before));
  });

  it("and all that was called corrupt is there as soon as the API server goes by the right file", async () => {
    await startWith(goodConfig);
    await server(1).ready();
    const listed = await kubectl(1, ["get", "secrets"]);
    for (const name of ["a", "b", "c"]) expect(listed).toMatch(new RegExp(`^${name} `, "m"));
  });

  it("by an API server that does not take up an edit, and to which no plugin has answered for three minutes", async () => {
    await sees("notLoaded", () => log(2));
    await sees("noStatus", () => createSecret(2, "late"));
  });

  /** Returns the configuration of the first node, with the socket of this node. */
  function goodConfigOf(number: 1 | 2): string {
    return goodConfig.replaceAll(node(1).socket("secrets"), node(number).socket("secrets"));
  }
});

interface Ids {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly kmsKeyId: string;
}

/**
 * Returns the value as if it had been written under a later version of the same key, of which no copy is
 * left.
 */
function asOfLostVersion(value: string, { keyId, versionId, kmsKeyId: id }: Ids): string {
  const lost = newVersionId();
  return value.replace(bytesOf(versionId), bytesOf(lost)).replace(id, kmsKeyId(keyId, lost));
}

const bytesOf = (uuid: string): string => Buffer.from(uuid.replaceAll("-", ""), "hex").toString("latin1");

/**
 * Changes one byte of the object's own ciphertext, which comes first in the envelope (KEP-3299,
 * EncryptedObject).
 */
function withBrokenText(value: string): string {
  const at_ = "k8s:enc:kms:v2:secrets:".length + 40;
  return `${value.slice(0, at_)}${String.fromCharCode(value.charCodeAt(at_) ^ 1)}${value.slice(at_ + 1)}`;
}

function at<T>(list: readonly T[], number: number): T {
  const found = list[number - 1];
  if (found === undefined) throw new Error(`there is no number ${number}`);
  return found;
}
