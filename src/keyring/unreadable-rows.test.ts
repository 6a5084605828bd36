import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { currentVersion } from "../keys/find-key.ts";
import { createRootKey } from "../seal/root-key-file.ts";
import {
  deadline,
  key,
  keyId,
  promoted,
  temporaryFolder,
  tombstone,
  version,
  versionId,
} from "../testing/keyring.ts";
import { sealsIn } from "../testing/seals.ts";
import { encodeBackup, parseBackup } from "./backup/format.ts";
import type { KeyringChange } from "./changes.ts";
import { LiveKeyring } from "./live/live-keyring.ts";
import { KeyringReader } from "./reader.ts";
import { MAX_VERSION_NUMBER } from "./version-number.ts";
import { KeyringWriter } from "./writer.ts";

let folder: ReturnType<typeof temporaryFolder>;
let writer: KeyringWriter;
beforeEach(() => {
  folder = temporaryFolder();
  writer = KeyringWriter.open(join(folder.path, "state"));
  writer.apply([
    ...promoted(version(1), version(2)),
    { kind: "putKey", key: OTHER },
    { kind: "putVersion", version: OTHERS_VERSION },
    { kind: "setCurrent", key: OTHER, version: OTHERS_VERSION },
    { kind: "putAlias", alias: { namespace: "apps", name: "main", masterKey: "secrets" } },
    { kind: "putAlias", alias: { namespace: "apps", name: "side", masterKey: "other" } },
    { kind: "destroyVersion", tombstone: tombstone(7) },
    { kind: "destroyVersion", tombstone: tombstone(8) },
  ]);
  for (const name of ["secrets", "other"])
    writer.run("INSERT INTO objects VALUES ('MasterKey', 'apps', ?, ?)", name, "{}");
});
afterEach(() => {
  writer.close();
  folder.remove();
});

const OTHER = key({ name: "other", keyId: keyId(2) });
const OTHERS_VERSION = version(9, { keyId: keyId(2), masterKey: { namespace: "apps", name: "other" } });
const SECRETS = "namespace = 'apps' AND name = 'secrets'";

/** Values that no release writes, each in a row of another table. */
const damages: readonly (readonly [string, string, RegExp])[] = [
  [
    "a version's number is past what a number holds",
    `UPDATE versions SET number = 9007199254740993 WHERE version_id = '${versionId(2)}'`,
    /^version bbbbbbbb.*2$/,
  ],
  [
    "a version's number is past the highest",
    `UPDATE versions SET number = ${MAX_VERSION_NUMBER + 1} WHERE version_id = '${versionId(2)}'`,
    /^version bbbbbbbb.*2$/,
  ],
  [
    "a version's validTo is past what a number holds",
    `UPDATE versions SET valid_to = -9223372036854775808 WHERE version_id = '${versionId(2)}'`,
    /^version bbbbbbbb.*2$/,
  ],
  ["a key's keyId is none", `UPDATE keys SET key_id = 'x' WHERE ${SECRETS}`, /^MasterKey apps\/secrets$/],
  [
    "a key's current number is past what a number holds",
    `UPDATE keys SET current_number = 9223372036854775807 WHERE ${SECRETS}`,
    /^MasterKey apps\/secrets$/,
  ],
  [
    "a key's former keyIds are none",
    `UPDATE keys SET former_key_ids = 'x y' WHERE ${SECRETS}`,
    /^MasterKey apps\/secrets$/,
  ],
  [
    "an alias's former targets are none",
    "UPDATE aliases SET former_targets = 'x:1:y' WHERE name = 'main'",
    /^KeyAlias apps\/main$/,
  ],
  [
    "an alias left a number that is none",
    `UPDATE aliases SET former_targets = '${keyId(1)}:1e308:${versionId(1)}' WHERE name = 'main'`,
    /^KeyAlias apps\/main$/,
  ],
  ["an object is no JSON", `UPDATE objects SET json = '{"a' WHERE ${SECRETS}`, /^MasterKey apps\/secrets$/],
];

function damage(sql: string): void {
  using db = new DatabaseSync(writer.path);
  expect(db.prepare(sql).run().changes).toBe(1);
}
const dump = (table: string, where = "TRUE"): unknown[] => {
  using db = new DatabaseSync(writer.path, { readOnly: true });
  const all = db.prepare(`SELECT * FROM ${table} WHERE ${where}`);
  all.setReadBigInts(true);
  return all.all();
};

