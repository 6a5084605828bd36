import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { kmsKeyId } from "../crypto/ids.ts";
import {
  deadline,
  key,
  keyId,
  OtherProcess,
  promoted,
  temporaryFolder,
  version,
  versionId,
} from "../testing/keyring.ts";
import { canMount, Tmpfs } from "../testing/tmpfs.ts";
import type { KeyringChange } from "./changes.ts";
import { writeObservations } from "./observations.ts";
import type { VersionRow } from "./rows.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { KEYRING_FILE } from "./state-folder.ts";
import { KeyringWriter } from "./writer.ts";

const UNIX_MODE = 0o777;
let folder: ReturnType<typeof temporaryFolder>;
let opened: KeyringWriter[] = [];
beforeEach(() => {
  folder = temporaryFolder();
  opened = [];
});
afterEach(() => {
  for (const keyring of opened) keyring.close();
  folder.remove();
});

const stateDir = () => join(folder.path, "state");
const file = () => join(stateDir(), KEYRING_FILE);
function open(path = stateDir()): KeyringWriter {
  const keyring = KeyringWriter.open(path);
  opened.push(keyring);
  return keyring;
}
function close(keyring: KeyringWriter): void {
  keyring.close();
  opened = opened.filter((other) => other !== keyring);
}
/** Creates a keyring with these contents and closes it. */
function made(...changes: readonly KeyringChange[]): void {
  const keyring = open();
  keyring.apply(changes);
  close(keyring);
}
const contents = (keyring: KeyringWriter) => ({
  keys: keyring.keys(),
  aliases: keyring.aliases(),
  versions: keyring.versions(),
});
const NOTHING = { keys: [], aliases: [], versions: [] };
const failure = (code: string, message: string | RegExp = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const mode = (path: string) => statSync(path).mode & UNIX_MODE;
const alias = { namespace: "apps", name: "main", masterKey: "secrets" };

describe("what is written", () => {
  test("is read again, also after closing", () => {
    const keyring = open();
    keyring.apply([...promoted(version(1), version(2)), { kind: "putAlias", alias }]);
    const expected = {
      keys: [{ ...key(), current: { versionId: versionId(2), number: 2 } }],
      aliases: [alias],
      versions: [version(1), version(2)],
    };
    expect(contents(keyring)).toEqual(expected);
    close(keyring);
    expect(contents(open())).toEqual(expected);
  });
  test("a key is disabled => its current version stays", () => {
    const keyring = open();
    keyring.apply(promoted(version(1)));
    keyring.apply([{ kind: "putKey", key: key({ enabled: false }) }]);
    expect(keyring.keys()).toEqual([
      { ...key(), enabled: false, current: { versionId: versionId(1), number: 1 } },
    ]);
  });
  test("a name that encrypts passes to another keyId => its current version is forgotten, keyId and versions are kept", () => {
    const keyring = open();
    keyring.apply(promoted(version(1)));
    keyring.apply([{ kind: "putKey", key: key({ keyId: keyId(2) }) }]);
    expect(keyring.keys()).toEqual([{ ...key({ keyId: keyId(2) }), formerKeyIds: [keyId(1)] }]);
    expect(keyring.versions()).toEqual([version(1)]);
  });
  test("a name without a current version passes to another keyId => it does", () => {
    const keyring = open();
    keyring.apply([{ kind: "putKey", key: key() }]);
    keyring.apply([{ kind: "putKey", key: key({ keyId: keyId(2) }) }]);
    expect(keyring.keys()).toEqual([key({ keyId: keyId(2) })]);
  });
  test("a version again with another seal => only the seal is replaced", () => {
    const keyring = open();
    keyring.apply([{ kind: "putVersion", version: version(1) }]);
    const sealed = { provider: "hsm", rootKeyId: "root-2", blob: Uint8Array.of(1) };
    keyring.apply([{ kind: "putVersion", version: version(1, { sealed, number: 9, keyId: keyId(2) }) }]);
    expect(keyring.versions()).toEqual([version(1, { sealed })]);
  });
  test("imported material => its materialId and validTo are kept; a re-import moves validTo, or takes it away", () => {
    const keyring = open();
    const imported = version(1, { materialId: "ab".repeat(32), validTo: 1_767_323_045_000 });
    keyring.apply([{ kind: "putVersion", version: imported }]);
    expect(keyring.versions()).toEqual([imported]);
    const later = { ...imported, validTo: 1_798_859_045_000 };
    keyring.apply([{ kind: "putVersion", version: later }]);
    expect(keyring.versions()).toEqual([later]);
    const { validTo: _, ...forEver } = later;
    keyring.apply([{ kind: "putVersion", version: forEver }]);
    expect(keyring.versions()).toEqual([forEver]);
  });
  test("an alias moves => once, to the other key", () => {
    const keyring = open();
    keyring.apply([
      { kind: "putAlias", alias },
      { kind: "putAlias", alias: { ...alias, masterKey: "b" } },
    ]);
    expect(keyring.aliases()).toEqual([{ ...alias, masterKey: "b" }]);
  });
  describe("an alias that was pointed from a to b", () => {
    const [ofA, ofB] = [1, 2].map((n) =>
      version(1, {
        keyId: keyId(n),
        versionId: versionId(10 * n),
        masterKey: { namespace: "apps", name: "" },
      }),
    );
    const named = (name: string, n: number) => key({ name, keyId: keyId(n) });
    const point = (masterKey: string): KeyringChange => ({
      kind: "putAlias",
      alias: { namespace: "apps", name: "main", masterKey },
    });
    const later = (name: string, n: number, number: number): KeyringChange[] => {
      const row = version(number, { keyId: keyId(n), versionId: versionId(10 * n + number) });
      return [
        { kind: "putVersion", version: row },
        { kind: "setCurrent", key: named(name, n), version: row },
      ];
    };
    let keyring: KeyringWriter;
    beforeEach(() => {
      keyring = open();
      for (const [name, n, row] of [
        ["a", 1, ofA],
        ["b", 2, ofB],
      ] as const) {
        if (row === undefined) throw new Error("two versions are made");
        keyring.apply([
          { kind: "putVersion", version: row },
          { kind: "putKey", key: named(name, n) },
          { kind: "setCurrent", key: named(name, n), version: row },
        ]);
      }
      keyring.apply([point("a")]);
      keyring.apply([point("b")]);
    });
    const target = () => keyring.aliases()[0]?.masterKey;

    test("=> what it left is on record, also after closing", () => {
      const left = [{ keyId: keyId(1), number: 1, versionId: versionId(10) }];
      expect(keyring.aliases()[0]?.formerTargets).toEqual(left);
      close(keyring);
      expect(open().aliases()[0]?.formerTargets).toEqual(left);
    });
    test("and back => is refused, all of it, and stays so", () => {
      const others = [point("b"), { kind: "putKey", key: named("c", 3) } as const, point("a")];
      expect(() => keyring.apply(others)).toThrow(
        failure("Internal", /alias apps\/main cannot point back to apps\/a, which it left at version 1/),
      );
      expect(target()).toBe("b");
      expect(keyring.keys()).toHaveLength(2);
    });
    test("and back after a has a later version => it goes, and b is on record too", () => {
      keyring.apply([...later("a", 1, 2), point("a")]);
      expect(target()).toBe("a");
      expect(keyring.aliases()[0]?.formerTargets).toMatchObject([{ keyId: keyId(1) }, { keyId: keyId(2) }]);
      expect(() => keyring.apply([point("b")])).toThrow(/left at version 1/);
    });
    test("to the same again => nothing is recorded", () => {
      const before = keyring.aliases();
      keyring.apply([point("b")]);
      expect(keyring.aliases()).toEqual(before);
    });
  });
  test("no changes => nothing is committed", () => {
    const keyring = open();
    using other = new DatabaseSync(file(), { readOnly: true });
    const seen = other.prepare("PRAGMA data_version");
    const before = seen.get()?.data_version;
    keyring.apply([]);
    expect(seen.get()?.data_version).toBe(before);
  });
  test("the plugin observed something => the stamp changes, and it is read; we wrote => it does not", async () => {
    const keyring = open();
    const before = keyring.observationsStamp();
    keyring.apply(promoted(version(1)));
    expect(keyring.observationsStamp()).toBe(before);
    const seen = {
      provider: "p",
      kmsKeyId: kmsKeyId(keyId(1), versionId(1)),
      servingSince: 1,
      encrypts: 1,
      settled: true,
    };
    await writeObservations(file(), [seen]);
    expect(keyring.observationsStamp()).not.toBe(before);
    expect(keyring.observations()).toEqual([seen]);
  });
});

describe("a change fails => all of its transaction is undone", () => {
  const unknown = { namespace: "apps", name: "unknown" };
  const rows: readonly (readonly [string, KeyringChange])[] = [
    ["a current version of an unknown key", { kind: "setCurrent", key: unknown, version: version(1) }],
    ["a current version that is not stored", { kind: "setCurrent", key: key(), version: version(7) }],
    ["a version without a number", { kind: "putVersion", version: version(5, { number: 0 }) }],
    [
      "a version of another key",
      { kind: "setCurrent", key: key(), version: version(2, { keyId: keyId(2) }) },
    ],
  ];
  test.each(rows)("%s", (_, bad) => {
    const keyring = open();
    const around: KeyringChange[] = [{ kind: "putAlias", alias }];
    expect(() => keyring.apply([...promoted(version(1)), bad, ...around])).toThrow();
    expect(contents(keyring)).toEqual(NOTHING);
    keyring.apply(promoted(version(1)));
    expect(keyring.keys()).toHaveLength(1);
  });
  test("a defect in a transaction of others => the same", () => {
    const keyring = open();
    const work = () => {
      keyring.run("INSERT INTO objects VALUES ('k', '', 'n', '{}')");
      throw new Error("a defect");
    };
    expect(() => keyring.transaction(work)).toThrow("a defect");
    expect(keyring.all("SELECT * FROM objects")).toEqual([]);
  });
  test("kill -9 in the middle => the same, and the lock is free", async () => {
    made(...promoted(version(1)));
    await using other = new OtherProcess(`
      const { KeyringWriter } = await import_("writer.ts");
      const { version } = await import_("../testing/keyring.ts");
      const keyring = KeyringWriter.open(${JSON.stringify(stateDir())});
      keyring.transaction(() => {
        keyring.run("UPDATE keys SET enabled = 0");
        keyring.run("DELETE FROM aliases");
        say("half");
        hang();
      });`);
    await vi.waitFor(() => expect(other.heard("half")).toBe(true), deadline);
    expect(() => open()).toThrow(failure("InUse", /another claviger operator is using .*: stop it/));
    await other.kill();
    expect(open().keys()).toMatchObject([{ enabled: true, current: { number: 1 } }]);
  });
});

describe("what this release does not know", () => {
  const strange = (column: string, value: string) => {
    using db = new DatabaseSync(file());
    db.prepare(`UPDATE versions SET ${column} = ? WHERE version_id = ?`).run(value, versionId(2));
  };
  test("a row of it among others => they are read, it is said to be unreadable", () => {
    made(...promoted(version(1), version(2), version(3)));
    strange("key_spec", "SM2");
    expect(open().readVersions()).toEqual({
      versions: [version(1), version(3)],
      unreadable: [{ versionId: versionId(2), error: failure("KeyringCorrupt", /column key_spec/) }],
    });
  });
  test.each([
    ["keySpec", "SM2"],
    ["keyUsage", "WRAP_UNWRAP"],
    ["origin", "AWS_CLOUDHSM"],
  ])(
    "a version whose %s is of a newer release => refused, and nothing of the transaction is stored",
    (field, value) => {
      const keyring = open();
      const row: VersionRow = { ...version(2), [field]: value };
      expect(() =>
        keyring.apply([
          { kind: "putVersion", version: version(1) },
          { kind: "putVersion", version: row },
        ]),
      ).toThrow(
        failure("InvalidArgument", new RegExp(`${field} ${value}, which this release does not know`)),
      );
      expect(contents(keyring)).toEqual(NOTHING);
    },
  );
});

describe("another file, or none, in its place", () => {
  const away = () => {
    for (const end of ["", "-wal", "-shm"])
      if (existsSync(`${file()}${end}`)) renameSync(`${file()}${end}`, `${file()}.away${end}`);
  };
  const uses = (keyring: KeyringWriter): [string, () => unknown][] => [
    ["nothing is written", () => keyring.apply(promoted(version(2)))],
    ["an empty change is no change that succeeded", () => keyring.apply([])],
    ["nothing is read as if it were there", () => keyring.versions()],
    ["no object is written", () => keyring.run("DELETE FROM objects")],
  ];
  test("it was moved away => every use is refused with advice; it is back => it goes on", () => {
    const keyring = open();
    keyring.apply(promoted(version(1)));
    expect(keyring.place).toBe("ours");
    away();
    expect(keyring.place).toBe("none");
    for (const [what, use] of uses(keyring))
      expect(use, what).toThrow(failure("KeyringUnavailable", /was moved away .*put it back/));
    for (const end of ["-shm", "-wal", ""])
      if (existsSync(`${file()}.away${end}`)) renameSync(`${file()}.away${end}`, `${file()}${end}`);
    expect(keyring.versions()).toEqual([version(1)]);
    keyring.apply(promoted(version(2)));
  });
  test("another one is there => every use is refused, and the other is left alone", () => {
    const keyring = open();
    keyring.apply(promoted(version(1)));
    away();
    writeFileSync(file(), "another");
    expect(keyring.place).toBe("another");
    for (const [what, use] of uses(keyring))
      expect(use, what).toThrow(failure("KeyringUnavailable", /another file .*start the operator again/));
    expect(readFileSync(file(), "utf8")).toBe("another");
  });
});

describe("the current version", () => {
  test("a lower number => refused, the higher one stays", () => {
    const keyring = open();
    keyring.apply(promoted(version(1), version(2)));
    const lower: KeyringChange = { kind: "setCurrent", key: key(), version: version(1) };
    expect(() => keyring.apply([lower])).toThrow(
      failure("Internal", /version 1 of apps\/secrets cannot become current/),
    );
    expect(keyring.keys()[0]?.current?.number).toBe(2);
  });
  test("the same number under a later id => is taken, and not back again", () => {
    const keyring = open();
    const twin = version(1, { versionId: versionId(99) });
    keyring.apply(promoted(version(1)));
    keyring.apply(promoted(twin));
    expect(keyring.keys()[0]?.current).toEqual({ versionId: versionId(99), number: 1 });
    const back: KeyringChange = { kind: "setCurrent", key: key(), version: version(1) };
    expect(() => keyring.apply([back])).toThrow(failure("Internal", /cannot become current/));
  });
  test("the name has passed to another key => that key begins at 1 again", () => {
    const keyring = open();
    keyring.apply(promoted(version(5)));
    const other = version(1, { keyId: keyId(2) });
    keyring.apply([
      { kind: "putVersion", version: other },
      { kind: "putKey", key: key({ keyId: keyId(2) }) },
      { kind: "setCurrent", key: key(), version: other },
    ]);
    expect(keyring.keys()[0]).toMatchObject({ keyId: keyId(2), current: { number: 1 } });
  });
});

describe("closing", () => {
  test("while a plugin reads on => everything is in the file itself, for whoever copies it", () => {
    const keyring = open();
    using reading = new DatabaseSync(file(), { readOnly: true });
    keyring.apply(promoted(version(1)));
    expect(reading.prepare("SELECT count(*) AS n FROM versions").get()).toEqual({ n: 1 });
    close(keyring);
    expect(statSync(`${file()}-wal`).size).toBe(0);
  });
});

describe("schema", () => {
  test("a keyring of release 0.1.0, without expiry of material => its versions are all there, and none expires", () => {
    made(...promoted(version(1), version(2)), { kind: "putAlias", alias });
    using db = new DatabaseSync(file());
    db.exec(`
      ALTER TABLE aliases DROP COLUMN former_targets;
      CREATE TABLE observations (provider TEXT PRIMARY KEY) STRICT;
      ALTER TABLE versions DROP COLUMN valid_to;
      ALTER TABLE versions DROP COLUMN material_id;
      DROP TABLE tombstones;
      ALTER TABLE keys DROP COLUMN deletion_date;
      PRAGMA user_version = 1;
    `);
    expect(contents(open())).toMatchObject({ versions: [version(1), version(2)], aliases: [alias] });
  });
  test("a keyring of the first schema => is brought to this release's, with what it holds", () => {
    made(...promoted(version(1)));
    expect(open().versions()).toEqual([version(1)]);
    using db = new DatabaseSync(file());
    expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: SCHEMA_VERSION });
  });
  test("an empty file => refused with advice: filled anew, the key would get another keyId", () => {
    made();
    truncateSync(file());
    expect(open).toThrow(failure("KeyringCorrupt", /is empty; move it away/));
  });
  test("killed while the first keyring was made => the half is not taken for one, and it is made", () => {
    mkdirSync(stateDir(), { recursive: true, mode: 0o700 });
    writeFileSync(`${file()}.new`, "half of a database");
    expect(contents(open())).toEqual(NOTHING);
    expect(existsSync(`${file()}.new`)).toBe(false);
  });
  test("a newer release's => refused with advice, untouched, and the lock is given back", () => {
    made(...promoted(version(1)));
    const set = (number: number) => {
      using db = new DatabaseSync(file());
      db.exec(`PRAGMA user_version = ${number}`);
    };
    set(SCHEMA_VERSION + 1);
    const advice = /has schema \d+ and this release knows \d+: run the newer release that wrote it/;
    for (let i = 0; i < 2; i++) expect(() => open()).toThrow(failure("KeyringCorrupt", advice));
    set(SCHEMA_VERSION);
    expect(open().versions()).toEqual([version(1)]);
  });
});

