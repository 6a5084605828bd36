import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  deadline,
  key,
  keyId,
  OtherProcess,
  promoted,
  temporaryFolder,
  version,
} from "../../testing/keyring.ts";
import { canMount, Tmpfs } from "../../testing/tmpfs.ts";
import { writeNewFile } from "../new-file.ts";
import { KeyringReader } from "../reader.ts";
import { KEYRING_FILE } from "../state-folder.ts";
import { KeyringWriter } from "../writer.ts";
import { type Backup, encodeBackup, parseBackup } from "./format.ts";
import { planMerge } from "./merge.ts";
import { restoreKeyring } from "./restore.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const source = () => join(folder.path, "source");
const target = () => join(folder.path, "target");
const failure = (code: string, message: string | RegExp = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const alias = { namespace: "apps", name: "main", masterKey: "secrets" };

function backupOf(stateDir = source()): Backup {
  const reader = KeyringReader.open(join(stateDir, KEYRING_FILE));
  try {
    return { takenAt: "2026-01-02T03:04:05.678Z", nodeName: "node-1", image: reader.image() };
  } finally {
    reader.close();
  }
}
const written = () => encodeBackup(backupOf(target()));

/** Returns a writer that is closed with `using`. */
function writing(path: string) {
  const keyring = KeyringWriter.open(path);
  return Object.assign(keyring, { [Symbol.dispose]: () => keyring.close() });
}

/** Fills a keyring with two versions, a name that passed to another key, an alias and an object. */
function fill(keyring: KeyringWriter): void {
  const other = version(1, { keyId: keyId(2), versionId: version(99).versionId });
  keyring.apply([
    ...promoted(version(1), version(2)),
    { kind: "putVersion", version: other },
    { kind: "putKey", key: key({ keyId: keyId(2), enabled: false }) },
    { kind: "setCurrent", key: key(), version: other },
    { kind: "putAlias", alias },
  ]);
  keyring.run("INSERT INTO objects VALUES ('MasterKey', 'apps', 'secrets', '{}')");
}
function made(): Backup {
  using keyring = writing(source());
  fill(keyring);
  return backupOf();
}

describe("restored into a state folder without a keyring", () => {
  test("it holds all of the backup, in one file that others cannot open", () => {
    const backup = made();
    expect(backup.image.keys[0]?.formerKeyIds).toEqual([keyId(1)]);
    restoreKeyring(target(), backup);
    expect(readdirSync(target()).sort()).toEqual([KEYRING_FILE, "operator.lock"]);
    expect(statSync(join(target(), KEYRING_FILE)).mode & 0o777).toBe(0o600);
    expect(statSync(target()).mode & 0o777).toBe(0o700);
    expect(written()).toBe(encodeBackup(backup));
  });

  test("every column of every table is in it, what is told by the resources aside", () => {
    const proof = { provider: "file", rootKeyId: "root-1", blob: new Uint8Array(Buffer.from("proof")) };
    const ownership = { revision: 2, proof };
    const other = version(3, {
      origin: "EXTERNAL",
      materialId: "m",
      validTo: 1_800_000_000_000,
      ownership,
    });
    {
      using keyring = writing(source());
      keyring.apply([
        ...promoted(other),
        { kind: "putKey", key: key({ deletionDate: "2026-02-01T00:00:00Z" }) },
        { kind: "putFormerKeyIds", key: key(), keyIds: [keyId(8)] },
        { kind: "putAlias", alias },
      ]);
      keyring.run("INSERT INTO objects VALUES ('MasterKey', 'apps', 'secrets', '{}')");
    }
    restoreKeyring(target(), backupOf());
    const rowsOf = (stateDir: string) => {
      using keyring = writing(stateDir);
      const tables = keyring.all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
      return tables
        .map(({ name }) => String(name))
        .filter((name) => name !== "table_changes")
        .map((name) => [name, keyring.all(`SELECT * FROM ${name}`)] as const);
    };
    const rows = rowsOf(source());
    expect(rowsOf(target())).toEqual(rows);
    // A new table or column must be filled here, so that a backup without it fails this test.
    const empty = rows.flatMap(([table, found]) =>
      found.length === 0
        ? [table]
        : Object.entries(found[0] ?? {}).flatMap(([column, value]) =>
            value === null ? `${table}.${column}` : [],
          ),
    );
    // Waiting periods start again with the restored keyring, which is later and therefore safe. The resources
    // say which versions were destroyed, and a backup contains nothing that could come back.
    // Details, policies, grants and what was followed are recorded again from the resources; `sqlite_sequence` is SQLite's own, and
    // `table_changes` counts what was written to a file.
    expect(empty).toEqual([
      "followed_kinds",
      "grants",
      "key_details",
      "key_policies",
      "operator_time",
      "removed_aliases",
      "served_imports",
      "sqlite_sequence",
      "tombstones",
      "version_details",
      "waiting_periods",
    ]);
  });

  test("a key that is pending deletion is so again, from the backup's file too", () => {
    const deletionDate = "2026-02-01T00:00:00Z";
    {
      using keyring = writing(source());
      keyring.apply([...promoted(version(1)), { kind: "putKey", key: key({ deletionDate }) }]);
    }
    const text = encodeBackup(backupOf());
    restoreKeyring(target(), parseBackup(Buffer.from(text), "b"));
    expect(backupOf(target()).image.keys).toMatchObject([{ deletionDate, current: { number: 1 } }]);
    expect(written()).toBe(text);
  });

  test("it is an operator's keyring: re-opened, written on, never back", () => {
    restoreKeyring(target(), made());
    using keyring = writing(target());
    expect(() => keyring.apply([{ kind: "setCurrent", key: key(), version: version(2) }])).toThrow();
    const next = version(2, { keyId: keyId(2), versionId: version(77).versionId });
    keyring.apply([
      { kind: "putVersion", version: next },
      { kind: "setCurrent", key: key(), version: next },
    ]);
    expect(keyring.keys()[0]).toMatchObject({ current: { number: 2 }, formerKeyIds: [keyId(1)] });
  });

  test("what an interrupted restore left => is thrown away", () => {
    const backup = made();
    mkdirSync(join(target(), "restoring"), { recursive: true });
    writeFileSync(join(target(), "restoring", KEYRING_FILE), "half");
    restoreKeyring(target(), backup);
    expect(readdirSync(target()).sort()).toEqual([KEYRING_FILE, "operator.lock"]);
    expect(written()).toBe(encodeBackup(backup));
  });
});

describe("refused, and nothing is changed", () => {
  test.each(["", "-wal", "-shm", "-journal"])("where keyring.db%s lies", (suffix) => {
    const backup = made();
    mkdirSync(target());
    const path = join(target(), KEYRING_FILE + suffix);
    writeFileSync(path, "something");
    expect(() => restoreKeyring(target(), backup)).toThrow(
      failure("InUse", /exists and nothing was changed/),
    );
    expect(readFileSync(path, "utf8")).toBe("something");
    expect(existsSync(join(target(), KEYRING_FILE))).toBe(suffix === "");
  });

  test("while an operator has the state folder: it is to be stopped, and no other folder to be used", () => {
    const backup = made();
    using _operator = writing(target());
    expect(() => restoreKeyring(target(), backup)).toThrow(
      failure("InUse", /another claviger operator is using .*: stop it first, and start it again after/),
    );
  });

  test("where a current version is not in the backup", () => {
    const { image, ...rest } = made();
    const backup = { ...rest, image: { ...image, versions: image.versions.slice(0, 2) } };
    expect(() => restoreKeyring(target(), backup)).toThrow(failure("Internal"));
    expect(existsSync(join(target(), KEYRING_FILE))).toBe(false);
  });

  test.skipIf(!canMount())("where the disk is full", () => {
    const { image, ...rest } = made();
    const sealed = { provider: "file", rootKeyId: "r", blob: new Uint8Array(8000) };
    const versions = Array.from({ length: 200 }, (_, n) => version(n + 100, { sealed }));
    using disk = new Tmpfs("1m");
    expect(() =>
      restoreKeyring(disk.path, { ...rest, image: { ...image, versions: [...image.versions, ...versions] } }),
    ).toThrow(failure("KeyringUnavailable", /make room on its disk/));
    expect(existsSync(join(disk.path, KEYRING_FILE))).toBe(false);
    restoreKeyring(disk.path, { ...rest, image });
  });
});

test("added to a keyring that is there => the plan's effect is what it says", () => {
  const backup = made();
  using keyring = writing(target());
  keyring.apply(promoted(version(1)));
  const held = {
    versions: keyring.versions(),
    keys: keyring.keys(),
    aliases: keyring.aliases(),
    objects: [],
  };
  keyring.apply(planMerge(backup.image, held).changes);
  const { versions, keys, aliases } = backupOf(target()).image;
  expect(versions.map(({ versionId }) => versionId)).toEqual(
    backup.image.versions.map(({ versionId }) => versionId),
  );
  // Enabled here, disabled in the backup: a key that is in use stays in use.
  expect(keys).toEqual([{ ...backup.image.keys[0], enabled: true }]);
  expect(aliases).toEqual([alias]);
  keyring.apply(planMerge(backup.image, backupOf(target()).image).changes);
  expect(backupOf(target()).image.keys).toEqual(keys);
});

describe("a backup of a keyring that is being written", () => {
  test("has whole transactions only, also of what lies in the log", async () => {
    using keyring = writing(source());
    fill(keyring);
    const before = encodeBackup(backupOf());
    expect(statSync(join(source(), `${KEYRING_FILE}-wal`)).size).toBeGreaterThan(0);
    keyring.transaction(() => {
      keyring.run("UPDATE keys SET current_version_id = NULL, current_number = 0");
      keyring.run("DELETE FROM versions");
      expect(encodeBackup(backupOf())).toBe(before);
      keyring.run("DELETE FROM aliases");
    });
    expect(backupOf().image).toMatchObject({ versions: [], aliases: [] });
  });

  test("by another process all the while => every backup is of one moment", async () => {
    await using other = new OtherProcess(`
      const { KeyringWriter } = await import_("writer.ts");
      const { promoted, version } = await import_("../testing/keyring.ts");
      const keyring = KeyringWriter.open(${JSON.stringify(source())});
      for (let n = 1; ; n++) {
        keyring.apply(promoted(version(n)));
        if (n === 10) say("going");
      }`);
    await vi.waitFor(() => expect(other.heard("going")).toBe(true), deadline);
    for (let i = 0; i < 30; i++) {
      const { versions, keys } = backupOf().image;
      expect(keys[0]?.current?.versionId).toBe(versions.at(-1)?.versionId);
    }
  });
});

describe("a new file", () => {
  test("is complete and closed to others, and its draft is gone", () => {
    const path = join(folder.path, "backup");
    writeNewFile(path, "text");
    expect(readFileSync(path, "utf8")).toBe("text");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual(["backup"]);
  });

  test("where one is => refused, the old one stays", () => {
    const path = join(folder.path, "backup");
    writeFileSync(path, "old");
    expect(() => writeNewFile(path, "new")).toThrow(
      failure("ConfigInvalid", /exists and is not written over/),
    );
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder.path)).toEqual(["backup"]);
  });

  test("where there is no folder => says so", () => {
    expect(() => writeNewFile(join(folder.path, "no", "backup"), "x")).toThrow(
      failure("KeyringUnavailable", /could not be written/),
    );
  });

  test.skipIf(!canMount())("on a full disk => says so, and leaves nothing", () => {
    using disk = new Tmpfs("64k");
    expect(() => writeNewFile(join(disk.path, "backup"), "x".repeat(1_000_000))).toThrow(
      failure("KeyringUnavailable", /could not be written/),
    );
    expect(readdirSync(disk.path)).toEqual([]);
  });
});
