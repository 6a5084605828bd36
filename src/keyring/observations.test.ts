import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KmsKeyId } from "../crypto/ids.ts";
import { observationsPath, readObservations, writeObservations } from "./observations.ts";
import type { ObservationRow } from "./rows.ts";
import { KEYRING_FILE } from "./state-folder.ts";
import { temporaryFolder } from "./testing.ts";

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

test("no plugin has written yet => nothing was seen", () => {
  expect(readObservations(keyring())).toEqual([]);
});

test.each([
  ["empty", ""],
  ["cut off", '[{"provider":"a","kms_key'],
  ["no list", "{}"],
  ["a list of something else", "[1]"],
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
