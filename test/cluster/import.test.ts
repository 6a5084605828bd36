import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseKeyId } from "../../src/crypto/ids.ts";
import { generateWrappingKeyPair, wrapMaterial } from "../../src/crypto/import-wrapping.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import type { KeyVersionSpec } from "../../src/resources/schemas/key-version.ts";
import { fileSeal } from "../../src/seal/file.ts";
import { issueImportToken } from "../../src/seal/import-token.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { operationsBlock, ROOT } from "../docs/markdown.ts";
import { contentsOf, encodings, materialsOf } from "./canaries.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";

const binaries = await controlPlaneBinaries();
const NAMESPACE = "claviger-system";

const external = (name: string): string => `
apiVersion: kms.claviger.dev/v1alpha1
kind: MasterKey
metadata: { namespace: ${NAMESPACE}, name: ${name} }
spec: { origin: EXTERNAL }
`;

const specOf = ({ spec }: Pick<KeyVersion, "spec">) => spec;

/** Returns the expiry of each version in a node's keyring. */
function validTosOf(node: ClavigerNode): (number | undefined)[] {
  const reader = KeyringReader.open(node.keyringPath);
  try {
    return reader.versionsAfter(0, 100).map(({ version }) => version.validTo);
  } finally {
    reader.close();
  }
}

