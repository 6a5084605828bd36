import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { key, promoted, temporaryFolder, tombstone, version, versionId } from "../testing/keyring.ts";
import type { KeyringChange } from "./changes.ts";
import type { VersionRow } from "./rows.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { KEYRING_FILE } from "./state-folder.ts";
import { KeyringWriter } from "./writer.ts";

let folder: ReturnType<typeof temporaryFolder>;
let keyring: KeyringWriter | undefined;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  keyring?.close();
  keyring = undefined;
  folder.remove();
});

const stateDir = () => join(folder.path, "state");
const file = () => join(stateDir(), KEYRING_FILE);
function open(): KeyringWriter {
  keyring?.close();
  keyring = KeyringWriter.open(stateDir());
  return keyring;
}
const destroy = (n: number): KeyringChange => ({ kind: "destroyVersion", tombstone: tombstone(n) });
const withBytes = (n: number, bytes: Buffer): VersionRow =>
  version(n, { sealed: { provider: "file", rootKeyId: "root-1", blob: new Uint8Array(bytes) } });
/** Returns the keyring's files that contain these bytes. */
const filesWith = (bytes: Buffer): string[] =>
  ["", "-wal", "-shm", "-journal"].filter((suffix) => {
    const path = `${file()}${suffix}`;
    return existsSync(path) && readFileSync(path).includes(bytes);
  });

test("a keyring tells whether anything was ever sealed => also after all of it was destroyed", () => {
  const writer = open();
  expect(writer.holdsAnySealed()).toBe(false);
  writer.apply([{ kind: "putVersion", version: version(1) }]);
  expect(writer.holdsAnySealed()).toBe(true);
  writer.apply([destroy(1)]);
  expect(writer.versions()).toEqual([]);
  expect(writer.holdsAnySealed()).toBe(true);
});

describe("a version that is destroyed", () => {
  test("=> is gone, its tombstone is there, also after closing", () => {
    const writer = open();
    writer.apply([...promoted(version(1), version(2)), destroy(1)]);
    const expected = [{ ...tombstone(1), erased: false }];
    expect(writer.versions()).toEqual([version(2)]);
    expect(writer.tombstones()).toEqual(expected);
    expect(open().tombstones()).toEqual(expected);
  });
  test("the current one => the key has no current version", () => {
    const writer = open();
    writer.apply([...promoted(version(1)), destroy(1)]);
    expect(writer.keys()).toEqual([key()]);
  });
  test("one that never was here => its tombstone is kept all the same", () => {
    const writer = open();
    writer.apply([destroy(7)]);
    expect(writer.tombstones()).toEqual([{ ...tombstone(7), erased: false }]);
  });
  test("twice => the first tombstone stays", () => {
    const writer = open();
    writer.apply([destroy(1)]);
    writer.apply([{ kind: "destroyVersion", tombstone: { ...tombstone(1), reason: "again" } }]);
    expect(writer.tombstones()).toEqual([{ ...tombstone(1), erased: false }]);
  });
  test("=> is not taken back, and nothing else of that transaction is", () => {
    const writer = open();
    writer.apply([destroy(1)]);
    const changes = promoted(version(2), version(1));
    expect(() => writer.apply(changes)).toThrow(
      /version 1 of apps\/secrets was destroyed and cannot be stored/,
    );
    expect(writer.versions()).toEqual([]);
  });
});