test.each(["-wal", "-journal"])(
  "a %s without its keyring => refused, as SQLite would play it into a new one; moved away => a new one",
  (suffix) => {
    const keyring = open();
    keyring.apply(promoted(version(1), version(2)));
    const log = readFileSync(`${file()}-wal`);
    expect(log.length).toBeGreaterThan(0);
    close(keyring);
    renameSync(file(), `${file()}.away`);
    writeFileSync(`${file()}${suffix}`, log);
    for (let i = 0; i < 2; i++)
      expect(() => open()).toThrow(
        failure("KeyringCorrupt", /keyring\.db-\w+ lies there without its keyring/),
      );
    renameSync(`${file()}${suffix}`, `${file()}.away${suffix}`);
    expect(contents(open())).toEqual(NOTHING);
  },
);

describe("modes", () => {
  test("folder 0700; database, log and index 0600", () => {
    open().apply(promoted(version(1)));
    expect(mode(stateDir())).toBe(0o700);
    for (const suffix of ["", "-wal", "-shm"]) expect(mode(file() + suffix), suffix).toBe(0o600);
  });
  test("a database that was open to others => is closed to them", () => {
    made();
    chmodSync(file(), 0o666);
    open();
    expect(mode(file())).toBe(0o600);
  });
  test("folders above it => are made too", () => {
    open(join(folder.path, "a", "b", "c"));
  });
  test("a folder that cannot be made => KeyringUnavailable naming it", () => {
    writeFileSync(join(folder.path, "state"), "");
    expect(() => open()).toThrow(failure("KeyringUnavailable", stateDir()));
    expect(() => open(join(stateDir(), "x"))).toThrow(failure("KeyringUnavailable", join(stateDir(), "x")));
  });
});

