import { chownSync, copyFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { currentVersion } from "../../keys/find-key.ts";
import { keyRefText } from "../../names.ts";
import { fileSeal } from "../../seal/file.ts";
import { createRootKey, readRootKey } from "../../seal/root-key-file.ts";
import { sealAad } from "../../seal/seal.ts";
import { SealSource } from "../../seal/seal-source.ts";
import { grantRow } from "../../testing/grants.ts";
import {
  deadline,
  key,
  promoted,
  temporaryFolder,
  tombstone,
  version,
  versionId,
} from "../../testing/keyring.ts";
import { sealsIn } from "../../testing/seals.ts";
import type { KeyringChange } from "../changes.ts";
import { KeyringReader } from "../reader.ts";
import type { VersionRow } from "../rows.ts";
import { KEYRING_FILE } from "../state-folder.ts";
import { KeyringWriter } from "../writer.ts";
import { LiveKeyring } from "./live-keyring.ts";

let folder: ReturnType<typeof temporaryFolder>;
let live: LiveKeyring;
beforeEach(() => {
  folder = temporaryFolder();
  createRootKey(rootKey());
  live = new LiveKeyring(file(), sealsIn(rootKey()));
});
afterEach(() => {
  live.close();
  folder.remove();
});

const rootKey = () => join(folder.path, "root.key");
const stateDir = () => join(folder.path, "state");
const file = () => join(stateDir(), KEYRING_FILE);
const ref = { key: { namespace: "apps", name: "secrets" } };
const aliasRef = { alias: { namespace: "apps", name: "main" } };
const alias = { namespace: "apps", name: "main", masterKey: "secrets" };
const failure = (code: string, message: string | RegExp = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const eventually = (assertion: () => void) => vi.waitFor(assertion, deadline);

/** Writes as the operator does, and closes the keyring. */
function write(...changes: readonly KeyringChange[]): void {
  const keyring = KeyringWriter.open(stateDir());
  try {
    keyring.apply(changes);
  } finally {
    keyring.close();
  }
}

/** Returns a version whose material is 32 times `byte`, sealed under this node's root key. */
async function sealed(n: number, byte = n): Promise<VersionRow> {
  const row = version(n);
  using material = Secret.take(new Uint8Array(32).fill(byte));
  return { ...row, sealed: await fileSeal(readRootKey(rootKey())).wrap(material, sealAad(row)) };
}

describe("what is served", () => {
  test("a key, or an alias of it => its current version", () => {
    write(...promoted(version(1), version(2)), { kind: "putAlias", alias });
    live.start();
    for (const name of [ref, aliasRef]) {
      expect(currentVersion(live, name)).toMatchObject({ key: { name: "secrets" }, version: { number: 2 } });
    }
    expect(live.problem).toBeUndefined();
  });
  test("a disabled key => is returned: who uses it decides", () => {
    write(...promoted(version(1)), { kind: "putKey", key: key({ enabled: false }) });
    live.start();
    expect(currentVersion(live, ref).key.enabled).toBe(false);
  });
  test.each([
    ["an unknown key", ref, "NotFound", /MasterKey apps\/secrets is not in the keyring/],
    ["an unknown alias", aliasRef, "NotFound", /KeyAlias apps\/main is not in the keyring/],
  ])("%s => NotFound naming it", (_, name, code, message) => {
    write();
    live.start();
    expect(() => currentVersion(live, name)).toThrow(failure(code, message));
  });
  test("an alias of a key that is not there => NotFound naming the key", () => {
    write({ kind: "putAlias", alias });
    live.start();
    expect(() => currentVersion(live, aliasRef)).toThrow(failure("NotFound", /MasterKey apps\/secrets/));
  });
  test("a key without a current version => NotReady", () => {
    write({ kind: "putKey", key: key() });
    live.start();
    expect(() => currentVersion(live, ref)).toThrow(
      failure("NotReady", /has no current version on this node yet/),
    );
  });
  test("how a reference is written", () => {
    expect([keyRefText(ref), keyRefText(aliasRef)]).toEqual(["apps/secrets", "alias apps/main"]);
  });
});

describe("the file changes", () => {
  test("a commit of another connection => is seen by itself, and told", async () => {
    write(...promoted(version(1)));
    live.start();
    const heard = vi.fn();
    live.onChange(heard);
    write(...promoted(version(2)));
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(2));
    await eventually(() => expect(live.versionCount).toBe(2));
    expect(heard).toHaveBeenCalled();
  });
  test("there is none at first => NotReady says so; it is made => served", async () => {
    live.start();
    expect(() => currentVersion(live, ref)).toThrow(failure("NotReady", /start the operator/));
    expect(live.problem?.code).toBe("NotReady");
    write(...promoted(version(1)));
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(1));
    expect(live.problem).toBeUndefined();
  });
  test("it is replaced by another (a restore) => that one is served, and old versions still open", async () => {
    write(...promoted(version(1)));
    copyFileSync(file(), join(folder.path, "backup"));
    write(...promoted(version(2)));
    live.start();
    await eventually(() => expect(live.versionCount).toBe(2));
    copyFileSync(join(folder.path, "backup"), join(folder.path, "restored"));
    renameSync(join(folder.path, "restored"), file());
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(1));
    expect(live.version(versionId(2))?.number).toBe(2);
    write({ kind: "putVersion", version: version(3) });
    await eventually(() => expect(live.versionCount).toBe(3));
    write(...promoted(version(3)));
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(3));
  });
  test("it is deleted => what is in memory goes on, and `problem` says so; it is back => no problem", async () => {
    const row = await sealed(1);
    write(...promoted(row));
    live.start();
    await eventually(() => expect(live.versionCount).toBe(1));
    const heard = vi.fn();
    live.onChange(heard);
    renameSync(file(), `${file()}.away`);
    await eventually(() => expect(live.problem).toMatchObject({ code: "NotReady" }));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(currentVersion(live, ref).version.number).toBe(1);
    expect([...(await live.material(row)).exposeSecretBytes()]).toEqual(Array(32).fill(1));
    renameSync(`${file()}.away`, file());
    await eventually(() => expect(live.problem).toBeUndefined());
  });
  test("it becomes something else => what is in memory goes on, `problem` gives the advice", async () => {
    write(...promoted(version(1)));
    live.start();
    writeFileSync(join(folder.path, "garbage"), "not a database at all ".repeat(100));
    renameSync(join(folder.path, "garbage"), file());
    await eventually(() => expect(live.problem).toEqual(failure("KeyringCorrupt", /move it away/)));
    expect(currentVersion(live, ref).version.number).toBe(1);
  });
  test("a version is re-sealed => the new seal is taken up", async () => {
    write(...promoted(version(1)));
    live.start();
    await eventually(() => expect(live.versionCount).toBe(1));
    const other = { provider: "file", rootKeyId: "root-2", blob: Uint8Array.of(1) };
    write({ kind: "putVersion", version: version(1, { sealed: other }) });
    await eventually(() => expect(live.version(versionId(1))?.sealed.rootKeyId).toBe("root-2"));
  });
});

