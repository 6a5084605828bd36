import { expect, test } from "vitest";
import { toVersionRow } from "./key-version-rows.ts";
import { OwnRecord } from "./own-record.ts";
import type { View } from "./resource-store.ts";
import { keyVersion, masterKey, versionId } from "./testing.ts";
import { ViewIndex } from "./view-index.ts";

const key = masterKey();
const external = { origin: "EXTERNAL", materialId: "ab".repeat(32) } as const;
const proof = (revision: number) => ({ revision, provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" });
const recorded = keyVersion(1, {
  spec: { ...external, validTo: "2027-01-01T00:00:00Z", ownership: proof(1) },
});

function indexOf(...keyVersions: View["keyVersions"]): ViewIndex {
  const view = { masterKeys: [key], keyVersions, keyAliases: [], keyServers: [] } as unknown as View;
  return new ViewIndex(view, new OwnRecord([toVersionRow(recorded)], []));
}

test("a MasterKey's versions are those that name it, as the keyring has them; copies under its name are not among them", () => {
  const altered = keyVersion(1, { spec: { ...recorded.spec, validTo: "2001-01-01T00:00:00Z" } });
  const copy = keyVersion(9, { spec: { versionId: versionId(1) } });
  const other = keyVersion(3, { spec: { masterKey: { namespace: "tenant", name: "other" } } });
  const index = indexOf(altered, copy, other);
  expect(index.versionsFor(key)).toEqual([recorded]);
  expect(index.unrecordedFor(key)).toEqual(new Set());
  expect(index.checked.keyVersions).toEqual([recorded, other]);
});

test("a version that the keyring does not have is one whose owner is not known yet", () => {
  const unknown = keyVersion(2);
  expect(indexOf(recorded, unknown).unrecordedFor(key)).toEqual(new Set([unknown.metadata.name]));
});

test.each([
  ["as on record => no", {}, false],
  ["with the same validTo, written in another way => no", { validTo: "2027-01-01T01:00:00.5+01:00" }, false],
  ["with another validTo => yes", { validTo: "2028-01-01T00:00:00Z" }, true],
  ["with another proof => yes", { ownership: proof(2) }, true],
])("whether the keyring waits for something: a version %s", (_, change, expected) => {
  const version = keyVersion(1, { spec: { ...recorded.spec, ...change } });
  expect(indexOf(version).isUnsettled(key)).toBe(expected);
});
