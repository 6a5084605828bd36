import { expect, test } from "vitest";
import { toVersionRow } from "../../resources/key-version-rows.ts";
import {
  EARLIER,
  keyId,
  keyVersion,
  masterKey,
  statusWith,
  tombstone,
  versionId,
  versionRow,
} from "../../testing/objects.ts";
import { OwnRecord } from "./own-record.ts";

const record = new OwnRecord([versionRow(1)], []);

test.each([
  ["as it is on record => own", {}, "own"],
  ["under another owner => foreign", { masterKey: { namespace: "tenant", name: "stolen" } }, "foreign"],
  ["under another keyId => foreign", { keyId: keyId(2) }, "foreign"],
  ["under another number => foreign", { number: 2 }, "foreign"],
  ["that is not on record => unknown", { versionId: versionId(9) }, "unknown"],
] as const)("a KeyVersion %s", (_, spec, verdict) => {
  expect(record.verdict(keyVersion(1, { spec }))).toBe(verdict);
});

test("a tombstone of a version that is on record with its material => foreign; of a destroyed one => own", () => {
  expect(record.verdict(tombstone(1))).toBe("foreign");
  const { sealed: _, ...identity } = versionRow(1);
  expect(new OwnRecord([], [identity]).verdict(tombstone(1))).toBe("own");
});

test("a validTo that somebody wrote is not the recorded one, and a recorded one is there", () => {
  const external = { origin: "EXTERNAL", materialId: "ab".repeat(32) } as const;
  const recorded = keyVersion(1, { spec: { ...external, validTo: "2027-01-01T00:00:00Z" } });
  const own = new OwnRecord([toVersionRow(recorded)], []);
  for (const validTo of ["2001-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]) {
    const altered = keyVersion(1, { spec: { ...external, validTo } });
    expect(own.asRecorded(altered)).toEqual(recorded);
  }
  const stray = keyVersion(1, { spec: { validTo: "2001-01-01T00:00:00Z" } });
  expect(record.asRecorded(stray)).toEqual(keyVersion(1));
});

test("a keyId is foreign to a name if only other MasterKeys have versions of it", () => {
  expect(record.isForeign(keyId(1), { namespace: "tenant", name: "stolen" })).toBe(true);
  expect(record.isForeign(keyId(1), { namespace: "apps", name: "secrets" })).toBe(false);
  expect(record.isForeign(keyId(5), { namespace: "tenant", name: "stolen" })).toBe(false);
});

test("a MasterKey with the keyId of another one => has no keyId, no version and no deletion for whoever decides on them", () => {
  const deletion = { scheduledAt: EARLIER, deletionDate: EARLIER };
  const thief = masterKey({
    metadata: { namespace: "tenant", name: "stolen" },
    status: { ...statusWith(keyVersion(1)), deletion, observedGeneration: 3 },
  });
  const own = masterKey({ status: { ...statusWith(keyVersion(1)), deletion } });
  expect(record.checked([thief, own])).toEqual([{ ...thief, status: { observedGeneration: 3 } }, own]);
});