test("10,000 versions => the first answer does not wait for them, and all are loaded in the end", async () => {
  const many = Array.from({ length: 10_000 }, (_, n) => version(n + 1));
  write(...promoted(...many));
  live.start();
  expect(currentVersion(live, ref).version.number).toBe(10_000);
  expect(live.versionCount).toBe(1);
  expect(live.version(versionId(4_321))?.number).toBe(4_321);
  await eventually(() => expect(live.versionCount).toBe(10_000));
  rmSync(file());
  await eventually(() => expect(live.problem).toBeDefined());
  expect(many.every((row) => live.version(row.versionId) !== undefined)).toBe(true);
});

test.each([
  ["is removed", () => rmSync(file())],
  ["is replaced by an older copy", () => renameSync(`${file()}.older`, file())],
])("the file %s before its versions are in memory => they are read from it all the same", async (_, lose) => {
  const many = Array.from({ length: 300 }, (_, n) => version(n + 1));
  write(...promoted(version(1)));
  copyFileSync(file(), `${file()}.older`);
  write(...promoted(...many));
  live.start();
  expect(live.versionCount).toBe(0);
  lose();
  await eventually(() => expect(live.versionCount).toBe(300));
  expect(many.every((row) => live.version(row.versionId) !== undefined)).toBe(true);
});

