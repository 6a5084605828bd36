import { expect, test } from "vitest";
import type { Census } from "./census.ts";
import { countsByKeyId, countsOfOwnEtcd } from "./node-census.ts";

const row = (resource: string, keyId: string, objects: number) =>
  ({ resource, stored: { kind: "kms-v2", provider: "p", keyId }, objects, examples: [] }) as const;
const census = (more: Partial<Census> = {}): Census => ({
  revision: 1,
  objects: 6,
  rows: [row("secrets", "a", 3), row("configmaps", "a", 2), row("secrets", "b", 1)],
  unlisted: 0,
  ...more,
});

test("a key_id's objects are counted over all resources", () => {
  const counts = countsByKeyId(census());
  expect(["a", "b", "c"].map(counts)).toEqual([5, 1, 0]);
});

test("objects that are in no row => no count, as they may be under any key_id", () => {
  expect(() => countsByKeyId(census({ unlisted: 1 }))).toThrow(/too many kinds of values: 1 objects/);
});

test("standalone, an etcd with something under one of the node's keys => counts, others' too", () => {
  expect(countsOfOwnEtcd(census(), ["c", "b"])("a")).toBe(5);
});

test("standalone, an etcd with nothing under any of the node's keys => may be another cluster's", () => {
  expect(() => countsOfOwnEtcd(census(), ["c", "d"])).toThrow(
    /nothing in this etcd is stored under a key of this node.*check etcd\.endpoints and etcd\.prefix/,
  );
});
