import {
  closeSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newVersionId } from "../../crypto/ids.ts";
import { generateMaterial } from "../../crypto/key-specs.ts";
import { ClavigerError } from "../../errors.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { Log } from "../../log.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { Binding } from "../../resources/key-version-rows.ts";
import { keyVersionName, toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { proveOwnership } from "../../seal/ownership.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import { sealAad } from "../../seal/seal.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type {
  ClusterNodes,
  Leadership,
  OwnReport,
  Resources as Store,
  VersionWrites,
} from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import {
  condition,
  keyId,
  keyServer,
  keyVersion,
  masterKey,
  NOW,
  timeKeeper,
} from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { canMount, Tmpfs } from "../../testing/tmpfs.ts";
import { NodeLoop, type NodeTime } from "./node-loop.ts";

let root = "";
let keyring: KeyringWriter;
let seals: SealSource;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "claviger-node-"));
  createRootKey(join(root, "root.key"));
  seals = sealsIn(join(root, "root.key"));
  keyring = KeyringWriter.open(join(root, "state"));
});
afterEach(() => {
  keyring.close();
  rmSync(root, { recursive: true, force: true });
});

/** The resources of an API server, as far as a node's pass reads and writes them. */
class Resources implements Store, VersionWrites, Leadership, ClusterNodes, OwnReport {
  keyVersions: KeyVersion[] = [];
  uid: string | undefined;
  nameIsShared = false;
  leading = false;
  report: KeyServerStatus | undefined;
  reports = 0;
  readonly masterKeys = [masterKey({ status: { keyId: keyId(1) } })];

  view(): View {
    return {
      masterKeys: this.masterKeys,
      keyVersions: this.keyVersions,
      keyAliases: [],
      keyServers: this.report === undefined ? [] : [keyServer("node-1", this.report)],
      keyVersionsUpTo: "1",
      heardOf: new Map(),
    };
  }

  async nodeUid(): Promise<string | undefined> {
    return this.uid;
  }

  async createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void> {
    const made = keyVersion(spec.number, { spec, metadata: { name, creationTimestamp: LATER } });
    this.keyVersions = [...this.keyVersions, made];
  }

  async replaceSeal({ metadata }: KeyVersion, seal: NonNullable<KeyVersion["spec"]["seal"]>): Promise<void> {
    this.keyVersions = this.keyVersions.map((version) =>
      version.metadata.name === metadata.name ? { ...version, spec: { ...version.spec, seal } } : version,
    );
  }

  async setBinding({ metadata }: KeyVersion, { validTo, ownership }: Binding): Promise<void> {
    const binding = { ...(validTo && { validTo }), ...(ownership && { ownership }) };
    this.keyVersions = this.keyVersions.map((version) => {
      const { validTo: _, ownership: __, ...spec } = version.spec;
      return version.metadata.name === metadata.name
        ? { ...version, spec: { ...spec, ...binding } }
        : version;
    });
  }

  async destroyVersion(): Promise<void> {
    throw new Error("nothing is destroyed here");
  }

  async reportKeyServer(_: string, status: KeyServerStatus): Promise<void> {
    this.report = status;
    this.reports += 1;
  }
}

const LATER = "2026-01-01T00:00:09Z";

function nodeOf(
  resources: Resources,
  log: Log = () => undefined,
  time: NodeTime = timeKeeper(),
  uptime = () => performance.now(),
): () => Promise<boolean> {
  const config = { nodeName: "node-1", providers: [] };
  const loop = new NodeLoop({ config, store: resources, keyring, seals, log, time, uptime });
  return () => loop.reconcile(NOW, new AbortController().signal);
}

/** Returns a version sealed under this node's root key. */
async function sealedVersion(number: number): Promise<VersionRow> {
  const identity = {
    versionId: newVersionId(),
    keyId: keyId(1),
    number,
    masterKey: { namespace: "apps", name: "secrets" },
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
  } as const;
  using material = await generateMaterial("SYMMETRIC_DEFAULT");
  return { ...identity, sealed: await seals.get().wrap(material, sealAad(identity)) };
}