test("the first look at the file => no version is read but those asked for, however long calls keep the next look waiting", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    write(...promoted(version(1), version(2), version(3)));
    live.start();
    expect(currentVersion(live, ref).version.number).toBe(3);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    expect(live.versionCount).toBe(1);
    vi.advanceTimersToNextTimer();
    await eventually(() => expect(live.versionCount).toBe(3));
  } finally {
    live.close();
    vi.useRealTimers();
  }
});

test("versions that are added while the first ones load => all are loaded", async () => {
  write(...promoted(...Array.from({ length: 3_000 }, (_, n) => version(n + 1))));
  live.start();
  write(...promoted(...Array.from({ length: 1_000 }, (_, n) => version(n + 3_001))));
  await eventually(() => expect(live.versionCount).toBe(4_000));
});

test("the version written last is destroyed and another one re-sealed => the new seal is had", async () => {
  write(...promoted(version(1), version(2)));
  live.start();
  await eventually(() => expect(live.versionCount).toBe(2));
  write({ kind: "destroyVersion", tombstone: tombstone(2) });
  await eventually(() => expect(live.versionCount).toBe(1));
  write({ kind: "putVersion", version: version(1, { validTo: 1 }) });
  await eventually(() => expect(live.version(versionId(1))?.validTo).toBe(1));
});

describe("a row that this release cannot read", () => {
  const spoil = (n: number) => {
    using db = new DatabaseSync(file());
    db.prepare("UPDATE versions SET key_spec = 'SM2' WHERE version_id = ?").run(versionId(n));
  };
  test("among others => all others are had, it alone is refused and named", async () => {
    write(...promoted(version(1), version(2), version(3), version(4)));
    spoil(2);
    live.start();
    const heard = vi.fn();
    live.onChange(heard);
    await eventually(() => expect(live.versionCount).toBe(3));
    // Looks at the file some more times: it is not opened again each time.
    write(...promoted(version(5)));
    await eventually(() => expect(live.versionCount).toBe(4));
    expect(live.version(versionId(4))).toEqual(version(4));
    expect(currentVersion(live, ref).version.number).toBe(5);
    expect(live.problem).toBeUndefined();
    const refusal = failure("KeyringCorrupt", /column key_spec/);
    expect(() => live.version(versionId(2))).toThrow(refusal);
    expect([...live.unreadable]).toEqual([[versionId(2), refusal]]);
  });
  test("it is put right => it is had, and no longer named", async () => {
    write(...promoted(version(1), version(2)));
    spoil(1);
    live.start();
    await eventually(() => expect(live.unreadable.size).toBe(1));
    using db = new DatabaseSync(file());
    db.exec("UPDATE versions SET key_spec = 'SYMMETRIC_DEFAULT', seq = seq + 10");
    await eventually(() => expect(live.unreadable.size).toBe(0));
    expect(live.version(versionId(1))?.number).toBe(1);
  });
});

describe("material", () => {
  test("asked for twice at once and again later => opened once", async () => {
    const row = await sealed(1, 0x42);
    write(...promoted(row));
    live.start();
    const unseal = vi.spyOn(SealSource.prototype, "unseal");
    const [a, b] = await Promise.all([live.material(row), live.material(row)]);
    expect(a).toBe(b);
    expect(await live.material(row)).toBe(a);
    expect([...a.exposeSecretBytes()]).toEqual(Array(32).fill(0x42));
    expect(unseal).toHaveBeenCalledTimes(1);
    unseal.mockRestore();
  });
  test("it does not open => SealMismatch, and it is tried again when asked again", async () => {
    const row = await sealed(1);
    const other = { ...row, number: 2 };
    live.start();
    await expect(live.material(other)).rejects.toMatchObject({ code: "SealMismatch" });
    expect((await live.material(row)).size).toBe(32);
  });
  test("the root key is missing and is put back => opened without a restart", async () => {
    const row = await sealed(1);
    renameSync(rootKey(), `${rootKey()}.away`);
    await expect(live.material(row)).rejects.toMatchObject({ code: "SealUnavailable" });
    renameSync(`${rootKey()}.away`, rootKey());
    expect((await live.material(row)).size).toBe(32);
  });
  test("closed => what was opened is wiped", async () => {
    const material = await live.material(await sealed(1));
    const bytes = material.exposeSecretBytes();
    live.close();
    expect([...bytes]).toEqual(Array(32).fill(0));
    expect(() => material.exposeSecretBytes()).toThrow();
  });
  test("closed while it is being opened => it is wiped too, and not given out", async () => {
    const opening = live.material(await sealed(1));
    live.close();
    await expect(opening).rejects.toMatchObject({ code: "NotReady" });
  });
});