describe("two writers", () => {
  test("the second => InUse with advice; the first goes on", () => {
    const keyring = open();
    expect(() => open()).toThrow(
      failure("InUse", /another claviger operator is using .*stateDir of its own/),
    );
    keyring.apply(promoted(version(1)));
    close(keyring);
    expect(open().versions()).toEqual([version(1)]);
  });
});

describe("a damaged file => KeyringCorrupt with advice, and the lock is given back", () => {
  const many = Array.from(
    { length: 200 },
    (_, n): KeyringChange => ({ kind: "putVersion", version: version(n + 1) }),
  );
  const advice =
    /move it away, with its -wal and -shm, and keep it\..*builds it again.*put a backup in its place/;
  const overwrite = (at: number, bytes: number) => {
    const fd = openSync(file(), "r+");
    writeSync(fd, Buffer.alloc(bytes, 0xa5), 0, bytes, at);
    closeSync(fd);
  };
  test.each([
    ["a page is overwritten", () => overwrite(4096, 4096)],
    ["every page but the first is overwritten", () => overwrite(4096, statSync(file()).size - 4096)],
    ["the header is overwritten", () => overwrite(0, 100)],
    ["it is cut in the middle", () => truncateSync(file(), 4096 * 3)],
    ["it is cut inside a page", () => truncateSync(file(), 4096 * 3 + 100)],
    ["it is something else", () => writeFileSync(file(), "not a database at all ".repeat(100))],
  ])("%s", (_, damage) => {
    made(...many);
    damage();
    for (let i = 0; i < 2; i++) expect(() => open()).toThrow(failure("KeyringCorrupt", advice));
  });
});

