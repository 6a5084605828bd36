import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KmsKeyId } from "../crypto/ids.ts";
import { temporaryFolder } from "../testing/keyring.ts";
import { observationsPath, readObservations, writeObservations } from "./observations.ts";
import type { ObservationRow } from "./rows.ts";
import { KEYRING_FILE } from "./state-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const keyring = () => join(folder.path, KEYRING_FILE);
const path = () => observationsPath(keyring());
const row = (provider: string, changes: Partial<ObservationRow> = {}): ObservationRow => ({
  provider,
  kmsKeyId: "0123456789abcdef0123456789abcdef" as KmsKeyId,
  servingSince: 1_000,
  encrypts: 3,
  settled: false,
  ...changes,
});

test("what is written is read again, each time whole, and nobody else may read it", async () => {
  await writeObservations(keyring(), [row("a"), row("b", { lastEncryptAt: 2_000, settled: true })]);
  expect(readObservations(keyring())).toEqual([row("a"), row("b", { lastEncryptAt: 2_000, settled: true })]);
  await writeObservations(keyring(), [row("b", { encrypts: 4 })]);
  expect(readObservations(keyring())).toEqual([row("b", { encrypts: 4 })]);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
});

/** An observation as a plugin of an older release writes it. */
const RECORD = {
  provider: "a",
  kms_key_id: "0123456789abcdef0123456789abcdef",
  serving_since: 1_000,
  encrypts: 3,
  last_encrypt_at: null,
  settled: 0,
};

test("what an older plugin wrote is read, and says nothing of an episode", () => {
  writeFileSync(path(), JSON.stringify([RECORD]));
  expect(readObservations(keyring())).toEqual([row("a")]);
});

test("what says whether the next plugin missed anything is read again", async () => {
  const seen = row("a", {
    episode: "0b7c5c0e-7a6b-4a3c-9d55-3f1f0a9d2c11",
    lastStatusAt: 5_000,
    notAskedSince: 5_000,
    mark: { boot: "boot-1", statusAt: 17, whole: true },
    serves: "apps/secrets",
  });
  await writeObservations(keyring(), [seen]);
  expect(readObservations(keyring())).toEqual([seen]);
});

test("no plugin has written yet => nothing was seen", () => {
  expect(readObservations(keyring())).toEqual([]);
});

test.each([
  ["empty", ""],
  ["cut off", '[{"provider":"a","kms_key'],
  ["no list", "{}"],
  ["a list of something else", "[1]"],
  ["a row with an endless name", JSON.stringify([{ ...RECORD, provider: "a".repeat(64) }])],
  ["a row with a time that no date has", JSON.stringify([{ ...RECORD, last_status_at: 1e300 }])],
  ["a row with a count below nothing", JSON.stringify([{ ...RECORD, encrypts: -1 }])],
  ["a row with an endless episode", JSON.stringify([{ ...RECORD, episode: "e".repeat(37) }])],
  ["a row with half a mark", JSON.stringify([{ ...RECORD, boot: "b" }])],
  ["a row without its key_id", '[{"provider":"a","serving_since":1,"encrypts":1,"settled":0}]'],
])(
  "a file that is %s, after a power cut => nothing was seen: the plugin, which began anew too, writes it again",
  async (_, text) => {
    writeFileSync(path(), text);
    expect(readObservations(keyring())).toEqual([]);
    await writeObservations(keyring(), [row("a")]);
    expect(readObservations(keyring())).toEqual([row("a")]);
  },
);

test("it cannot be written => KeyringUnavailable naming it, and what was there stays", async () => {
  await writeObservations(keyring(), [row("a")]);
  mkdirSync(`${path()}.new`);
  await expect(writeObservations(keyring(), [row("b")])).rejects.toMatchObject({
    code: "KeyringUnavailable",
    message: expect.stringContaining(path()),
  });
  expect(readFileSync(path(), "utf8")).toContain('"a"');
});
