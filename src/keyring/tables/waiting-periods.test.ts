import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keyId, temporaryFolder } from "../../testing/keyring.ts";
import { KeyringReader } from "../reader.ts";
import { schemaVersion } from "../schema.ts";
import { KEYRING_FILE } from "../state-folder.ts";
import { KeyringWriter } from "../writer.ts";
import { type WaitingPeriod, WaitingPeriods } from "./waiting-periods.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const path = () => join(folder.path, KEYRING_FILE);
const period: WaitingPeriod = {
  kind: "deletion",
  subject: keyId(1),
  since: 1_767_323_045_000,
  until: 1_767_927_845_000,
  length: 604_800_000,
  seenAt: 12,
  agreed: true,
  asked: false,
};
const retention: WaitingPeriod = { ...period, kind: "retention", until: 0, agreed: false, asked: true };

test("periods and the time outlive the operator, and the reader has the time", () => {
  const first = KeyringWriter.open(folder.path);
  const periods = new WaitingPeriods(first);
  expect(periods.time()).toEqual({ seen: 0, agreedAt: 0, doubted: false });
  periods.apply([period, retention], []);
  periods.apply([{ ...period, until: period.until + 1 }], [retention]);
  periods.putTime({ seen: 60_000, agreedAt: 1_767_323_045_678, doubted: true });
  first.close();
  const second = KeyringWriter.open(folder.path);
  expect(new WaitingPeriods(second).all()).toEqual([{ ...period, until: period.until + 1 }]);
  const reader = KeyringReader.open(path());
  expect(reader.snapshot().time).toEqual({ seen: 60_000, agreedAt: 1_767_323_045_678, doubted: true });
  reader.close();
  second.close();
});

test("a keyring of a release that did not have them => readable as it is, and they are added without a new schema", () => {
  KeyringWriter.open(folder.path).close();
  const db = new DatabaseSync(path());
  const before = schemaVersion(db, path());
  db.exec("DROP TABLE waiting_periods; DROP TABLE operator_time");
  db.close();
  const reader = KeyringReader.open(path());
  expect(reader.snapshot().time).toBeUndefined();
  reader.close();
  const writer = KeyringWriter.open(folder.path);
  expect(new WaitingPeriods(writer).all()).toEqual([]);
  writer.close();
  const after = new DatabaseSync(path());
  expect(schemaVersion(after, path())).toBe(before);
  after.close();
});

test("a power cut in the middle of several => all or none", () => {
  const writer = KeyringWriter.open(folder.path);
  const periods = new WaitingPeriods(writer);
  const unwritable = { ...retention, since: Number.NaN };
  expect(() => periods.apply([period, unwritable], [])).toThrow();
  expect(periods.all()).toEqual([]);
  writer.close();
});
