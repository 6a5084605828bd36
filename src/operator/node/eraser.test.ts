import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { kmsKeyId } from "../../crypto/ids.ts";
import { generateMaterial } from "../../crypto/key-specs.ts";
import { ClavigerError } from "../../errors.ts";
import { writeObservations } from "../../keyring/observations.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { type Problem, VersionTester } from "../../keys/version-tester.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import { sealAad } from "../../seal/seal.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { proveTombstone } from "../../seal/tombstone.ts";
import type { View } from "../../store/view.ts";
import {
  deletionPeriod,
  EARLIER,
  keyId,
  keyVersion,
  NOW,
  timeKeeper,
  versionId,
  waiting,
} from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { OwnRecord } from "../claims/own-record.ts";
import { toDestroyed } from "./decide-erasure.ts";
import { Eraser } from "./eraser.ts";

/** A node's handling of tombstones, over the real keyring and root key. */
let folder: string;
let keyring: KeyringWriter;
let seals: SealSource;
/** The writes to the API server. */
let written: string[];
/** The API server's reaction to a write. */
let takes: () => void;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-eraser-"));
  createRootKey(join(folder, "root.key"));
  createRootKey(join(folder, "other.key"));
  seals = sealsIn(join(folder, "root.key"));
  keyring = KeyringWriter.open(join(folder, "state"));
  written = [];
  takes = () => undefined;
});
afterEach(() => {
  keyring.close();
  rmSync(folder, { recursive: true, force: true });
});

async function sealed(number: number): Promise<VersionRow> {
  const identity = {
    versionId: versionId(number),
    keyId: keyId(1),
    number,
    masterKey: { namespace: "apps", name: "secrets" },
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
  } as const;
  using material = await generateMaterial(identity.keySpec);
  return { ...identity, sealed: await seals.get().wrap(material, sealAad(identity)) };
}
const object = (row: VersionRow, name = `v${row.number}`): KeyVersion =>
  keyVersion(row.number, { spec: toKeyVersionSpec(row), metadata: { name } });

/** Returns the tombstone of a version, with a proof under this node's root key or another. */
async function gone(row: VersionRow, by = seals, name = `v${row.number}`): Promise<KeyVersion> {
  const text = { ...row, destroyedAt: EARLIER, reason: "it came due" };
  const destroyed = toDestroyed({ ...text, proof: await proveTombstone(by, text) });
  const { seal: _, ...identity } = toKeyVersionSpec(row);
  const { spec: __, ...rest } = keyVersion(row.number, { metadata: { name } });
  return { ...rest, spec: { ...identity, destroyed } };
}

/** Makes one pass. Returns the reasons of its problems and the numbers of the remaining versions. */
async function pass(keyVersions: readonly KeyVersion[], by = seals, known = waiting()) {
  const problems: Problem[] = [];
  const view: View = {
    masterKeys: [],
    keyVersions,
    keyAliases: [],
    keyServers: [],
    keyVersionsUpTo: "1",
    heardOf: new Map(),
  };
  const note = (what: string) => async (version: KeyVersion) => {
    written.push(`${what} ${version.metadata.name}`);
    takes();
  };
  const store = {
    view: () => view,
    createKeyVersion: async (name: string) => {
      written.push(`create ${name}`);
      takes();
    },
    destroyVersion: note("destroy"),
    replaceSeal: note("restore"),
  };
  const config = { providers: [] };
  const apply = (changes: Parameters<KeyringWriter["apply"]>[0]) => keyring.apply(changes);
  const eraser = new Eraser({
    config,
    store,
    apply,
    keyring,
    seals: by,
    tester: new VersionTester(by),
    time: timeKeeper(known),
    log: () => undefined,
  });
  const living = await eraser.pass(view, OwnRecord.of(keyring), problems);
  return {
    problems: problems.map(({ reason }) => reason),
    living: living.map(({ metadata }) => metadata.name),
  };
}
const held = () => keyring.versions().map(({ number }) => number);
const put = (...rows: readonly VersionRow[]) =>
  keyring.apply(rows.map((version) => ({ kind: "putVersion", version })));