describe("a full disk", () => {
  const big = (from: number) =>
    Array.from(
      { length: 100 },
      (_, n): KeyringChange => ({
        kind: "putVersion",
        version: version(from + n, {
          sealed: { provider: "file", rootKeyId: "r", blob: new Uint8Array(8000) },
        }),
      }),
    );
  const full = failure("KeyringUnavailable", /make room on its disk, nothing was changed/);

  test("SQLite may use no more pages => KeyringUnavailable, nothing is changed; room is made => it works again", () => {
    const keyring = open();
    keyring.apply(promoted(version(1)));
    const before = contents(keyring);
    const pages = Number(keyring.all("PRAGMA page_count")[0]?.page_count);
    keyring.all(`PRAGMA max_page_count = ${pages + 3}`);
    expect(() => keyring.apply(big(2))).toThrow(full);
    expect(contents(keyring)).toEqual(before);
    keyring.all("PRAGMA max_page_count = 100000");
    keyring.apply(big(2));
    expect(keyring.versions()).toHaveLength(101);
  });

  test.skipIf(!canMount())("a real one => the same, and it opens again", () => {
    using disk = new Tmpfs("1m");
    const keyring = open(disk.path);
    keyring.apply(promoted(version(1)));
    let stored = 1;
    const fill = () => {
      for (;;) {
        keyring.apply(big(stored + 1));
        stored += 100;
      }
    };
    expect(fill).toThrow(full);
    expect(keyring.versions()).toHaveLength(stored);
    expect(keyring.keys()[0]?.current?.number).toBe(1);
    close(keyring);
    const again = open(disk.path);
    expect(again.versions()).toHaveLength(stored);
    close(again);
  });

  test.skipIf(!canMount())("a disk that cannot be written => KeyringUnavailable, not InUse", () => {
    using disk = new Tmpfs("1m");
    close(open(disk.path));
    disk.remount("ro");
    expect(() => open(disk.path)).toThrow(failure("KeyringUnavailable"));
  });
});