const object = (row: VersionRow, name: string, spec: Partial<KeyVersion["spec"]> = {}): KeyVersion =>
  keyVersion(row.number, { spec: { ...toKeyVersionSpec(row), ...spec }, metadata: { name } });
const heldSpecs = () => keyring.versions().map(toKeyVersionSpec);
const readiness = ({ report }: Resources) => conditionOf(report?.conditions, "Ready");

describe("several KeyVersions with one versionId", () => {
  const forgeries: readonly (readonly [string, (row: VersionRow) => KeyVersion])[] = [
    ["a later number", (row) => object(row, "z-forged", { number: 2 })],
    ["a later number and a name that comes first", (row) => object(row, "a-forged", { number: 2 })],
    ["another keyId", (row) => object(row, "z-forged", { keyId: keyId(2) })],
    [
      "bytes that do not open",
      (row) => object(row, "z-forged", { seal: { provider: "file", rootKeyId: "r", sealed: "AAAA" } }),
    ],
  ];

  test.each(forgeries)(
    "one is a copy with %s => the one that opens is stored and prepared, the other is told of",
    async (_, forge) => {
      const resources = new Resources();
      const genuine = await sealedVersion(1);
      resources.keyVersions = [object(genuine, "k-genuine"), forge(genuine)];
      expect(await nodeOf(resources)()).toBe(false);
      expect(heldSpecs()).toEqual([toKeyVersionSpec(genuine)]);
      expect(resources.report?.prepared).toEqual([{ name: "k-genuine", versionId: genuine.versionId }]);
      expect(readiness(resources)).toMatchObject({
        status: "False",
        message: expect.stringMatching(/[az]-forged/),
      });
    },
  );

  test.each(forgeries.slice(0, 3))(
    "only a copy with %s is there => the node stores nothing and reports nothing as prepared",
    async (_, forge) => {
      const resources = new Resources();
      resources.keyVersions = [forge(await sealedVersion(1))];
      expect(await nodeOf(resources)()).toBe(false);
      expect(keyring.versions()).toEqual([]);
      expect(resources.report?.prepared).toEqual([]);
    },
  );

  test("a copy is all that is left of a version that the node holds => the genuine one is handed back", async () => {
    const resources = new Resources();
    const genuine = await sealedVersion(1);
    keyring.apply([{ kind: "putVersion", version: genuine }]);
    resources.keyVersions = [object(genuine, `${genuine.keyId}-1`, { number: 2 })];
    const pass = nodeOf(resources);
    await pass();
    await pass();
    expect(resources.keyVersions.map(({ metadata, spec }) => [metadata.name, spec.number])).toEqual([
      [`${genuine.keyId}-1`, 2],
      [`${genuine.keyId}-1-${genuine.versionId.slice(0, 8)}`, 1],
    ]);
  });

  test("a copy whose seal does not open => gets the node's own seal, and the genuine one keeps its", async () => {
    const resources = new Resources();
    const genuine = await sealedVersion(1);
    const seal = { ...toKeyVersionSpec(genuine).seal, sealed: "AAAA" };
    resources.keyVersions = [object(genuine, "genuine"), object(genuine, "copy", { seal })];
    const pass = nodeOf(resources);
    await pass();
    expect(await pass()).toBe(true);
    expect(resources.keyVersions.map(({ spec }) => spec)).toEqual(Array(2).fill(toKeyVersionSpec(genuine)));
  });

  test("two seals that both open => the node keeps the one that it has", async () => {
    const resources = new Resources();
    const genuine = await sealedVersion(1);
    using material = await seals.unseal(genuine, genuine.sealed);
    const resealed = { ...genuine, sealed: await seals.get().wrap(material, sealAad(genuine)) };
    resources.keyVersions = [object(genuine, "a"), object(resealed, "b")];
    const pass = nodeOf(resources);
    await pass();
    await pass();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(genuine)]);
    resources.keyVersions = [object(resealed, "a"), object(resealed, "b")];
    await pass();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(resealed)]);
  });
});

