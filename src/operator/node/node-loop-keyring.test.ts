import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readConfig } from "../../config/config.ts";
import { kmsKeyId } from "../../crypto/ids.ts";
import { generateMaterial } from "../../crypto/key-specs.ts";
import { writeObservations } from "../../keyring/observations.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { keyVersionName, toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import { sealAad } from "../../seal/seal.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { ManifestStore } from "../../store/manifests/manifest-store.ts";
import { keyId, NOW, timeKeeper, versionId } from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { NodeLoop } from "./node-loop.ts";

/** A node's pass for each state of its keyring, over the real store, file and root key. */
let folder: string;
let keyring: KeyringWriter;
let store: ManifestStore;
let seals: SealSource;
let loop: NodeLoop;
const stop = { controller: new AbortController(), ended: Promise.resolve() };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "claviger-node-loop-"));
  mkdirSync(join(folder, "keys"));
  createRootKey(join(folder, "root.key"));
  writeFileSync(
    join(folder, "claviger.yaml"),
    JSON.stringify({
      apiVersion: "config.claviger.dev/v1alpha1",
      kind: "NodeConfig",
      nodeName: "node-1",
      stateDir: "./state",
      seal: { file: { path: "./root.key" } },
      providers: [],
      manifests: "./keys",
    }),
  );
  const config = readConfig(join(folder, "claviger.yaml"));
  keyring = KeyringWriter.open(config.stateDir);
  seals = sealsIn(config.seal.path);
  const log = () => undefined;
  store = new ManifestStore({
    folder: join(folder, "keys"),
    nodeName: "node-1",
    objects: keyring.objects,
    log,
    countAll: async () => undefined,
  });
  loop = new NodeLoop({ config, store, keyring, seals, log, time: timeKeeper() });
  stop.controller = new AbortController();
  stop.ended = store.run(stop.controller.signal, { onChange: () => undefined, onBegin: () => undefined });
  // Only ends a test that hangs.
  await vi.waitFor(() => expect(store.view()).toBeDefined(), { timeout: 60_000 });
});
afterEach(async () => {
  stop.controller.abort();
  await stop.ended;
  keyring.close();
  rmSync(folder, { recursive: true, force: true });
});

async function sealed(n: number): Promise<VersionRow> {
  const row = {
    versionId: versionId(n),
    keyId: keyId(1),
    number: n,
    masterKey: { namespace: "apps", name: "secrets" },
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
  } as const;
  using material = await generateMaterial(row.keySpec);
  return { ...row, sealed: await seals.get().wrap(material, sealAad(row)) };
}
const KEY = { namespace: "apps", name: "secrets" };
const offer = (row: VersionRow, changes: object = {}): Promise<void> => {
  const spec: KeyVersion["spec"] = { ...toKeyVersionSpec(row), ...changes };
  return store.createKeyVersion(keyVersionName(row), spec);
};
const pass = () => loop.reconcile(NOW, stop.controller.signal);
const reported = () => store.view()?.keyServers[0]?.status;
const problem = () => {
  const condition = reported()?.conditions?.find(
    ({ type, status }) => type === "Ready" && status === "False",
  );
  return condition && `${condition.reason}: ${condition.message}`;
};

test("a KeyVersion of a keySpec that this release does not know => not stored, the others are, and it is named", async () => {
  await offer(await sealed(1));
  await offer(await sealed(2), { keySpec: "SM2" });
  await pass();
  expect(keyring.readVersions()).toMatchObject({ versions: [{ number: 1 }], unreadable: [] });
  expect(problem()).toMatch(/^UnknownVersion: .*keySpec SM2, which this release does not know/);
});

test("a row of the keyring that cannot be read => named; it is neither stored again nor handed back, and the others are kept", async () => {
  const rows = [await sealed(1), await sealed(2)];
  for (const row of rows) await offer(row);
  await pass();
  // The first pass proves the owners, and this pass keeps the proofs.
  await pass();
  using db = new DatabaseSync(keyring.path);
  db.prepare("UPDATE versions SET key_usage = 'WRAP_UNWRAP' WHERE version_id = ?").run(versionId(1));
  const seqs = () => db.prepare("SELECT seq FROM versions ORDER BY seq").all();
  const before = seqs();
  await pass();
  expect(problem()).toMatch(/^VersionUnreadable: version bbbbbbbb-.*1 cannot be read: .*column key_usage/);
  expect(reported()?.versions).toBe(1);
  expect(seqs()).toEqual(before);
});

test("the keyring was moved away => the pass fails, and nothing is reported as prepared that no plugin can see", async () => {
  await offer(await sealed(1));
  for (const end of ["", "-wal", "-shm"]) renameSync(`${keyring.path}${end}`, `${keyring.path}.away${end}`);
  await expect(pass()).rejects.toMatchObject({ code: "KeyringUnavailable" });
  for (const end of ["", "-wal", "-shm"]) renameSync(`${keyring.path}.away${end}`, `${keyring.path}${end}`);
  await pass();
  expect(reported()?.versions).toBe(1);
});

test("a key's row cannot be read => it is named and left as it is, and the versions are had", async () => {
  for (const row of [await sealed(1), await sealed(2)]) await offer(row);
  await pass();
  keyring.apply([{ kind: "putKey", key: { ...KEY, keyId: keyId(1), enabled: true } }]);
  using db = new DatabaseSync(keyring.path);
  db.exec("UPDATE keys SET current_number = 9223372036854775807, former_key_ids = 'x'");
  await pass();
  expect(problem()).toMatch(/^RowUnreadable: the keyring's row of MasterKey apps\/secrets cannot be read/);
  expect(db.prepare("SELECT former_key_ids FROM keys").all()).toEqual([{ former_key_ids: "x" }]);
  expect(reported()?.versions).toBe(2);
});

test("a plugin serves imported material through an alias => the keyring has it on record, once, for a plugin that starts after a power cut", async () => {
  const imported: VersionRow = { ...(await sealed(1)), origin: "EXTERNAL" };
  const own = { ...(await sealed(2)), keyId: keyId(2), masterKey: { ...KEY, name: "own" } };
  keyring.apply([
    { kind: "putVersion", version: imported },
    { kind: "putVersion", version: own },
  ]);
  const observation = { servingSince: 1, encrypts: 0, settled: false };
  const alias = (name: string) => ({ alias: { namespace: "apps", name } });
  await writeObservations(keyring.path, [
    { ...observation, provider: "a", kmsKeyId: kmsKeyId(imported.keyId, imported.versionId) },
    { ...observation, provider: "b", kmsKeyId: kmsKeyId(own.keyId, own.versionId) },
  ]);
  const providers = [
    { name: "a", socket: "/a.sock", ref: alias("main"), allowImported: true },
    { name: "b", socket: "/b.sock", ref: alias("other") },
  ];
  const config = { nodeName: "node-1", providers };
  const node = new NodeLoop({ config, store, keyring, seals, log: () => undefined, time: timeKeeper() });
  for (let pass = 0; pass < 2; pass++) await node.reconcile(NOW, stop.controller.signal);
  expect(keyring.all("SELECT * FROM served_imports")).toEqual([
    { namespace: "apps", alias: "main", master_key: "secrets" },
  ]);
});
