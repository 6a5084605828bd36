import { expect, test } from "vitest";
import {
  keyVersion,
  masterKey,
  NOW,
  NOW_TEXT,
  node,
  statusWith,
  tombstone,
  waiting,
} from "../testing/objects.ts";
import { expiryFinding } from "./import/material-expiry.ts";
import { erasedHere, toTombstoneRow } from "./node/decide-erasure.ts";
import { decideKeyServerStatus } from "./node/report/decide-key-server.ts";
import { listable } from "./node/report/listed-versions.ts";
import { erasureFinding } from "./retirement/decide-erased.ts";
import { decideRetention } from "./retirement/decide-retention.ts";

/** The API server refuses a whole status if one message is longer (resources.ts), and objects of 1.5 MB. */
const LONGEST_MESSAGE = 32_768;
const MANY = 9_000;
const numbers = Array.from({ length: MANY }, (_, index) => index + 1);
const OBSERVED = {
  before: undefined,
  nodeUid: undefined,
  persistedResourceVersion: "1",
  versions: [],
  problems: [],
  seal: undefined,
  providers: [],
  observations: [],
};
const tombstones = numbers.map((n) => tombstone(n));

test("thousands of versions were destroyed => the condition names the first few, and how many more", () => {
  const key = masterKey({ status: statusWith(keyVersion(MANY + 1)) });
  const erased = erasureFinding(key, tombstones, [node("one", [])]);
  expect(erased?.message).toMatch(/^version 1, 2, .* and 8980 more was destroyed/);
  expect(erased?.message.length).toBeLessThan(LONGEST_MESSAGE);
});

test("objects are stored under thousands of versions => the condition names the first few, and how many more", () => {
  const current = keyVersion(MANY + 1);
  const { kmsKeyId = "" } = statusWith(current).currentVersion ?? {};
  const plan = decideRetention(
    {
      masterKey: masterKey({
        spec: { retention: { policy: "Destroy", afterDays: 7 } },
        status: statusWith(current),
      }),
      versions: [...numbers.map((n) => keyVersion(n)), current],
      nodes: [node("one", [])],
      uses: [{ reason: "ProviderUsesKey", text: "a provider" }],
      proof: { unsettled: [], reencryption: { kmsKeyId, verified: true, completedAt: NOW_TEXT } },
      count: { kind: "counted", stored: () => 1 },
      waiting: waiting(),
    },
    NOW,
  );
  expect(plan).toMatchObject({ kind: "wait", reason: "ObjectsUnderKey" });
  expect(plan.kind === "wait" && plan.message.length).toBeLessThan(LONGEST_MESSAGE);
});

test("the material of thousands of versions expired => the condition names the first few, and how many more", () => {
  const expired = numbers.map((n) => keyVersion(n, { spec: { validTo: "2026-01-01T00:00:00Z" } }));
  const finding = expiryFinding(expired, NOW);
  expect(finding?.reason).toBe("MaterialExpired");
  expect(finding?.message).toMatch(/and 8980 more; what is encrypted/);
  expect(finding?.message.length).toBeLessThan(LONGEST_MESSAGE);
});

test("a node has thousands of versions that wait to become current => it reports some, the same on every node, and then the others", () => {
  const all = numbers.map((n) => listable(keyVersion(n)));
  const reported = (prepared: typeof all) =>
    decideKeyServerStatus({ ...OBSERVED, prepared }, NOW).prepared ?? [];
  const first = reported(all);
  expect(JSON.stringify(first).length).toBeLessThan(100_000);
  expect(reported(all.toReversed())).toEqual(first);
  const promoted = new Set(first.map(({ name }) => name));
  const next = reported(all.filter(({ name }) => !promoted.has(name)));
  expect(next).toHaveLength(first.length);
});

test("a node has erased thousands of versions => it reports some, the same on every node, and the others once those are noted", () => {
  const kept = tombstones.map((version) => ({ ...toTombstoneRow(version), erased: true }));
  const reportOf = (erased: ReturnType<typeof erasedHere>) =>
    decideKeyServerStatus({ ...OBSERVED, prepared: [], erased }, NOW).erased ?? [];
  const reported = reportOf(erasedHere(kept, tombstones));
  expect(JSON.stringify(reported).length).toBeLessThan(100_000);
  expect(reportOf(erasedHere(kept, tombstones.toReversed()))).toEqual(reported);
  const names = new Set(reported.map(({ name }) => name));
  const noted = tombstones.map((version) =>
    names.has(version.metadata.name) ? { ...version, status: { erasedAt: NOW_TEXT } } : version,
  );
  const next = reportOf(erasedHere(kept, noted));
  expect(next).toHaveLength(reported.length);
  expect(next.some(({ name }) => names.has(name))).toBe(false);
});