describe("the bytes of what was destroyed", () => {
  const bytes = Array.from({ length: 300 }, () => randomBytes(146));
  const bytesOf = (n: number): Buffer => bytes[n - 1] ?? Buffer.alloc(0);
  const rows = bytes.map((blob, index) => withBytes(index + 1, blob));

  test("=> are in no file of the keyring once it is scrubbed, those of the others are", () => {
    const writer = open();
    // Many transactions of several sizes, with re-seals, leave old copies in pages and log.
    for (let at = 0; at < rows.length; at += 7) writer.apply(promoted(...rows.slice(at, at + 7)));
    for (const row of rows.slice(50, 90)) writer.apply([{ kind: "putVersion", version: row }]);
    expect(filesWith(bytesOf(60))).not.toEqual([]);
    const gone = rows.filter(({ number }) => number % 3 === 0).map(({ number }) => number);
    writer.apply(gone.map(destroy));
    writer.scrub();
    expect(gone.filter((n) => filesWith(bytesOf(n)).length > 0)).toEqual([]);
    const kept = rows.filter(({ number }) => number % 3 !== 0);
    expect(kept.filter(({ number }) => filesWith(bytesOf(number)).length === 0)).toEqual([]);
    const numbers = writer.versions().map(({ number }) => number);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(kept.map(({ number }) => number));
    expect(writer.tombstones().every(({ erased }) => erased)).toBe(true);
  });

  test("killed between the change and the scrub => the next scrub erases them", () => {
    open().apply([...promoted(withBytes(1, bytesOf(1))), destroy(1)]);
    const writer = open();
    expect(writer.tombstones()).toMatchObject([{ erased: false }]);
    writer.scrub();
    expect(filesWith(bytesOf(1))).toEqual([]);
    expect(writer.tombstones()).toMatchObject([{ erased: true }]);
  });

  test("a reader holds the log => it says so and erases them later", () => {
    const writer = open();
    writer.run("PRAGMA busy_timeout = 1");
    writer.apply(promoted(withBytes(1, bytesOf(1))));
    using reader = new DatabaseSync(file(), { readOnly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT * FROM versions").all();
    writer.apply([destroy(1)]);
    expect(() => writer.scrub()).toThrow(/is being read, so its write-ahead log cannot be truncated yet/);
    expect(writer.tombstones()).toMatchObject([{ erased: false }]);
    reader.exec("COMMIT");
    writer.scrub();
    expect(filesWith(bytesOf(1))).toEqual([]);
  });
});

/** The schema of the first release; never to be changed. */
const SCHEMA_1 = `
  CREATE TABLE versions (
    version_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, number INTEGER NOT NULL CHECK (number > 0),
    namespace TEXT NOT NULL, name TEXT NOT NULL, key_spec TEXT NOT NULL, key_usage TEXT NOT NULL,
    origin TEXT NOT NULL, seal_provider TEXT NOT NULL, root_key_id TEXT NOT NULL, sealed BLOB NOT NULL,
    seq INTEGER NOT NULL UNIQUE) STRICT;
  CREATE TABLE keys (
    namespace TEXT NOT NULL, name TEXT NOT NULL, key_id TEXT NOT NULL, enabled INTEGER NOT NULL,
    current_version_id TEXT REFERENCES versions (version_id), current_number INTEGER NOT NULL DEFAULT 0,
    former_key_ids TEXT NOT NULL DEFAULT '', PRIMARY KEY (namespace, name)) STRICT;
  CREATE TABLE aliases (namespace TEXT NOT NULL, name TEXT NOT NULL, master_key TEXT NOT NULL,
    PRIMARY KEY (namespace, name)) STRICT;
  CREATE TABLE observations (provider TEXT PRIMARY KEY, kms_key_id TEXT NOT NULL,
    serving_since INTEGER NOT NULL, encrypts INTEGER NOT NULL, last_encrypt_at INTEGER) STRICT;
  CREATE TABLE objects (kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)) STRICT;
  PRAGMA user_version = 1`;

describe("a keyring of the first release", () => {
  test("=> opens with all that it held, and can destroy from then on", () => {
    mkdirSync(stateDir(), { mode: 0o700 });
    {
      using old = new DatabaseSync(file());
      old.exec(`PRAGMA journal_mode = WAL; ${SCHEMA_1}`);
      const { versionId: id, keyId, sealed } = version(1);
      old
        .prepare("INSERT INTO versions VALUES (?, ?, 1, 'apps', 'secrets', ?, ?, ?, ?, ?, ?, 1)")
        .run(id, keyId, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "file", "root-1", sealed.blob);
      old.prepare("INSERT INTO keys VALUES ('apps', 'secrets', ?, 0, ?, 1, '')").run(keyId, id);
      old.exec("INSERT INTO aliases VALUES ('apps', 'main', 'secrets')");
    }
    const writer = open();
    expect(writer.all("PRAGMA user_version")).toEqual([{ user_version: SCHEMA_VERSION }]);
    expect(writer.versions()).toEqual([version(1)]);
    expect(writer.keys()).toEqual([
      { ...key({ enabled: false }), current: { versionId: versionId(1), number: 1 } },
    ]);
    expect(writer.aliases()).toEqual([{ namespace: "apps", name: "main", masterKey: "secrets" }]);
    expect(writer.tombstones()).toEqual([]);
    writer.apply([destroy(1)]);
    writer.scrub();
    expect(filesWith(Buffer.from(version(1).sealed.blob))).toEqual([]);
  });
});
