import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseKeyId, parseVersionId } from "../crypto/ids.ts";
import { Secret } from "../crypto/secret.ts";
import { sealsIn } from "../testing/seals.ts";
import { createRootKey } from "./root-key-file.ts";
import { sealAad } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";
import { isProven, proveTombstone, type TombstoneText } from "./tombstone.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-tombstone-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function node(name: string): SealSource {
  const path = join(folder, `${name}.key`);
  createRootKey(path);
  return sealsIn(path);
}

const text: TombstoneText = {
  keyId: parseKeyId("aaaaaaaa-0000-4000-8000-000000000001"),
  versionId: parseVersionId("bbbbbbbb-0000-4000-8000-000000000001"),
  number: 1,
  destroyedAt: "2026-01-02T03:04:05Z",
  reason: "its deletion came due",
};

test("a proof => is good for its own text, under its own root key", async () => {
  const seals = node("one");
  const proof = await proveTombstone(seals, text);
  expect(await isProven(seals, text, proof)).toBe(true);
  expect(await isProven(node("two"), text, proof)).toBe(false);
});

test.each([
  ["key", { keyId: parseKeyId("aaaaaaaa-0000-4000-8000-000000000002") }],
  ["version", { versionId: parseVersionId("bbbbbbbb-0000-4000-8000-000000000002") }],
  ["number", { number: 2 }],
  ["date", { destroyedAt: "2026-01-02T03:04:06Z" }],
  ["reason", { reason: "because" }],
] as const)("a proof => is not good for another %s", async (_, changes) => {
  const seals = node("one");
  const proof = await proveTombstone(seals, text);
  expect(await isProven(seals, { ...text, ...changes }, proof)).toBe(false);
});

test("a version's own sealed material => is no proof that it was destroyed", async () => {
  const seals = node("one");
  const binding = { ...text, keySpec: "SYMMETRIC_DEFAULT", keyUsage: "ENCRYPT_DECRYPT" } as const;
  const sealed = await seals.get().wrap(Secret.random(32), sealAad(binding));
  expect(await isProven(seals, text, sealed)).toBe(false);
});

test("an altered or shortened proof => is not good", async () => {
  const seals = node("one");
  const proof = await proveTombstone(seals, text);
  const altered = proof.blob.map((byte, at) => (at === proof.blob.length - 1 ? byte ^ 1 : byte));
  expect(await isProven(seals, text, { ...proof, blob: altered })).toBe(false);
  expect(await isProven(seals, text, { ...proof, blob: proof.blob.subarray(0, 40) })).toBe(false);
});

test("no root key => SealUnavailable, not a verdict", async () => {
  const proof = await proveTombstone(node("one"), text);
  const without = sealsIn(join(folder, "none.key"));
  await expect(isProven(without, text, proof)).rejects.toMatchObject({ code: "SealUnavailable" });
});
