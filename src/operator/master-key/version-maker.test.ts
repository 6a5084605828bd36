import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { ClavigerError } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import { keyId, keyVersion, masterKey } from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { OwnRecord } from "../claims/own-record.ts";
import { ViewIndex } from "../claims/view-index.ts";
import { VersionMaker } from "./version-maker.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-maker-"));
  createRootKey(join(folder, "root.key"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const key = masterKey({ status: { keyId: keyId(1) } });
const step = { kind: "createVersion", keyId: keyId(1), number: 2 };

/** An API server whose watch may stall: `seen` is the content of the view. */
class Server {
  readonly seals = new Set<string>();
  readonly objects = new Set<string>();
  readonly specs: KeyVersion["spec"][] = [];
  reads = 0;
  seen: readonly KeyVersion[] = [];
  refusal: Error | undefined;
  /** RSA keys that are ready, and those that were asked for. */
  ready: Secret | undefined;
  asked = 0;
  readonly maker = new VersionMaker({
    seals: sealsIn(join(folder, "root.key")),
    slow: {
      take: () => {
        const pair = this.ready && { privateKey: this.ready };
        this.ready = undefined;
        if (pair === undefined) this.asked += 1;
        return pair;
      },
    },
    store: {
      createKeyVersion: async (name, spec) => {
        this.seals.add(spec.seal?.sealed ?? "");
        if (this.refusal !== undefined) throw this.refusal;
        if (this.objects.has(name)) throw new ClavigerError("Conflict", "it exists");
        this.objects.add(name);
        this.specs.push(spec);
      },
      isThere: async (_, name) => {
        this.reads += 1;
        return this.objects.has(name);
      },
    },
  });

  make(masterKey = key): Promise<void> {
    const view = {
      masterKeys: [masterKey],
      keyVersions: this.seen,
      keyAliases: [],
      keyServers: [],
      keyVersionsUpTo: "1",
      heardOf: new Map(),
    };
    const index = new ViewIndex(view, new OwnRecord([], []));
    return this.maker.make(masterKey, step, index, new AbortController().signal);
  }
}

test("the watch stands still after a version was created => no pass makes other material for it", async () => {
  const server = new Server();
  await server.make();
  for (let pass = 0; pass < 50; pass += 1)
    await expect(server.make()).rejects.toMatchObject({ code: "Conflict" });
  expect([server.seals.size, server.reads]).toEqual([1, 50]);
});

test("another leader created it => one piece of material is made in vain, however late the watch is", async () => {
  const server = new Server();
  server.objects.add(`${keyId(1)}-2`);
  for (let pass = 0; pass < 10; pass += 1)
    await expect(server.make()).rejects.toMatchObject({ code: "Conflict" });
  expect(server.seals.size).toBe(1);
});

test("the creation was not answered and was not done => it is created", async () => {
  const server = new Server();
  server.refusal = new ClavigerError("ApiServer", "no answer in 30 s");
  await expect(server.make()).rejects.toThrow("no answer");
  server.refusal = undefined;
  await server.make();
  expect(server.objects.size).toBe(1);
});

test("it was created and deleted before the watch showed it => it is created again", async () => {
  const server = new Server();
  await server.make();
  server.objects.clear();
  await server.make();
  expect(server.objects.size).toBe(1);
});

test("the API server refuses it => it is tried as before, and no read is added", async () => {
  const server = new Server();
  server.refusal = new KubeError(403, "forbidden");
  await expect(server.make()).rejects.toBe(server.refusal);
  await expect(server.make()).rejects.toBe(server.refusal);
  expect(server.reads).toBe(0);
});

test("the name is another key's version => no material is made, and the message names the object", async () => {
  const server = new Server();
  server.seen = [keyVersion(2, { spec: { masterKey: { namespace: "tenant", name: "other" } } })];
  await expect(server.make()).rejects.toMatchObject({
    code: "NotReady",
    message: expect.stringContaining(
      `KeyVersion ${keyId(1)}-2 exists and is not a version of MasterKey apps/secrets`,
    ),
  });
  expect(server.seals.size).toBe(0);
});

test("a KeyVersion's spec has the fields of its definition, and nothing else of the decision to create it", async () => {
  const server = new Server();
  await server.make();
  const fields = server.specs.map((spec) => Object.keys(spec).sort());
  expect(fields).toEqual([
    ["keyId", "keySpec", "keyUsage", "masterKey", "number", "origin", "ownership", "seal", "versionId"],
  ]);
});

test("an RSA key takes seconds to generate => nothing is created and the queue goes on, until its material is ready", async () => {
  const server = new Server();
  const rsa = masterKey({
    spec: { keySpec: "RSA_4096", keyUsage: "SIGN_VERIFY" },
    status: { keyId: keyId(1) },
  });
  await server.make(rsa);
  await server.make(rsa);
  expect([server.objects.size, server.asked]).toEqual([0, 2]);
  const material = Secret.random(100);
  server.ready = material;
  await server.make(rsa);
  expect(server.specs).toMatchObject([{ keySpec: "RSA_4096", keyUsage: "SIGN_VERIFY" }]);
  expect(() => material.exposeSecretBytes()).toThrow("a wiped secret was used");
});
