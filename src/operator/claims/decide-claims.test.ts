import { expect, test } from "vitest";
import {
  currentVersion,
  keyId,
  keyRow,
  keyVersion,
  masterKey,
  NOW,
  statusWith,
  versionId,
  versionRow,
} from "../../testing/objects.ts";
import { assembleStatus } from "../master-key/assemble-status.ts";
import { checkClaims, foreignPart } from "./decide-claims.ts";
import { OwnRecord } from "./own-record.ts";

const v1 = keyVersion(1);
const v2 = keyVersion(2);
const others = { masterKey: { namespace: "tenant", name: "stolen" }, keyId: keyId(2) };
const foreign = keyVersion(7, { spec: others });
const record = new OwnRecord([versionRow(1), versionRow(2), versionRow(7, { spec: others })], []);
const row = keyRow(2);

const facts = { record, row, versions: [v1, v2] };
const currentOf = (status: ReturnType<typeof statusWith>, versions = facts.versions) =>
  checkClaims(masterKey({ status }), { ...facts, versions }).masterKey.status?.currentVersion;

test("a status that the keyring bears out => stays as it is", () => {
  const key = masterKey({ status: statusWith(v2) });
  expect(checkClaims(key, facts)).toEqual({ masterKey: key });
  const fresh = masterKey();
  expect(checkClaims(fresh, { ...facts, row: undefined })).toEqual({ masterKey: fresh });
});

test("the keyId of another MasterKey => said, and none of its versions is current here", () => {
  const { masterKey: checked, foreign: said } = checkClaims(
    masterKey({ status: statusWith(foreign) }),
    facts,
  );
  expect(said).toContain("is the key of another MasterKey");
  expect(checked.status?.currentVersion).toBeUndefined();
});

test("a current version of another MasterKey => the keyring's own takes its place", () => {
  const status = { ...statusWith(foreign), keyId: keyId(1) };
  expect(currentOf(status)).toMatchObject({ number: 2, versionId: versionId(2) });
  const without = checkClaims(masterKey({ status }), { ...facts, row: keyRow() });
  expect(without.masterKey.status?.currentVersion).toBeUndefined();
});

test.each([
  ["number", { number: 9_007_199_254_740_992 }],
  ["key_id", { kmsKeyId: "ffffffffffffffffffffffffffffffff" }],
])("another %s of the current version => put right", (_, change) => {
  const status = { ...statusWith(v2), currentVersion: { ...currentVersion(v2), ...change } };
  expect(currentOf(status)).toEqual(currentVersion(v2));
});

test("a version that nobody has => the keyring's own takes its place, unless its KeyVersion is there or the keyring has none", () => {
  const claimed = (number: number) => ({ ...currentVersion(v2), versionId: versionId(50), number });
  for (const number of [2, 3, 1_000_000_000]) {
    const status = { ...statusWith(v2), currentVersion: claimed(number) };
    expect(currentOf(status)).toMatchObject({ number: 2, versionId: versionId(2) });
    const onItsWay = keyVersion(number, { spec: { versionId: versionId(50) } });
    expect(currentOf(status, [v1, v2, onItsWay])).toEqual(claimed(number));
    const empty = checkClaims(masterKey({ status }), { ...facts, row: keyRow() });
    expect(empty.masterKey.status?.currentVersion).toEqual(claimed(number));
  }
});

test("an earlier version of the key => stays: promotion moves on from there, as after a restore", () => {
  expect(currentOf(statusWith(v1))).toEqual(currentVersion(v1));
});

test("Destroyed, and nothing of the key was destroyed => is not believed; if something was, it is", () => {
  const status = { keyId: keyId(1), keyState: "Destroyed" } as const;
  const key = masterKey({ status });
  expect(checkClaims(key, facts).masterKey.status).toEqual({ keyId: keyId(1) });
  const { sealed: _, ...identity } = versionRow(1);
  const gone = { ...facts, record: new OwnRecord([], [identity]) };
  expect(checkClaims(key, gone)).toEqual({ masterKey: key });
});

test("the status of a MasterKey with another one's keyId => says why, and that nobody uses it", () => {
  const key = masterKey({ status: { ...statusWith(foreign), keyState: "Enabled" } });
  const status = assembleStatus(key, [foreignPart(key, "because")], NOW);
  expect(status).toMatchObject({ keyId: keyId(2), keyState: "Creating" });
  expect(status.currentVersion).toBeUndefined();
  expect(status.conditions?.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`)).toEqual([
    "Distributed False KeyIdForeign",
    "InUse False NotInUse",
    "Ready False KeyIdForeign",
  ]);
});