describe("a seal that was altered and cannot be put right", () => {
  test.each([
    [
      "the API server refuses it",
      new KubeError(403, "may not patch keyversions"),
      /: may not patch keyversions$/,
    ],
    ["another node was faster", new KubeError(409, "it has changed"), /^(?!.*it has changed)/],
  ])("%s => the node reports what it has all the same", async (_, refusal, message) => {
    const resources = new Resources();
    const [mine, next] = [await sealedVersion(1), await sealedVersion(2)];
    keyring.apply([{ kind: "putVersion", version: mine }]);
    const seal = { ...toKeyVersionSpec(mine).seal, sealed: "AAAA" };
    resources.keyVersions = [object(mine, "altered", { seal }), object(next, "next")];
    const tried: string[] = [];
    resources.replaceSeal = async ({ metadata }) => {
      tried.push(metadata.name);
      throw refusal;
    };
    expect(await nodeOf(resources)()).toBe(false);
    expect(tried).toEqual(["altered"]);
    expect(resources.report?.prepared).toEqual([{ name: "next", versionId: next.versionId }]);
    expect(readiness(resources)).toMatchObject({
      status: "False",
      reason: "SealAltered",
      message: expect.stringMatching(message),
    });
  });
});

describe("a report", () => {
  test("nothing has changed => none, but a first one of each process: nobody knows what the one before had", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    await pass();
    await pass();
    const { reports, report } = resources;
    await pass();
    expect(resources.reports).toBe(reports);
    await nodeOf(resources)();
    expect(resources).toMatchObject({ reports: reports + 1, report });
  });

  test("the leader has said that the node is silent => it says that it is not", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    await pass();
    const conditions = [condition("Ready", { status: "Unknown", reason: "NodeNotHeardOf" })];
    resources.report = { ...resources.report, conditions };
    await pass();
    expect(conditionOf(resources.report?.conditions, "Ready")).toMatchObject({
      status: "True",
      reason: "InStep",
    });
  });
  test("the Node was made again => its new uid", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    resources.uid = "old";
    await pass();
    resources.uid = "new";
    await pass();
    expect(resources.report?.nodeUid).toBe("new");
  });

  test("the node may not read its Node => it reports what it has, the uid of before, and what it lacks", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    resources.uid = "known";
    await pass();
    const version = await sealedVersion(1);
    resources.keyVersions = [object(version, "one")];
    resources.nodeUid = async () => {
      throw new KubeError(403, "GET /api/v1/nodes/node-1: forbidden");
    };
    expect(await pass()).toBe(false);
    expect(resources.report).toMatchObject({
      nodeUid: "known",
      prepared: [{ name: "one", versionId: version.versionId }],
    });
    expect(readiness(resources)).toMatchObject({
      status: "False",
      reason: "NodeUnknown",
      message: "whether there is a Node node-1 is not known: GET /api/v1/nodes/node-1: forbidden",
    });
  });

  test("the API server does not answer => no report, and the next pass tries again", async () => {
    const resources = new Resources();
    const lost = new ClavigerError("ApiServer", "no answer in 30 s");
    resources.nodeUid = async () => {
      throw lost;
    };
    await expect(nodeOf(resources)()).rejects.toBe(lost);
    expect(resources.report).not.toHaveProperty("providers");
  });

  test("somebody deleted the KeyServer before the view has shown it => it is made again all the same", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    await pass();
    const { report } = resources;
    resources.report = undefined;
    await pass();
    expect(resources.report).toEqual(report);
  });

  test("somebody deleted the KeyServer => it is made again, from the beginning", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    await pass();
    await pass();
    const { reports, report } = resources;
    resources.report = undefined;
    await pass();
    expect(resources).toMatchObject({ reports: reports + 2, report });
  });
});