test("a version of a kind that this release does not know is destroyed => all others continue to be served", async () => {
  write(...promoted(version(1)));
  const unknown = { ...tombstone(7), keySpec: "SM2" as "HMAC_256" };
  write({ kind: "destroyVersion", tombstone: unknown });
  live.start();
  await eventually(() => expect(live.versionCount).toBe(1));
  expect(live.problem).toBeUndefined();
  expect(currentVersion(live, ref).version.number).toBe(1);
  expect(live.destroyed(versionId(7))).toMatchObject({ keySpec: "SM2" });
});

describe("a version that is destroyed", () => {
  const destroy = (n: number): KeyringChange => ({ kind: "destroyVersion", tombstone: tombstone(n) });
  const gone = failure("VersionDestroyed", "version 1 of MasterKey apps/secrets was destroyed on 2026-01-02");

  test("=> its material is wiped from memory, the others' is not", async () => {
    const rows = [await sealed(1), await sealed(2)] as const;
    write(...promoted(...rows));
    live.start();
    const [first, second] = await Promise.all(rows.map((row) => live.material(row)));
    const bytes = first?.exposeSecretBytes();
    write(destroy(1));
    await eventually(() => expect(live.destroyed(versionId(1))).toMatchObject(tombstone(1)));
    expect([...(bytes ?? [])]).toEqual(Array(32).fill(0));
    expect(live.version(versionId(1))).toBeUndefined();
    expect(second?.exposeSecretBytes()).toHaveLength(32);
    await expect(live.material(rows[0])).rejects.toThrow(gone);
  });
  test("before the start => is known with the first reading", () => {
    write(...promoted(version(1), version(2)), destroy(1));
    live.start();
    expect(live.destroyed(versionId(1))).toBeDefined();
    expect(currentVersion(live, ref).version.number).toBe(2);
  });
  test("an older copy of the file is put back => it is not served from there", async () => {
    write(...promoted(version(1), version(2)));
    copyFileSync(file(), join(folder.path, "restored"));
    write(destroy(1));
    live.start();
    renameSync(join(folder.path, "restored"), file());
    write({ kind: "putVersion", version: version(3) });
    await eventually(() => expect(live.version(versionId(3))).toBeDefined());
    expect(live.version(versionId(1))).toBeUndefined();
    expect(live.destroyed(versionId(1))).toBeDefined();
  });
});

test.each([3, 4])(
  "a keyring of schema %i that its operator has not brought to this release yet => is served",
  (schema) => {
    write(...promoted(version(1)));
    {
      using db = new DatabaseSync(file());
      db.exec("DROP TABLE tombstones; ALTER TABLE keys DROP COLUMN deletion_date");
      db.exec(`PRAGMA user_version = ${schema}`);
    }
    live.start();
    expect(currentVersion(live, ref).version.number).toBe(1);
    expect(live.problem).toBeUndefined();
  },
);