test("a proven tombstone => erased, and nothing of it left", async () => {
  const [one, two] = [await sealed(1), await sealed(2)];
  put(one, two);
  expect(await pass([await gone(one), object(two)])).toEqual({ problems: [], living: ["v2"] });
  expect([held(), keyring.tombstones().map(({ erased }) => erased)]).toEqual([[2], [true]]);
});

test("a tombstone of another root key => told, and the material is put back", async () => {
  const one = await sealed(1);
  put(one);
  const forged = await gone(one, sealsIn(join(folder, "other.key")));
  expect(await pass([forged])).toEqual({ problems: ["TombstoneForged"], living: [] });
  expect([held(), written]).toEqual([[1], ["restore v1"]]);
});

test("this node's root key is the wrong one => it puts nothing back that it cannot open", async () => {
  const one = await sealed(1);
  put(one);
  expect((await pass([await gone(one)], sealsIn(join(folder, "other.key")))).problems).toEqual([
    "TombstoneForged",
  ]);
  expect([held(), written]).toEqual([[1], []]);
});

test("a tombstone beside a copy of the version => the copy does not live on", async () => {
  const one = await sealed(1);
  put(one);
  expect(await pass([await gone(one), object(one, "copy")])).toEqual({ problems: [], living: [] });
  await pass([await gone(one), object(one, "copy")]);
  expect([held(), written]).toEqual([[], ["destroy copy"]]);
});

test("a forged tombstone beside the proven one => the proven one is kept", async () => {
  const one = await sealed(1);
  put(one);
  const forged = await gone(one, sealsIn(join(folder, "other.key")), "a-forged");
  const proven = await gone(one);
  await pass([forged, proven]);
  expect(keyring.tombstones().map(({ proof }) => proof.rootKeyId)).toEqual([seals.get().rootKeyId]);
});

test("the plugin answers with it for a provider that this operator's configuration lacks => kept", async () => {
  const one = await sealed(1);
  put(one);
  const answered = {
    kmsKeyId: kmsKeyId(one.keyId, one.versionId),
    servingSince: 0,
    encrypts: 1,
    settled: true,
  };
  await writeObservations(keyring.path, [{ provider: "added", ...answered }]);
  expect((await pass([await gone(one)])).problems).toEqual(["DestroyedVersionServed"]);
  expect(held()).toEqual([1]);
});

test.each([
  ["does not answer", new ClavigerError("ApiServer", "no answer in 30 s"), 1],
  ["refuses one of them", new KubeError(403, "not this one"), 2],
])(
  "the API server %s => each tombstone that it lost is handed back in its turn, or later",
  async (_, failure, calls) => {
    const [one, two] = [await sealed(1), await sealed(2)];
    put(one, two);
    await pass([await gone(one), await gone(two)]);
    takes = () => {
      throw failure;
    };
    expect((await pass([])).problems).toEqual(Array(calls).fill("HandBackFailed"));
    expect(written).toHaveLength(calls);
  },
);

test("a proven tombstone before this node's own record of the waiting period ends => kept, and erased once it has ended", async () => {
  const row = await sealed(1);
  put(row);
  const begun = waiting([deletionPeriod(1, { since: NOW.getTime(), until: 0 })]);
  expect(await pass([await gone(row)], seals, begun)).toEqual({
    problems: ["DestructionNotDue"],
    living: [],
  });
  expect([held(), written]).toEqual([[1], []]);
  const ended = waiting([deletionPeriod(1)]);
  expect((await pass([await gone(row)], seals, ended)).problems).toEqual([]);
  expect(held()).toEqual([]);
});

test("a proven tombstone while clocks disagree => kept", async () => {
  const row = await sealed(1);
  put(row);
  const time = { kind: "disagree", reason: "ClocksDisagree", message: "by 40 days", doubted: false } as const;
  const { problems } = await pass([await gone(row)], seals, waiting([], { time }));
  expect([problems, held()]).toEqual([["ClocksDisagree"], [1]]);
});
