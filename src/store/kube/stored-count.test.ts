import { expect, test } from "vitest";
import type { CensusRow } from "../../storage/census/census-tally.ts";
import { storedCount } from "./stored-count.ts";

const row = (stored: CensusRow["stored"], objects: number, examples: readonly string[]): CensusRow => ({
  resource: "secrets",
  stored,
  objects,
  examples,
});
const kms = (keyId: string) => ({ kind: "kms-v2", provider: "p", keyId }) as const;
const census = (rows: readonly CensusRow[], unlisted = 0) => ({ revision: 7, objects: 99, rows, unlisted });

test("counts and names what is not under the key_id, with what it is under", () => {
  const rows = [
    row(kms("new"), 50, ["apps/fine"]),
    row({ kind: "plain" }, 2, ["apps/a", "apps/b"]),
    row(kms("old"), 1, ["apps/c"]),
    { ...row({ kind: "damaged" }, 1, ["lonely"]), resource: "nodes" },
    { ...row({ kind: "plain" }, 1, ["x"]), resource: "servicenodeportallocations" },
  ];
  expect(storedCount(census(rows), "new")).toEqual({
    remaining: 4,
    revision: 7,
    strays: [
      { resource: "secrets", namespace: "apps", name: "a", under: "plain" },
      { resource: "secrets", namespace: "apps", name: "b", under: "plain" },
      { resource: "secrets", namespace: "apps", name: "c", under: "key_id old, provider p" },
      { resource: "nodes", name: "lonely", under: "damaged" },
    ],
  });
});

test("what is under the key_id by the name of a provider that was renamed => is left: by its new name nobody reads it", () => {
  const writerName = (resource: string) => (resource === "secrets" ? "renamed" : undefined);
  const rows = [
    row(kms("new"), 2, ["apps/a"]),
    row({ ...kms("new"), provider: "renamed" }, 3, ["apps/b"]),
    { ...row(kms("new"), 1, ["x"]), resource: "frobs.?" },
  ];
  expect(storedCount(census(rows), "new", writerName)).toMatchObject({
    remaining: 2,
    strays: [{ resource: "secrets", namespace: "apps", name: "a", under: "key_id new, provider p" }],
  });
});

test("objects that are in no row => count as left", () => {
  expect(storedCount(census([row(kms("new"), 1, [])], 3), "new").remaining).toBe(3);
});

test("names of any bytes and length, and any number of them => are shown harmless, short, and ten at most", () => {
  const names = Array.from({ length: 20 }, (_, n) => `apps/${n}\u001b[2J\n${"x".repeat(5_000)}`);
  const { strays } = storedCount(census([row(kms("\u202eevil".repeat(400)), 20, names)]), "new");
  expect(strays).toHaveLength(10);
  for (const field of strays.flatMap((stray) => Object.values(stray))) {
    expect(field.length).toBeLessThanOrEqual(1_024);
    expect(field).toMatch(/^[\x20-\x7e…]*$/);
  }
});