describe("a keyring that cannot be written or read", () => {
  const filler = (bytes: number): VersionRow => ({
    ...row,
    versionId: newVersionId(),
    keyId: keyId(9),
    sealed: { ...row.sealed, blob: new Uint8Array(bytes) },
  });
  let row: VersionRow;

  test.skipIf(!canMount())(
    "its disk is full => what is held is reported, with the reason, until there is room",
    async () => {
      using disk = new Tmpfs("1m");
      keyring.close();
      keyring = KeyringWriter.open(disk.path);
      row = await sealedVersion(1);
      keyring.apply([{ kind: "putVersion", version: row }]);
      const resources = new Resources();
      resources.keyVersions = [object(row, "held")];
      const pass = nodeOf(resources);
      expect(await pass()).toBe(true);
      const fill = (bytes: number) => () => {
        for (;;) keyring.apply([{ kind: "putVersion", version: filler(bytes) }]);
      };
      expect(fill(50_000)).toThrow("full");
      expect(fill(1)).toThrow("full");
      const filled = keyring.versions().length;
      resources.keyVersions.push(object(await sealedVersion(2), "next"));
      expect(await pass()).toBe(false);
      expect(readiness(resources)).toMatchObject({
        status: "False",
        reason: "KeyringUnavailable",
        message: expect.stringMatching(/make room on its disk/),
      });
      expect(resources.report).toMatchObject({ versions: filled, prepared: [] });
      keyring.close();
      keyring = KeyringWriter.open(join(root, "state"));
    },
  );

  test("it is damaged under the operator => nothing is reported as prepared, and the pass fails", async () => {
    row = await sealedVersion(1);
    const resources = new Resources();
    resources.keyVersions = [object(row, "v1")];
    const pass = nodeOf(resources);
    await pass();
    expect(resources.report?.prepared).toHaveLength(1);
    damage(keyring.path);
    await expect(pass()).rejects.toMatchObject({ code: "KeyringCorrupt" });
    expect(resources.report?.prepared).toEqual([]);
    expect(readiness(resources)).toMatchObject({ status: "False", reason: "KeyringCorrupt" });
  });
});

/** Overwrites all but the first page, and makes open connections read again. */
function damage(path: string): void {
  using other = new DatabaseSync(path);
  other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(statSync(path).size - 4096, 0xff), 0, undefined, 4096);
  closeSync(file);
  const version = other.prepare("PRAGMA user_version").get()?.user_version;
  other.exec(`PRAGMA user_version = ${version}`);
}

describe("another operator that runs under this node's name", () => {
  test("it is there => the node is not Ready, says so once, and does not answer the other's reports", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    await pass();
    resources.nameIsShared = true;
    expect(await pass()).toBe(false);
    const said = {
      status: "False",
      reason: "NodeNameShared",
      message: "two operators run as node node-1: give one of them a nodeName of its own and restart it",
    };
    expect(readiness(resources)).toMatchObject(said);
    const { reports, report } = resources;
    // The other operator's versions are another matter.
    resources.report = { ...report, versions: 7 };
    resources.keyVersions = [object(await sealedVersion(1), "one")];
    expect(await pass()).toBe(false);
    expect(resources.reports).toBe(reports);
    expect(heldSpecs()).toHaveLength(1);
  });
  test("it is gone => the node reports what it has", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    resources.nameIsShared = true;
    await pass();
    await pass();
    resources.nameIsShared = false;
    expect(await pass()).toBe(true);
    expect(readiness(resources)).toMatchObject({ status: "True" });
  });
});

describe("the root key file of an operator that runs", () => {
  test("it vanishes => the node is not Ready, has nothing prepared, and reports the root key that it goes on with", async () => {
    const resources = new Resources();
    resources.keyVersions = [object(await sealedVersion(1), "one")];
    const pass = nodeOf(resources);
    expect(await pass()).toBe(true);
    expect(resources.report?.prepared).toHaveLength(1);
    const file = join(root, "root.key");
    renameSync(file, `${file}.away`);
    expect(await pass()).toBe(false);
    expect(readiness(resources)).toMatchObject({
      status: "False",
      reason: "SealUnavailable",
      message: `root key ${file} does not exist; restore it from your backup (without it nothing sealed under it can ever be opened)`,
    });
    expect(resources.report?.prepared).toEqual([]);
    expect(resources.report?.seal).toEqual({ provider: "file", rootKeyId: seals.get().rootKeyId });
    renameSync(`${file}.away`, file);
    expect(await pass()).toBe(true);
    expect(resources.report?.prepared).toHaveLength(1);
    expect(readiness(resources)).toMatchObject({ status: "True" });
  });

  test("the wrong one is replaced before there is any version => the right one is reported", async () => {
    const resources = new Resources();
    const pass = nodeOf(resources);
    await pass();
    const before = resources.report?.seal?.rootKeyId;
    rmSync(join(root, "root.key"));
    createRootKey(join(root, "root.key"));
    expect(await pass()).toBe(true);
    expect(resources.report?.seal?.rootKeyId).not.toBe(before);
  });
});

