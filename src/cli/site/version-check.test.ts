import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { sealVersion } from "../../keys/seal-version.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { keyId } from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { testVersions, withoutFalseProofs } from "./version-check.ts";

let folder: string;
let seals: SealSource;
let imported: VersionRow;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "claviger-check-"));
  createRootKey(join(folder, "root.key"));
  seals = sealsIn(join(folder, "root.key"));
  const identity = {
    keyId: keyId(1),
    number: 1,
    masterKey: { namespace: "apps", name: "secrets" },
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "EXTERNAL",
    materialId: "ab".repeat(32),
    validTo: Date.parse("2027-01-02T03:04:05Z"),
  } as const;
  using material = Secret.random(32);
  imported = await sealVersion(seals, identity, material);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("versions as they were backed up, with proofs or from a release without => as they are", async () => {
  const { ownership: _, ...former } = imported;
  expect(await testVersions([imported, former], seals)).toEqual([]);
  expect(await withoutFalseProofs([imported, former], seals)).toEqual({
    versions: [imported, former],
    stripped: [],
  });
});

test.each<[string, Partial<VersionRow>]>([
  ["owner", { masterKey: { namespace: "tenant", name: "stolen" } }],
  ["validTo", { validTo: Date.parse("2030-01-01T00:00:00Z") }],
])(
  "a version whose owner or validTo was altered in a backup => is restored without its proof, and named (%s)",
  async (_, change) => {
    const altered = { ...imported, ...change };
    expect(await testVersions([altered], seals)).toEqual([]);
    const { versions, stripped } = await withoutFalseProofs([altered], seals);
    const { ownership: __, ...unproven } = altered;
    expect(versions).toEqual([unproven]);
    expect(stripped).toEqual([expect.stringContaining("version 1 of MasterKey ")]);
  },
);
