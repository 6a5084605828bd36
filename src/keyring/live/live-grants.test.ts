import { copyFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { grantRow } from "../../testing/grants.ts";
import { deadline, temporaryFolder } from "../../testing/keyring.ts";
import type { GrantRow } from "../grant-row.ts";
import { KeyringReader } from "../reader.ts";
import { KEYRING_FILE } from "../state-folder.ts";
import { recordFollowed } from "../tables/followed-kinds.ts";
import { KeyringWriter } from "../writer.ts";
import { LiveGrants } from "./live-grants.ts";

let folder: ReturnType<typeof temporaryFolder>;
let keyring: KeyringWriter;
let live: LiveGrants;
const grants = new Map<string, GrantRow>();
beforeEach(() => {
  folder = temporaryFolder();
  grants.clear();
  keyring = KeyringWriter.open(stateDir());
  recordFollowed(keyring, "KeyGrant");
  live = new LiveGrants(file(), {
    put: (grant) => grants.set(grant.grantId, grant),
    delete: (grantId) => grants.delete(grantId),
    clear: () => grants.clear(),
  });
});
afterEach(() => {
  live.close();
  keyring.close();
  folder.remove();
});

const stateDir = () => join(folder.path, "state");
const file = () => join(stateDir(), KEYRING_FILE);
const put = (...rows: readonly GrantRow[]) =>
  keyring.transaction(() => {
    for (const row of rows) keyring.grants.put(row);
  });
const eventually = (assertion: () => void) => vi.waitFor(assertion, deadline);
const full: GrantRow = grantRow(1, {
  retiringPrincipal: "arn:aws:iam::000000000000:root",
  operations: ["Decrypt", "GenerateDataKey"],
  constraint: { kind: "Subset", context: JSON.parse('{"a b":"ü","__proto__":"x"}') },
  grantName: "for/app",
  createdAt: 3,
  expiresAt: 4_000_000_000_000,
});

describe("grants of a keyring", () => {
  test("come back from the file as they were put there", async () => {
    put(full, grantRow(2));
    live.start();
    await eventually(() => expect(live.complete).toBe(true));
    expect([...grants.values()]).toEqual([full, grantRow(2)]);
    expect(Object.entries(grants.get(full.grantId)?.constraint?.context ?? {})).toHaveLength(2);
  });

  test("are followed: new, changed and ended, also after the last row was forgotten", async () => {
    live.start();
    put(grantRow(1), grantRow(2));
    await eventually(() => expect(grants.size).toBe(2));
    put(grantRow(2, { ended: { phase: "Revoked", at: 5 } }));
    await eventually(() => expect(grants.get(grantRow(2).grantId)?.ended?.phase).toBe("Revoked"));
    expect(keyring.grants.forgetEndedBefore(5)).toBe(0);
    expect(keyring.grants.forgetEndedBefore(6)).toBe(1);
    put(grantRow(3));
    await eventually(() => expect(grants.has(grantRow(3).grantId)).toBe(true));
    expect(keyring.grants.names()).toEqual([
      { namespace: "apps", name: "grant-1" },
      { namespace: "apps", name: "grant-3" },
    ]);
  });

  test("of another file, put in its place, count alone", async () => {
    put(grantRow(1), grantRow(2));
    live.start();
    await eventually(() => expect(grants.size).toBe(2));
    keyring.close();
    copyFileSync(file(), `${file()}.other`);
    {
      using other = new DatabaseSync(`${file()}.other`);
      other.exec("DELETE FROM grants WHERE seq = 1");
    }
    renameSync(`${file()}.other`, file());
    keyring = KeyringWriter.open(stateDir());
    await eventually(() => expect([...grants.keys()]).toEqual([grantRow(2).grantId]));
  });

  test("of another file, put in its place while the first is loaded, are complete by that file's own record", async () => {
    put(...Array.from({ length: 600 }, (_, n) => grantRow(n + 1)));
    keyring.close();
    KeyringWriter.open(join(folder.path, "restored")).close();
    live.start();
    expect([grants.size, live.complete]).toEqual([500, false]);
    renameSync(join(folder.path, "restored", KEYRING_FILE), file());
    // No timer runs in this loop, and the load stays where it paused.
    const until = performance.now() + deadline.timeout;
    while (grants.size > 0 && performance.now() < until) live.freshen();
    await new Promise(setImmediate);
    expect([grants.size, live.complete]).toEqual([0, false]);
    keyring = KeyringWriter.open(stateDir());
    put(grantRow(1));
    recordFollowed(keyring, "KeyGrant");
    await eventually(() => expect(live.complete).toBe(true));
    expect([...grants.keys()]).toEqual([grantRow(1).grantId]);
  });

  test.each([
    ["key_id", "x"],
    ["operations", "Decrypt Everything"],
    ["context", "[1]"],
    ["constraint_kind", "Superset"],
    ["expires_at", -1],
    ["ended", "Later"],
  ])("whose column %s was damaged => that grant allows nothing, the others do", async (column, value) => {
    put(full, grantRow(2));
    live.start();
    await eventually(() => expect(grants.size).toBe(2));
    keyring.run(`UPDATE grants SET ${column} = ?, seq = 10 WHERE grant_id = ?`, value, full.grantId);
    await eventually(() => expect([...grants.keys()]).toEqual([grantRow(2).grantId]));
    expect(live.problem).toBeUndefined();
    expect(keyring.grants.get(full.grantId)).toBeUndefined();
  });

  test("that were just written are seen by whoever asks for fresh ones, without waiting for the next look", async () => {
    live.start();
    await eventually(() => expect(live.complete).toBe(true));
    put(grantRow(1));
    // No timer runs in this loop.
    const until = performance.now() + deadline.timeout;
    while (grants.size === 0 && performance.now() < until) live.freshen();
    expect(grants.size).toBe(1);
  });
  test("are complete once the operator has recorded all of them", async () => {
    keyring.run("DELETE FROM followed_kinds");
    put(grantRow(1));
    live.start();
    await eventually(() => expect(grants.size).toBe(1));
    expect(live.complete).toBe(false);
    recordFollowed(keyring, "KeyGrant");
    await eventually(() => expect(live.complete).toBe(true));
  });
  test("are none in the file of an older release", () => {
    keyring.run("DROP TABLE grants");
    const reader = KeyringReader.open(file());
    expect(reader.grantsAfter(0, 10)).toEqual([]);
    reader.close();
  });

  test("stay in memory if the file is gone, and that is said", async () => {
    put(grantRow(1));
    live.start();
    await eventually(() => expect(grants.size).toBe(1));
    renameSync(file(), `${file()}.away`);
    await eventually(() => expect(live.problem?.message).toMatch(/there is no keyring/));
    expect(grants.size).toBe(1);
  });
});