test("a file is edited, and passes fail before they look at it => it is told of once, or they would have no pause", async () => {
  const encryptionConfig = join(root, "encryption.yaml");
  const config = { nodeName: "node-1", providers: [], encryptionConfig };
  class Refusing extends Resources {
    override reportKeyServer(): Promise<void> {
      return Promise.reject(new KubeError(403, "forbidden"));
    }
  }
  const loop = new NodeLoop({
    config,
    store: new Refusing(),
    keyring,
    seals,
    log: () => undefined,
    time: timeKeeper(),
  });
  const pass = () => loop.reconcile(NOW, new AbortController().signal);
  for (const file of [encryptionConfig, join(root, "root.key")]) {
    rmSync(file, { force: true });
    writeFileSync(file, "another");
    await expect(pass()).rejects.toThrow("forbidden");
    expect(loop.filesChanged()).toBe(true);
    await expect(pass()).rejects.toThrow("forbidden");
    expect(loop.filesChanged()).toBe(false);
  }
});

test("what is wrong with the node is in its log once, and that it is mended", async () => {
  const lines: string[] = [];
  const pass = nodeOf(new Resources(), (level, message, fields) =>
    lines.push(`${level} ${message} ${fields?.reason}`),
  );
  await pass();
  expect(lines).toEqual([]);
  const file = join(root, "root.key");
  renameSync(file, `${file}.away`);
  await pass();
  await pass();
  renameSync(`${file}.away`, file);
  await pass();
  expect(lines).toEqual([
    expect.stringMatching(/^warn KeyServer node-1: root key .* does not exist; .* SealUnavailable$/),
    expect.stringMatching(/^info KeyServer node-1: all 0 versions are stored; .* InStep$/),
  ]);
});