describe("a caller that asks for what leads to nothing, a thousand times", () => {
  test("versions that are not there => the file is asked a few times only, and what comes later is had", async () => {
    write(...promoted(await sealed(1)));
    live.start();
    await eventually(() => expect(live.versionCount).toBe(1));
    const reads = vi.spyOn(KeyringReader.prototype, "version");
    try {
      // Without a turn of the event loop, so that the keyring does not look at the file meanwhile.
      for (let n = 1_000; n < 2_000; n += 1) expect(live.version(versionId(n))).toBeUndefined();
      expect(reads.mock.calls.length).toBeLessThan(50);
    } finally {
      reads.mockRestore();
    }
    write({ kind: "putVersion", version: await sealed(2) });
    await eventually(() => expect(live.version(versionId(2))).toMatchObject({ number: 2 }));
  });

  test("a version under another root key => the root key is tried a few times only, and again later", async () => {
    const row = await sealed(1);
    write(...promoted({ ...row, sealed: { ...row.sealed, rootKeyId: "another" } }));
    live.start();
    const { version: served } = currentVersion(live, ref);
    const tries = vi.spyOn(SealSource.prototype, "unseal");
    try {
      for (let n = 0; n < 1_000; n += 1) {
        // Waits for a microtask only, as above.
        await expect(live.material(served)).rejects.toEqual(failure("SealUnavailable"));
      }
      const { length } = tries.mock.calls;
      expect(length).toBeLessThan(500);
      await eventually(() => {
        live.material(served).catch(() => undefined);
        expect(tries.mock.calls.length).toBeGreaterThan(length);
      });
    } finally {
      tries.mockRestore();
    }
  });
});

test("closed => it follows no more", async () => {
  write(...promoted(version(1)));
  live.start();
  const heard = vi.fn();
  live.onChange(heard);
  live.close();
  write(...promoted(version(2)));
  const witness = new LiveKeyring(file(), sealsIn(rootKey()));
  witness.start();
  await eventually(() => expect(witness.versionCount).toBe(2));
  write(...promoted(version(3)));
  await eventually(() => expect(currentVersion(witness, ref).version.number).toBe(3));
  witness.close();
  expect(heard).not.toHaveBeenCalled();
});

describe.runIf(process.getuid?.() === 0)("a state folder that another user could replace files in", () => {
  const spoil = () => chownSync(stateDir(), 1000, 1000);
  const mend = () => chownSync(stateDir(), 0, 0);
  const refused = failure(
    "KeyringUnavailable",
    /^state folder .*state \(mode 0700\) belongs to user 1000, .*; run: chown -h 0 /,
  );

  test("is not opened by the operator, nor by a plugin that starts, until that is mended", async () => {
    write(...promoted(version(1)));
    spoil();
    expect(() => write()).toThrow(refused);
    live.start();
    expect(live.problem).toEqual(refused);
    expect(() => currentVersion(live, ref)).toThrow(refused);
    mend();
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(1));
  });

  test("stops no plugin that has read it before, and what is put there then is not believed", async () => {
    write(...promoted(version(1), version(2)));
    live.start();
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(2));
    spoil();
    renameSync(file(), join(folder.path, "away"));
    for (const suffix of ["-wal", "-shm"]) rmSync(`${file()}${suffix}`, { force: true });
    mend();
    write(...promoted(version(3)));
    spoil();
    await eventually(() => expect(live.problem).toEqual(refused));
    expect(currentVersion(live, ref).version.number).toBe(2);
    mend();
    await eventually(() => expect(currentVersion(live, ref).version.number).toBe(3));
  });
});

test("a caller that asks for a fresh keyring sees what was just written, without waiting for the next look", async () => {
  write({ kind: "putKey", key: key() });
  live.start();
  await vi.waitFor(() => {
    // The first look may have been a moment ago.
    live.freshen();
    expect(live.keys.get("apps/secrets")?.enabled).toBe(true);
  }, deadline);
  write({ kind: "putKey", key: key({ enabled: false }) });
  // No timer runs in this loop.
  const until = performance.now() + deadline.timeout;
  while (live.keys.get("apps/secrets")?.enabled && performance.now() < until) live.freshen();
  expect(live.keys.get("apps/secrets")?.enabled).toBe(false);
});

test("the number of commits changes with each commit that is sighted and each file that is opened, and else never", async () => {
  write({ kind: "putKey", key: key() });
  live.start();
  live.freshen();
  const before = live.commits;
  live.freshen();
  expect(live.commits).toBe(before);
  write({ kind: "putKey", key: key({ enabled: false }) });
  // What is told apart by the number is asked for only after this.
  live.freshen();
  const after = live.commits;
  expect(after).toBeGreaterThan(before);
  copyFileSync(file(), `${file()}.new`);
  renameSync(`${file()}.new`, file());
  await eventually(() => expect(live.commits).toBeGreaterThan(after));
});

