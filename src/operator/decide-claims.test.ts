import { expect, test } from "vitest";
import { checkClaims } from "./decide-claims.ts";
import { OwnRecord } from "./own-record.ts";
import {
  currentVersion,
  keyId,
  keyRow,
  keyVersion,
  masterKey,
  statusWith,
  versionId,
  versionRow,
} from "./testing.ts";

const v1 = keyVersion(1);
const v2 = keyVersion(2);
const others = { masterKey: { namespace: "tenant", name: "stolen" }, keyId: keyId(2) };
const foreign = keyVersion(7, { spec: others });
const record = new OwnRecord([versionRow(1), versionRow(2), versionRow(7, { spec: others })], []);
const row = keyRow(2);

const currentOf = (status: ReturnType<typeof statusWith>) =>
  checkClaims(masterKey({ status }), record, row).masterKey.status?.currentVersion;

test("a status that the keyring bears out => stays as it is", () => {
  const key = masterKey({ status: statusWith(v2) });
  expect(checkClaims(key, record, row)).toEqual({ masterKey: key });
  const fresh = masterKey();
  expect(checkClaims(fresh, record, undefined)).toEqual({ masterKey: fresh });
});

test("the keyId of another MasterKey => said, and none of its versions is current here", () => {
  const { masterKey: checked, foreign: said } = checkClaims(
    masterKey({ status: statusWith(foreign) }),
    record,
    row,
  );
  expect(said).toContain("is the key of another MasterKey");
  expect(checked.status?.currentVersion).toBeUndefined();
});

test("a current version of another MasterKey => the keyring's own takes its place", () => {
  const status = { ...statusWith(foreign), keyId: keyId(1) };
  expect(currentOf(status)).toMatchObject({ number: 2, versionId: versionId(2) });
  const without = checkClaims(masterKey({ status }), record, keyRow());
  expect(without.masterKey.status?.currentVersion).toBeUndefined();
});

test.each([
  ["number", { number: 9_007_199_254_740_992 }],
  ["key_id", { kmsKeyId: "ffffffffffffffffffffffffffffffff" }],
])("another %s of the current version => put right", (_, change) => {
  const status = { ...statusWith(v2), currentVersion: { ...currentVersion(v2), ...change } };
  expect(currentOf(status)).toEqual(currentVersion(v2));
});

test("an unknown version that would come before the keyring's => put right; a later one may be on its way", () => {
  const unknown = (number: number) => ({
    ...statusWith(v2),
    currentVersion: { ...currentVersion(v2), versionId: versionId(50), number },
  });
  expect(currentOf(unknown(2))).toMatchObject({ versionId: versionId(2) });
  expect(currentOf(unknown(3))).toMatchObject({ versionId: versionId(50) });
});

test("an earlier version of the key => stays: promotion moves on from there, as after a restore", () => {
  expect(currentOf(statusWith(v1))).toEqual(currentVersion(v1));
});