describe("what a version's seal does not bind", () => {
  const FOREVER = { origin: "EXTERNAL", materialId: "ab".repeat(32) } as const;
  const VALID_TO = "2027-01-02T03:04:05Z";
  const imported = async (): Promise<VersionRow> => ({
    ...(await sealedVersion(1)),
    ...FOREVER,
    validTo: Date.parse(VALID_TO),
  });
  const proven = async (row: VersionRow, revision: number): Promise<VersionRow> => ({
    ...row,
    ownership: await proveOwnership(seals, row, revision),
  });
  const stored = (resources: Resources) => resources.keyVersions[0]?.spec;

  test("a version of an older release => the leader proves its owner, once, and no other node does", async () => {
    const row = await sealedVersion(1);
    const resources = new Resources();
    resources.keyVersions = [object(row, keyVersionName(row))];
    const pass = nodeOf(resources);
    await pass();
    await pass();
    expect(stored(resources)?.ownership).toBeUndefined();
    resources.leading = true;
    await pass();
    const given = stored(resources)?.ownership;
    expect(given).toMatchObject({ revision: 1, rootKeyId: seals.get().rootKeyId });
    await pass();
    await pass();
    expect(stored(resources)?.ownership).toEqual(given);
    expect(heldSpecs()).toEqual([stored(resources)]);
  });

  test("an API server that drops the proof => said, and not tried without end", async () => {
    const row = await sealedVersion(1);
    const resources = new Resources();
    resources.keyVersions = [object(row, keyVersionName(row))];
    resources.leading = true;
    let writes = 0;
    resources.setBinding = async () => {
      writes += 1;
    };
    const pass = nodeOf(resources);
    for (let n = 0; n < 4; n++) await pass();
    expect(writes).toBe(1);
    expect(readiness(resources)).toMatchObject({ status: "False", reason: "CRDOutdated" });
  });

  test.each<[string, { readonly validTo?: string; readonly ownership?: object }]>([
    ["an earlier validTo", { validTo: "2001-01-01T00:00:00Z" }],
    ["a later validTo", { validTo: "2036-01-01T00:00:00Z" }],
    ["a forged proof of a later revision", { ownership: { sealed: "cHJvb2Y=", revision: 9 } }],
  ])("%s that somebody wrote => is not believed, is put back, and said", async (_, change) => {
    const row = await proven(await imported(), 2);
    const resources = new Resources();
    const genuine = object(row, keyVersionName(row));
    resources.keyVersions = [genuine];
    const pass = nodeOf(resources);
    await pass();
    const { ownership } = toKeyVersionSpec(row);
    const spec = { ...genuine.spec, ...change, ownership: { ...ownership, ...change.ownership } };
    resources.keyVersions = [{ ...genuine, spec: spec as KeyVersion["spec"] }];
    await pass();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(row)]);
    expect(stored(resources)).toEqual(toKeyVersionSpec(row));
    expect(readiness(resources)).toMatchObject({ status: "False", reason: "BindingAltered" });
    await pass();
    expect(readiness(resources)).toMatchObject({ status: "True" });
  });

  test("an older proof and its validTo, put back from a copy => are not believed", async () => {
    const first = await proven(await imported(), 1);
    const second = await proven({ ...first, validTo: Date.parse("2028-01-02T03:04:05Z") }, 2);
    const resources = new Resources();
    resources.keyVersions = [object(first, keyVersionName(first))];
    const pass = nodeOf(resources);
    await pass();
    resources.keyVersions = [object(second, keyVersionName(second))];
    await pass();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(second)]);
    resources.keyVersions = [object(first, keyVersionName(first))];
    await pass();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(second)]);
    expect(stored(resources)).toEqual(toKeyVersionSpec(second));
  });

  test("a validTo that an older release moved without the proof => the leader proves it anew, after the former proof", async () => {
    const first = await proven(await imported(), 4);
    const resources = new Resources();
    resources.keyVersions = [object(first, keyVersionName(first))];
    const pass = nodeOf(resources);
    await pass();
    const moved = { ...first, validTo: Date.parse("2028-01-02T03:04:05Z") };
    keyring.apply([{ kind: "putVersion", version: moved }]);
    resources.keyVersions = [object(moved, keyVersionName(moved))];
    resources.leading = true;
    await pass();
    await pass();
    expect(stored(resources)).toMatchObject({ validTo: "2028-01-02T03:04:05Z", ownership: { revision: 5 } });
    expect(heldSpecs()).toEqual([stored(resources)]);
    expect(readiness(resources)).toMatchObject({ status: "True" });
  });

  test("a forged proof of the highest revision, there before the node's first pass => the genuine one takes its place", async () => {
    const row = await proven(await imported(), 1);
    const resources = new Resources();
    const genuine = object(row, keyVersionName(row));
    const ownership = { ...toKeyVersionSpec(row).ownership, revision: 1_000_000_000 };
    resources.keyVersions = [{ ...genuine, spec: { ...genuine.spec, ownership } as KeyVersion["spec"] }];
    const pass = nodeOf(resources);
    await pass();
    expect(keyring.versions()[0]?.ownership).toBeUndefined();
    resources.keyVersions = [genuine];
    await pass();
    await pass();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(row)]);
    expect(readiness(resources)).toMatchObject({ status: "True" });
  });

  test("a clock that may be wrong => a candidate expires by the time that has continued since it was right", async () => {
    // One version for both: if two have the same number, the candidate is the one with the later id.
    const row = await proven({ ...(await imported()), validTo: NOW.getTime() - 60_000 }, 1);
    const preparedAt = async (at: Date) => {
      const resources = new Resources();
      resources.masterKeys[0] = masterKey({ spec: { origin: "EXTERNAL" }, status: { keyId: keyId(1) } });
      resources.keyVersions = [object(row, keyVersionName(row))];
      const doubt = { at, obstacle: { reason: "ClocksDisagree", message: "by 40 days" } };
      await nodeOf(resources, undefined, { ...timeKeeper(), doubt })();
      return resources.report?.prepared?.filter(({ versionId }) => versionId === row.versionId).length;
    };
    expect(await preparedAt(NOW)).toBe(0);
    expect(await preparedAt(new Date(NOW.getTime() - 3_600_000))).toBe(1);
  });

  test("a copy under another owner with the genuine proof => a new node stores the genuine one", async () => {
    const row = await proven(await sealedVersion(1), 1);
    const resources = new Resources();
    const copy = object(row, "a-copy", { masterKey: { namespace: "tenant", name: "stolen" } });
    resources.keyVersions = [copy, object(row, keyVersionName(row))];
    await nodeOf(resources)();
    expect(heldSpecs()).toEqual([toKeyVersionSpec(row)]);
  });
});