describe("a commit", () => {
  /** Changes the file as its operator does, and waits until it was looked at. */
  async function commit(change: (keyring: KeyringWriter) => void): Promise<void> {
    const looks = vi.spyOn(KeyringReader.prototype, "snapshot");
    try {
      const keyring = KeyringWriter.open(stateDir());
      try {
        keyring.transaction(() => change(keyring));
      } finally {
        keyring.close();
      }
      await eventually(() => expect(looks).toHaveBeenCalled());
    } finally {
      looks.mockRestore();
    }
  }
  beforeEach(async () => {
    write(...promoted(version(1)), { kind: "putAlias", alias });
    live.start();
    await eventually(() => expect(live.versionCount).toBe(1));
  });

  test("about grants, details or standalone objects => no key or alias is read again, and nobody is told", async () => {
    const heard = vi.fn();
    live.onChange(heard);
    const { keys, aliases } = live;
    await commit((keyring) => keyring.grants.put(grantRow(1)));
    await commit((keyring) => keyring.run("INSERT INTO version_details VALUES ('v', 1, NULL)"));
    await commit((keyring) =>
      keyring.run("INSERT INTO objects VALUES ('MasterKey', 'apps', 'secrets', '{}')"),
    );
    expect(live.keys).toBe(keys);
    expect(live.aliases).toBe(aliases);
    expect(heard).not.toHaveBeenCalled();
    await commit((keyring) => keyring.run("UPDATE keys SET enabled = 0"));
    expect(live.keys.get("apps/secrets")?.enabled).toBe(false);
    expect(live.aliases).toBe(aliases);
    expect(heard).toHaveBeenCalled();
  });

  test.each([
    ["keys", "DELETE FROM keys", () => live.keys.size === 0],
    ["aliases", "INSERT INTO aliases VALUES ('apps', 'b', 'x', '')", () => live.aliases.size === 2],
    ["removed aliases", "INSERT INTO removed_aliases VALUES ('apps', 'main')", () => live.isRemoved(alias)],
    [
      "served imports",
      "INSERT INTO served_imports VALUES ('apps', 'main', 'secrets')",
      () => live.servedImport({ alias, masterKey: "secrets" }),
    ],
    ["time", "INSERT INTO operator_time VALUES (1, 1, 7, 1)", () => live.expiryTime(1_000_000) < 1_000_000],
    ["followed kinds", "INSERT INTO followed_kinds VALUES ('MasterKey')", () => live.hasHadAllKeys],
    ["versions", `UPDATE versions SET number = 9, seq = 2`, () => live.version(versionId(1))?.number === 9],
  ])("about %s is seen, although a program wrote it that counts no changes", async (_, sql, isSeen) => {
    expect(isSeen()).toBe(false);
    {
      using db = new DatabaseSync(file());
      db.exec(sql);
    }
    await eventually(() => expect(isSeen()).toBe(true));
  });

  test("in the file of a release that counts no changes is seen", async () => {
    await commit((keyring) => keyring.run("DELETE FROM table_changes"));
    await commit((keyring) => keyring.run("UPDATE keys SET enabled = 0"));
    expect(live.keys.get("apps/secrets")?.enabled).toBe(false);
    {
      using db = new DatabaseSync(file());
      for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all())
        db.exec(`DROP TRIGGER ${String(name)}`);
      db.exec("DROP TABLE table_changes; UPDATE keys SET enabled = 1");
    }
    await eventually(() => expect(live.keys.get("apps/secrets")?.enabled).toBe(true));
  });

  test("of another file, put in place of this one with as many changes, is seen", async () => {
    copyFileSync(file(), join(folder.path, "other"));
    {
      using other = new DatabaseSync(join(folder.path, "other"));
      other.exec(
        "UPDATE keys SET enabled = 0; UPDATE table_changes SET changes = changes - 1 WHERE name = 'keys'",
      );
    }
    renameSync(join(folder.path, "other"), file());
    await eventually(() => expect(live.keys.get("apps/secrets")?.enabled).toBe(false));
  });
});
