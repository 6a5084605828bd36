import { existsSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  deadline,
  key,
  OtherProcess,
  promoted,
  temporaryFolder,
  version,
  versionId,
} from "../testing/keyring.ts";
import { canMount, Tmpfs } from "../testing/tmpfs.ts";
import type { KeyringChange } from "./changes.ts";
import { KeyringReader } from "./reader.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { KEYRING_FILE } from "./state-folder.ts";
import { KeyringWriter } from "./writer.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const file = () => join(folder.path, KEYRING_FILE);
const failure = (code: string, message: string | RegExp = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** Returns a writer that is closed with `using`. */
function writing(path = folder.path) {
  const keyring = KeyringWriter.open(path);
  return Object.assign(keyring, { [Symbol.dispose]: () => keyring.close() });
}
function reading(path = file()) {
  const reader = KeyringReader.open(path);
  return Object.assign(reader, { [Symbol.dispose]: () => reader.close() });
}
function made(...changes: readonly KeyringChange[]): void {
  using keyring = writing();
  keyring.apply(changes);
}
const currentOf = (reader: KeyringReader) => reader.snapshot().keys.get("apps/secrets")?.current?.number;

describe("opening", () => {
  test("no file => NotReady with advice", () => {
    expect(() => KeyringReader.open(file())).toThrow(failure("NotReady", /start the operator of this node/));
  });
  test("an empty file => KeyringCorrupt with advice: a keyring appears complete", () => {
    writeFileSync(file(), "");
    expect(() => KeyringReader.open(file())).toThrow(failure("KeyringCorrupt", /is empty; move it away/));
  });
  test("a newer release's => KeyringCorrupt with advice", () => {
    made();
    using db = new DatabaseSync(file());
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    expect(() => KeyringReader.open(file())).toThrow(failure("KeyringCorrupt", /run the newer release/));
  });
  test("not a database => KeyringCorrupt with advice", () => {
    writeFileSync(file(), "not a database at all ".repeat(100));
    expect(() => KeyringReader.open(file())).toThrow(failure("KeyringCorrupt", /move it away/));
  });
  test("somebody has locked it whole => KeyringUnavailable, it is not read past the lock", () => {
    made(...promoted(version(1)));
    using db = new DatabaseSync(file());
    db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    expect(() => KeyringReader.open(file())).toThrow(failure("KeyringUnavailable"));
  });
  test("it does not write, and makes nothing", () => {
    expect(() => KeyringReader.open(join(folder.path, "missing.db"))).toThrow();
    expect(() => KeyringReader.open(join(folder.path, "missing.db"))).toThrow(failure("NotReady"));
  });
});

describe("reading", () => {
  test("keys and aliases by name, and versions by id", () => {
    const alias = { namespace: "apps", name: "main", masterKey: "secrets" };
    made(...promoted(version(1)), { kind: "putAlias", alias });
    using reader = reading();
    const { keys, aliases } = reader.snapshot();
    expect([...keys]).toEqual([
      ["apps/secrets", { ...key(), current: { versionId: versionId(1), number: 1 } }],
    ]);
    expect([...aliases]).toEqual([["apps/main", alias]]);
    expect(reader.version(versionId(1))).toEqual(version(1));
    expect(reader.version(versionId(2))).toBeUndefined();
  });
  test("versions in pages, oldest first; a re-sealed one comes again at the end", () => {
    using keyring = writing();
    keyring.apply(promoted(version(3), version(1), version(2)));
    using reader = reading();
    const page = reader.versionsAfter(0, 2);
    expect(page.map((row) => row.version.number)).toEqual([3, 1]);
    const rest = reader.versionsAfter(page.at(-1)?.seq ?? 0, 2);
    expect(rest.map((row) => row.version.number)).toEqual([2]);
    const sealed = { provider: "hsm", rootKeyId: "r", blob: Uint8Array.of(7) };
    keyring.apply([{ kind: "putVersion", version: version(3, { sealed }) }]);
    expect(reader.versionsAfter(rest.at(-1)?.seq ?? 0, 2)).toEqual([
      { seq: 4, version: version(3, { sealed }) },
    ]);
  });
  test("a damaged row => KeyringCorrupt naming the column, not a wrong key", () => {
    made(...promoted(version(1)));
    using db = new DatabaseSync(file());
    db.exec("UPDATE versions SET key_usage = 'ANYTHING'");
    using reader = reading();
    expect(() => reader.version(versionId(1))).toThrow(failure("KeyringCorrupt", /column key_usage/));
  });
  test("a row that cannot be read among others => it alone is said to be so, under its id", () => {
    made(...promoted(version(1), version(2), version(3)));
    using db = new DatabaseSync(file());
    db.prepare("UPDATE versions SET key_spec = 'SM2' WHERE version_id = ?").run(versionId(2));
    using reader = reading();
    expect(reader.rowsAfter(0, 10)).toEqual([
      { seq: 1, version: version(1) },
      { seq: 2, versionId: versionId(2), error: failure("KeyringCorrupt", /column key_spec/) },
      { seq: 3, version: version(3) },
    ]);
    expect(reader.version(versionId(3))).toEqual(version(3));
  });
  test("the file is cut while it is open => KeyringCorrupt or what was read, never a wrong row", () => {
    made(
      ...Array.from(
        { length: 200 },
        (_, n): KeyringChange => ({ kind: "putVersion", version: version(n + 1) }),
      ),
    );
    using reader = reading();
    truncateSync(file(), 4096);
    expect(() => reader.versionsAfter(0, 1_000)).toThrow(failure("KeyringCorrupt", /move it away/));
  });
});

describe("noticing", () => {
  test("before the first snapshot => changed; after it => not; after a commit elsewhere => changed", () => {
    using keyring = writing();
    using reader = reading();
    expect(reader.changed()).toBe(true);
    reader.snapshot();
    expect(reader.changed()).toBe(false);
    keyring.apply(promoted(version(1)));
    expect(reader.changed()).toBe(true);
    expect(currentOf(reader)).toBe(1);
    expect(reader.changed()).toBe(false);
  });
  test("a transaction that was undone => not changed", () => {
    using keyring = writing();
    using reader = reading();
    reader.snapshot();
    expect(() =>
      keyring.apply([...promoted(version(1)), { kind: "setCurrent", key: key(), version: version(9) }]),
    ).toThrow();
    expect(reader.changed()).toBe(false);
  });
  test("another file in its place, or none => replaced", () => {
    made(...promoted(version(1)));
    using reader = reading();
    expect(reader.replaced()).toBe(false);
    renameSync(file(), `${file()}.away`);
    expect(reader.replaced()).toBe(true);
    renameSync(`${file()}.away`, file());
    expect(reader.replaced()).toBe(false);
    rmSync(file());
    made();
    expect(reader.replaced()).toBe(true);
  });
  test("the writer is closed and opened again => is not replaced, and is followed", () => {
    made(...promoted(version(1)));
    using reader = reading();
    reader.snapshot();
    made(...promoted(version(2)));
    expect(reader.replaced()).toBe(false);
    expect(reader.changed()).toBe(true);
    expect(currentOf(reader)).toBe(2);
  });
});

describe("beside a writer", () => {
  test("another process writes two keys per transaction => no snapshot shows one without the other", async () => {
    made();
    await using other = new OtherProcess(`
      const { KeyringWriter } = await import_("writer.ts");
      const { key, version, versionId } = await import_("../testing/keyring.ts");
      const keyring = KeyringWriter.open(${JSON.stringify(folder.path)});
      for (let n = 1; ; n++) {
        keyring.apply(["a", "b"].flatMap((name, which) => {
          const row = version(n, { versionId: versionId(n * 2 + which) });
          return [
            { kind: "putVersion", version: row },
            { kind: "putKey", key: key({ name }) },
            { kind: "setCurrent", key: key({ name }), version: row },
          ];
        }));
      }`);
    using reader = reading();
    let last = 0;
    let snapshots = 0;
    await vi.waitFor(() => {
      other.heard("");
      for (let i = 0; i < 50; i++) {
        const { keys } = reader.snapshot();
        const [a, b] = ["apps/a", "apps/b"].map((name) => keys.get(name)?.current);
        expect(a?.number).toBe(b?.number);
        expect(a?.number ?? 0).toBeGreaterThanOrEqual(last);
        if (a !== undefined) expect(reader.version(a.versionId)?.number).toBe(a.number);
        if ((a?.number ?? 0) > last) snapshots += 1;
        last = a?.number ?? 0;
      }
      expect(snapshots).toBeGreaterThan(20);
    }, deadline);
  });
});

describe.skipIf(!existsSync("/proc/self/fd"))("on a disk that cannot be read any more", () => {
  test("the tables are asked for => KeyringUnavailable with the system's own reason", async () => {
    made(...promoted(version(1)));
    // Replaces SQLite's descriptor by an unreadable one, so that reading fails as from a broken disk.
    await using other = new OtherProcess(`
      const { KeyringReader } = await import_("reader.ts");
      const path = ${JSON.stringify(file())};
      const reader = KeyringReader.open(path);
      const target = (fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } };
      for (const fd of fs.readdirSync("/proc/self/fd").filter((fd) => target(fd) === path)) {
        fs.closeSync(Number(fd));
        if (fs.openSync(path, "a") !== Number(fd)) throw new Error("another descriptor");
      }
      try { reader.snapshot(); } catch ({ code, message }) { say(code + " " + message); }
      hang();`);
    const says = `KeyringUnavailable keyring ${file()}: disk I/O error`;
    await vi.waitFor(() => expect(other.heard(says)).toBe(true), deadline);
  });
});

describe.skipIf(!canMount())("on a disk that cannot be written", () => {
  test("it is read all the same", () => {
    using disk = new Tmpfs("1m");
    const keyring = writing(disk.path);
    keyring.apply(promoted(version(1), version(2)));
    keyring.close();
    disk.remount("ro");
    using reader = reading(join(disk.path, KEYRING_FILE));
    expect(currentOf(reader)).toBe(2);
  });
  test("it can be written again and somebody does => that is noticed", () => {
    using disk = new Tmpfs("1m");
    const path = join(disk.path, KEYRING_FILE);
    const first = writing(disk.path);
    first.apply(promoted(version(1)));
    first.close();
    disk.remount("ro");
    using reader = reading(path);
    expect(currentOf(reader)).toBe(1);
    expect(reader.replaced()).toBe(false);
    disk.remount("rw");
    using second = writing(disk.path);
    second.apply(promoted(version(2)));
    expect(reader.replaced()).toBe(true);
    using again = reading(path);
    expect(currentOf(again)).toBe(2);
    expect(again.replaced()).toBe(false);
  });
});