describe("an object that no node can read", () => {
  const hostile: readonly (readonly [string, Partial<KeyVersion["spec"]>])[] = [
    ["a number past what is exact", { number: 2 ** 53 }],
    ["a number past the highest", { number: 1_000_000_001 }],
    ["half a number", { number: 1.5 }],
    ["an id that is none", { versionId: "x" }],
    ["a keyId that is none", { keyId: "../../x" }],
    ["a validTo that is no time", { validTo: "2026-01-02T03:04:05x5Z" }],
  ];
  test.each(hostile)(
    "a KeyVersion has %s => it is named, and the others are stored and reported",
    async (_, spec) => {
      const resources = new Resources();
      const good = await sealedVersion(1);
      resources.keyVersions = [object(await sealedVersion(2), "hostile", spec), object(good, "good")];
      const pass = nodeOf(resources);
      await pass();
      await pass();
      expect(keyring.readVersions()).toMatchObject({
        versions: [{ versionId: good.versionId }],
        unreadable: [],
      });
      expect(resources.report?.prepared).toEqual([{ name: "good", versionId: good.versionId }]);
      expect(readiness(resources)).toMatchObject({
        status: "False",
        reason: "ObjectUnreadable",
        message: expect.stringContaining("KeyVersion hostile"),
      });
    },
  );

  test("a MasterKey's keyId is none => it is named, and another one is disabled all the same", async () => {
    const resources = new Resources();
    resources.masterKeys.unshift(masterKey({ metadata: { name: "hostile" }, status: { keyId: "x" } }));
    resources.masterKeys.push(
      masterKey({ metadata: { name: "other" }, spec: { enabled: false }, status: { keyId: keyId(2) } }),
    );
    await nodeOf(resources)();
    expect(keyring.keys().find(({ name }) => name === "other")).toMatchObject({ enabled: false });
    expect(readiness(resources)?.message).toContain("MasterKey apps/hostile");
  });
});

test("a pass fails by something that nobody thought of => KeyServer says so, and Ready again after a pass that does not", async () => {
  const resources = new Resources();
  const pass = nodeOf(resources);
  await pass();
  expect(readiness(resources)?.status).toBe("True");
  let fails = true;
  Object.defineProperty(resources, "nameIsShared", {
    get() {
      if (fails) throw new RangeError("Invalid time value");
      return false;
    },
  });
  await expect(pass()).rejects.toThrow("Invalid time value");
  expect(readiness(resources)).toMatchObject({
    status: "False",
    reason: "PassFailed",
    message: expect.stringContaining("Invalid time value"),
  });
  fails = false;
  await pass();
  expect(readiness(resources)?.status).toBe("True");
});

test.each([
  ["no call is answered", new ClavigerError("ApiServer", "no answer in 30 s")],
  ["somebody else is always faster", new ClavigerError("Conflict", "it has changed")],
])("%s for a minute => the last report does not stand for the present", async (_, failure) => {
  const resources = new Resources();
  let uptime = 0;
  const pass = nodeOf(
    resources,
    () => undefined,
    timeKeeper(),
    () => uptime,
  );
  await pass();
  let fails = true;
  Object.defineProperty(resources, "nameIsShared", {
    get() {
      if (fails) throw failure;
      return false;
    },
  });
  uptime = 3_600_000;
  await expect(pass()).rejects.toBe(failure);
  uptime += 59_999;
  await expect(pass()).rejects.toBe(failure);
  expect(readiness(resources)?.status).toBe("True");
  uptime += 1;
  await expect(pass()).rejects.toBe(failure);
  expect(readiness(resources)).toMatchObject({ status: "False", reason: "PassFailed" });
  fails = false;
  await pass();
  expect(readiness(resources)?.status).toBe("True");
});