describe("one row that cannot be read", () => {
  test.each(damages)("%s => it alone is missing from a backup, and is named", (_, sql, name) => {
    const reader = KeyringReader.open(writer.path);
    onTestFinished(() => reader.close());
    const count = () => Object.values(reader.readImage().image).flat().length;
    const before = count();
    damage(sql);
    const { image, unreadable } = reader.readImage();
    expect(unreadable.map((row) => row.name)).toEqual([expect.stringMatching(name)]);
    expect(unreadable[0]?.error).toMatchObject({ code: "KeyringCorrupt" });
    expect(count()).toBe(before - 1);
    const text = encodeBackup({ takenAt: "2026-01-02T03:04:05Z", nodeName: "node-1", image });
    expect(encodeBackup(parseBackup(Buffer.from(text), "x"))).toBe(text);
    expect(() => reader.image()).toThrow(/cannot be read/);
  });

  test.each(damages)("%s => the operator has the others, and no change touches it", (_, sql, name) => {
    damage(sql);
    const unreadable = () => [
      ...writer.unreadableRows().map((row) => row.name),
      ...writer.readVersions().unreadable.map(({ versionId }) => `version ${versionId}`),
    ];
    expect(unreadable()).toEqual([expect.stringMatching(name)]);
    const [, table = "", where = ""] = /^UPDATE (\w+) SET .* WHERE (.*)$/.exec(sql) ?? [];
    const before = dump(table, where);
    const resealed = version(2, { sealed: { ...version(2).sealed, rootKeyId: "root-2" } });
    const everything: KeyringChange[] = [
      ...promoted(version(1), resealed),
      { kind: "putKey", key: { ...key(), enabled: false } },
      { kind: "putFormerKeyIds", key: key(), keyIds: [keyId(3)] },
      { kind: "putAlias", alias: { namespace: "apps", name: "main", masterKey: "other" } },
      { kind: "putKey", key: { ...OTHER, enabled: false } },
    ];
    writer.apply(everything);
    expect(writer.keys().find((row) => row.name === "other")).toMatchObject({ enabled: false });
    expect(before).toHaveLength(1);
    expect(dump(table, where)).toEqual(before);
    expect(unreadable()).toHaveLength(1);
  });

  test("a tombstone => the others are had, and the version that it names does not come back", () => {
    damage(`UPDATE tombstones SET number = 9223372036854775807 WHERE version_id = '${versionId(7)}'`);
    expect(writer.tombstones().map((row) => row.versionId)).toEqual([versionId(8)]);
    expect(writer.unreadableRows()).toMatchObject([{ name: `the tombstone of version ${versionId(7)}` }]);
    expect(writer.destroyedIds()).toEqual(new Set([versionId(7), versionId(8)]));
    expect(() => writer.apply([{ kind: "putVersion", version: version(7) }])).toThrow(/was destroyed/);
  });
});

describe("a plugin that follows the keyring", () => {
  beforeEach(() => createRootKey(join(folder.path, "root.key")));
  function following(): LiveKeyring {
    const live = new LiveKeyring(writer.path, sealsIn(join(folder.path, "root.key")));
    onTestFinished(() => live.close());
    live.start();
    return live;
  }
  const current = (live: LiveKeyring, name: string) =>
    currentVersion(live, { key: { namespace: "apps", name } }).version.number;

  test("the row of one key becomes unreadable => that key continues to be served, and a change of another arrives", async () => {
    const live = following();
    expect(current(live, "secrets")).toBe(2);
    damage(`UPDATE keys SET current_number = 9223372036854775807 WHERE ${SECRETS}`);
    writer.apply([{ kind: "putKey", key: { ...OTHER, enabled: false } }]);
    await vi.waitFor(() => expect(live.owner(OTHERS_VERSION)?.enabled).toBe(false), deadline);
    expect(current(live, "secrets")).toBe(2);
    expect(live.unreadableRows).toMatchObject([{ name: "MasterKey apps/secrets" }]);
  });

  test("it starts when the row of one key is unreadable => that key says so, the others are served", () => {
    damage(`UPDATE keys SET former_key_ids = 'x' WHERE ${SECRETS}`);
    const live = following();
    expect(current(live, "other")).toBe(9);
    expect(() => current(live, "secrets")).toThrow(expect.objectContaining({ code: "KeyringCorrupt" }));
  });
});

test.each([0, -1, 1.5, MAX_VERSION_NUMBER + 1, 2 ** 53, Number.NaN])(
  "a version of number %d => is refused before it is stored",
  (number) => {
    const before = dump("versions");
    expect(() => writer.apply([{ kind: "putVersion", version: version(3, { number }) }])).toThrow(
      expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining("number") }),
    );
    expect(dump("versions")).toEqual(before);
  },
);