describe.skipIf(binaries === undefined)("key material imported into a cluster of two nodes", () => {
  let cluster: Cluster;
  /** The folder in which the commands of the manual run. The material is here, and nowhere else. */
  let elsewhere: string;
  let environment: NodeJS.ProcessEnv;
  const materials: Buffer[] = [];

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2, serves: { key: `${NAMESPACE}/external` } });
    elsewhere = await mkdtemp(join(tmpdir(), "claviger-import-"));
    await symlink(binaries?.kubectl ?? "", join(elsewhere, "kubectl"));
    await writeFile(
      join(elsewhere, "claviger"),
      `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "bin", "claviger.js")}" "$@"\n`,
      { mode: 0o755 },
    );
    environment = {
      PATH: `${elsewhere}:${process.env.PATH}`,
      HOME: elsewhere,
      KUBECONFIG: await cluster.plane.apiServers[0]?.kubeconfig(),
    };
    await cluster.kubectl(["apply", "-f", "-"], external("external"));
  });
  afterAll(async () => {
    await cluster?.stop();
    await rm(elsewhere, { recursive: true, force: true });
  });

  /** Runs a command as somebody at a terminal next to the material. */
  async function shell(text: string, more: NodeJS.ProcessEnv = {}): Promise<string> {
    const env = { ...environment, ...more };
    const { code, stdout, stderr } = await run("bash", ["-euo", "pipefail", "-c", text], {
      cwd: elsewhere,
      env,
      deadline: 120_000,
    });
    expect(code, `${text}\n${stdout}${stderr}`).toBe(0);
    return stdout;
  }
  const documented = (block: string, more?: NodeJS.ProcessEnv) => shell(operationsBlock(block), more);
  const keep = async () => materials.push(await readFile(join(elsewhere, "material.bin")));

  const get = async (name = "external"): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", NAMESPACE, name, "-o", "json"]));
  const patch = (spec: object | null, name = "external") =>
    cluster.kubectl([
      ...["patch", "mk", "-n", NAMESPACE, name, "--type", "merge"],
      ...["-p", JSON.stringify({ spec: { import: spec } })],
    ]);
  const published = (name = "external", request?: string) =>
    eventually(`public key and token of ${name}`, async () => {
      const found = (await get(name)).status?.import;
      if (request !== undefined && found?.requestToken !== request) return undefined;
      if (found?.publicKey === undefined || found.importToken === undefined) return undefined;
      return { publicKey: found.publicKey, importToken: found.importToken };
    });
  const currentNumber = (number: number) =>
    eventually(`version ${number} is current`, async () => {
      const current = (await get()).status?.currentVersion;
      return current?.number === number && current;
    });
  const storedUnder = async (secret: string): Promise<string> => {
    const [entry] = await cluster.plane.etcd.get(`/registry/secrets/default/${secret}`);
    return entry?.value.toString("latin1") ?? "";
  };
  const leader = async (): Promise<ClavigerNode> => {
    const path = [
      "get",
      "lease",
      "-n",
      NAMESPACE,
      "claviger-operator",
      "-o",
      "jsonpath={.spec.holderIdentity}",
    ];
    const name = await cluster.kubectl(path);
    const found = cluster.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`${name} is no node`);
    return found;
  };

  it("waits for its material, and no version is made", async () => {
    await published();
    expect((await get()).status?.keyState).toBe("PendingImport");
    expect(await cluster.kubectl(["get", "kv", "-o", "name"])).toBe("");
  });

  it("takes what openssl wrapped, as the manual has it, from a leader that did not make the token", async () => {
    await documented("import parameters");
    await shell("openssl rand 32 > material.bin");
    await keep();
    await documented("import wrap oaep");
    const first = await leader();
    await first.stop("operator");
    const said = await documented("import apply", { ALGORITHM: "RSAES_OAEP_SHA_256" });
    expect(said).toMatch(/^version 1 has the imported material [0-9a-f]{64}, which does not expire$/m);
    await first.start("operator");
    await currentNumber(1);
    await cluster.ready();
    expect((await get()).spec.import).toBeUndefined();
    expect((await get()).status?.import?.publicKey).toBeUndefined();
  });

  it("encrypts Secrets under the material that was brought", async () => {
    await cluster.kubectl(["create", "secret", "generic", "first", "--from-literal=text=secret"]);
    const { currentVersion } = (await get()).status ?? {};
    expect(await storedUnder("first")).toContain(currentVersion?.kmsKeyId ?? "none");
    for (const node of cluster.nodes) expect(await materialsOf(node)).toEqual(materials);
  });

  describe("an import that cannot be", () => {
    type Given = Readonly<Record<"publicKey" | "importToken", string>>;
    const wrap = ({ publicKey }: Given, material: Buffer) =>
      wrapMaterial(publicKey, "RSAES_OAEP_SHA_256", material).toString("base64");
    const same = () => materials[0] ?? Buffer.alloc(0);

    it.each([
      [
        "other material",
        "IncorrectKeyMaterial",
        async (given: Given) => ({ wrappedMaterial: wrap(given, randomBytes(32)) }),
      ],
      [
        "a tampered blob",
        "InvalidCiphertext",
        async (given: Given) => ({ wrappedMaterial: wrap(given, same()).replace(/^..../, "AAAA") }),
      ],
      [
        "a token of another key",
        "InvalidImportToken",
        async () => {
          await cluster.kubectl(["apply", "-f", "-"], external("other"));
          const other = await published("other");
          return { wrappedMaterial: wrap(other, same()), importToken: other.importToken };
        },
      ],
      [
        "a token that has expired",
        "ExpiredImportToken",
        async () => {
          const pair = await generateWrappingKeyPair("RSA_3072");
          const seal = fileSeal(Secret.take(Buffer.from(cluster.rootKey)));
          const keyId = parseKeyId((await get()).status?.keyId ?? "");
          const past = { keyId, validTo: Date.now() - 60_000 };
          const importToken = await issueImportToken(seal, past, pair.privateKey);
          return { wrappedMaterial: wrap({ ...pair, importToken }, same()), importToken };
        },
      ],
    ])("with %s => %s, and nothing changed", async (name, reason, change) => {
      const before = await get();
      const requestToken = name.replaceAll(" ", "-");
      await patch({ requestToken, wrappingKeySpec: "RSA_3072" });
      const given = await published("external", requestToken);
      const wanted = {
        requestToken,
        wrappingAlgorithm: "RSAES_OAEP_SHA_256",
        importToken: given.importToken,
      };
      await patch({ ...wanted, ...(await change(given)) });
      const refused = await eventually(`it is refused: ${reason}`, async () => {
        const found = (await get()).status?.conditions?.find(({ type }) => type === "Imported");
        return found?.status === "False" && found;
      });
      expect(refused.reason).toBe(reason);
      await patch(null);
      const after = await get();
      expect(after.status?.currentVersion).toEqual(before.status?.currentVersion);
      const versions = await cluster.kubectl(["get", "kv", "-o", "jsonpath={.items[*].spec.number}"]);
      expect(versions).toBe("1");
      // The offer is made again, so that the next row waits for its own refusal.
      const again = `again-${requestToken}`;
      await patch({ requestToken: again, wrappingKeySpec: "RSA_3072" });
      const anew = await published("external", again);
      const good = { wrappedMaterial: wrap(anew, same()), importToken: anew.importToken };
      await patch({ requestToken: again, wrappingAlgorithm: "RSAES_OAEP_SHA_256", ...good });
      await eventually("the same material is taken", async () =>
        (await get()).status?.conditions?.some(
          ({ type, status }) => type === "Imported" && status === "True",
        ),
      );
      await patch(null);
    });

    it.each([
      ["a part of an import", { wrappedMaterial: "AAAA" }, /go together/],
      ["an end without its model", { validTo: "2027-01-02T03:04:05Z" }, /validTo goes with expirationModel/],
    ])("with %s is refused by the API server", async (_, spec, message) => {
      await expect(patch(spec)).rejects.toThrow(message);
    });

    it("into a key whose material claviger makes is refused by the API server", async () => {
      const made = external("made").replace("EXTERNAL", "AWS_KMS");
      await cluster.kubectl(["apply", "-f", "-"], made);
      await expect(patch({ requestToken: "r" }, "made")).rejects.toThrow("import needs origin EXTERNAL");
    });
  });

  it("rotates to new material by claviger import --new; what is under the old is read by API servers that start anew", async () => {
    const before = (await get()).status?.currentVersion?.kmsKeyId;
    const script = operationsBlock("import").replace("--kubeconfig", "--new --kubeconfig");
    expect(await shell(script)).toMatch(
      /version 2 has the imported material[\s\S]*version 2 is on every node/,
    );
    await keep();
    const current = await currentNumber(2);
    expect(current.kmsKeyId).not.toBe(before);
    // Makes the API servers ask at once which key_id is served; otherwise it takes up to a minute.
    await Promise.all(cluster.plane.apiServers.map((server) => server.restart()));
    await cluster.ready();
    await cluster.kubectl(["create", "secret", "generic", "second", "--from-literal=text=secret"]);
    expect(await storedUnder("second")).toContain(current.kmsKeyId);
    for (const name of ["first", "second"]) {
      const text = await cluster.kubectl(["get", "secret", name, "-o", "jsonpath={.data.text}"]);
      expect(Buffer.from(text, "base64").toString()).toBe("secret");
    }
  });

  it("is not deleted while an API server or a stored object needs the key, and the Secrets stay readable", async () => {
    const deleteMaterialId = (await get()).status?.import?.processed?.materialId;
    await patch({ deleteMaterialId });
    const refused = await eventually("it is refused", async () => {
      const found = conditionOf((await get()).status?.conditions, "Imported");
      return found?.reason === "InUse" && found;
    });
    expect(refused.message).toMatch(/provider \S+ of node \S+/);
    await patch(null);
    const text = await cluster.kubectl(["get", "secret", "second", "-o", "jsonpath={.data.text}"]);
    expect(Buffer.from(text, "base64").toString()).toBe("secret");
  });

  it("has its end moved by the same material imported again, on every node, and nothing else", async () => {
    const specs = async () => {
      const { items } = JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"]));
      const all: KeyVersionSpec[] = items.map(specOf);
      return all
        .filter(({ masterKey }) => masterKey.name === "external")
        .sort((one, other) => one.number - other.number)
        .map(({ ownership, ...spec }) => ({ ...spec, revision: ownership?.revision }));
    };
    const [first, second] = await specs();
    const again =
      'claviger import claviger-system/external --material material.bin --kubeconfig "$KUBECONFIG"';
    const validTo = `${new Date(Date.now() + 300 * 86_400_000).toISOString().slice(0, 19)}Z`;
    await shell(`${again} --expires ${validTo}`);
    expect(second?.revision).toBe(1);
    expect(await specs()).toEqual([first, { ...second, validTo, revision: 2 }]);
    for (const node of cluster.nodes) {
      await eventually(`${node.name} has the end in its keyring`, async () =>
        validTosOf(node).includes(Date.parse(validTo)),
      );
    }
    await eventually("the condition knows the end", async () => {
      const expiring = conditionOf((await get()).status?.conditions, "MaterialExpiring");
      expect(expiring).toMatchObject({ status: "False", reason: "NotSoon" });
      return true;
    });
    await shell(again);
    expect(await specs()).toEqual([first, { ...second, revision: 3 }]);
  });

  it("leaves the material nowhere: not in etcd, in no log and in no file of the nodes", async () => {
    expect(materials).toHaveLength(2);
    const forms = materials.flatMap(encodings);
    const isIn = (bytes: Buffer) => forms.some((form) => bytes.includes(form));
    const everything = await cluster.plane.etcd.get("");
    expect(everything.filter(({ value }) => isIn(value)).map(({ key }) => key)).toEqual([]);
    for (const [path, bytes] of await contentsOf(cluster.plane.dir)) expect(isIn(bytes), path).toBe(false);
  });
});
