import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newKeyId, newVersionId } from "../crypto/ids.ts";
import type { VersionRow } from "./rows.ts";
import { KeyringWriter } from "./writer.ts";

let folder: string;
let keyring: KeyringWriter;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-kept-"));
  keyring = KeyringWriter.open(folder);
});
afterEach(() => {
  keyring.close();
  rmSync(folder, { recursive: true, force: true });
});

const version = (number: number, changes: Partial<VersionRow> = {}): VersionRow => ({
  versionId: newVersionId(),
  keyId: newKeyId(),
  number,
  masterKey: { namespace: "apps", name: `key-${number}` },
  keySpec: "SYMMETRIC_DEFAULT",
  keyUsage: "ENCRYPT_DECRYPT",
  origin: "AWS_KMS",
  sealed: { provider: "file", rootKeyId: "root-1", blob: new Uint8Array([1, number]) },
  ownership: { revision: 1, proof: { provider: "file", rootKeyId: "root-1", blob: new Uint8Array([2]) } },
  ...changes,
});
const put = (...versions: VersionRow[]) =>
  keyring.apply(versions.map((one) => ({ kind: "putVersion", version: one }) as const));
const tombstone = ({ sealed: _, ownership: __, ...identity }: VersionRow) =>
  ({
    kind: "destroyVersion",
    tombstone: {
      ...identity,
      destroyedAt: "2026-01-01T00:00:00Z",
      reason: "due",
      proof: { provider: "file", rootKeyId: "root-1", blob: new Uint8Array([3]) },
    },
  }) as const;
const versionOf = ({ versionId }: VersionRow) =>
  keyring.versions().find((one) => one.versionId === versionId);
const numbers = () => keyring.versions().map(({ number }) => number);

test("nothing changed => the same list, so that whoever made something of it need not make it again", () => {
  put(version(1), version(2));
  const first = keyring.versions();
  keyring.run("INSERT INTO served_imports VALUES (?, ?, ?)", "apps", "main", "secrets");
  expect(keyring.versions()).toBe(first);
});

test("versions are stored, sealed again, and destroyed => each is seen, the others are the same objects", () => {
  const [one, two, three] = [version(1), version(2), version(3)];
  put(one, two);
  const [kept] = keyring.versions();
  put(three);
  expect(numbers()).toEqual([1, 2, 3]);
  expect(keyring.versions()[0]).toBe(kept);
  put({ ...two, sealed: { ...two.sealed, blob: new Uint8Array([9]) } });
  expect(versionOf(two)?.sealed.blob).toEqual(new Uint8Array([9]));
  expect(versionOf(two)?.ownership?.revision).toBe(1);
  keyring.apply([tombstone(one)]);
  expect(numbers()).toEqual([3, 2]);
  expect(versionOf(one)).toBeUndefined();
  expect(keyring.tombstones().map(({ versionId }) => versionId)).toEqual([one.versionId]);
});

test("a transaction fails half way => nothing of it is seen", () => {
  const [one, two] = [version(1), version(2)];
  put(one);
  keyring.apply([tombstone(two)]);
  expect(numbers()).toEqual([1]);
  // A destroyed version cannot be stored again.
  expect(() => put(version(3), two)).toThrow("was destroyed");
  expect(numbers()).toEqual([1]);
});

test("another connection changes the file => it is read again", () => {
  put(version(1), version(2));
  expect(numbers()).toEqual([1, 2]);
  const other = new DatabaseSync(keyring.path);
  other.exec("DELETE FROM versions WHERE number = 1");
  other.close();
  expect(numbers()).toEqual([2]);
});

test("thousands of versions at once => all are seen", () => {
  put(version(1));
  numbers();
  put(...Array.from({ length: 1_500 }, (_, index) => version(index + 2)));
  expect(keyring.versions()).toHaveLength(1_501);
});
