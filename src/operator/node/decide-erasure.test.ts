import { describe, expect, test } from "vitest";
import type { KeptTombstone } from "../../keyring/rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { keyVersion, tombstone, versionId, versionRow } from "../../testing/objects.ts";
import type { Obstacle } from "../retirement/usage-census.ts";
import {
  decideErasure,
  erasedHere,
  type ObservedErasure,
  toDestroyed,
  tombstoneSpec,
  toTombstoneRow,
} from "./decide-erasure.ts";

const v1 = keyVersion(1);
const gone1 = tombstone(1);
const kept = (n: number, erased = true): KeptTombstone => ({ ...toTombstoneRow(tombstone(n)), erased });

function decide(changes: Partial<ObservedErasure>) {
  const nobody = new Set<string>();
  const early = new Map<string, Obstacle>();
  const observed = { keyVersions: [], versions: [], tombstones: [], proven: nobody, served: nobody, early };
  const plan = decideErasure({ ...observed, ...changes });
  return {
    erased: plan.changes.map((change) => (change.kind === "destroyVersion" ? change.tombstone.number : 0)),
    again: plan.destroyAgain.map(({ object }) => object.spec.number),
    handBack: plan.handBack.map(({ number }) => number),
    restore: plan.restore.map(({ mine }) => mine.number),
    problems: plan.problems.map(({ reason }) => reason),
    living: plan.living.map(({ spec }) => spec.number),
  };
}
const quiet = { erased: [], again: [], handBack: [], restore: [], problems: [], living: [] };

interface Row {
  readonly name: string;
  readonly given: Partial<ObservedErasure>;
  readonly expected: Partial<ReturnType<typeof decide>>;
}
const proven = new Set([gone1.metadata.name]);
const table: readonly Row[] = [
  { name: "nothing destroyed => nothing to do", given: { keyVersions: [v1] }, expected: { living: [1] } },
  {
    name: "a tombstone of a version that is held => erased",
    given: { keyVersions: [gone1], versions: [versionRow(1)], proven },
    expected: { erased: [1] },
  },
  {
    name: "a tombstone of a version that was never held => kept, so that it never comes",
    given: { keyVersions: [gone1], proven },
    expected: { erased: [1] },
  },
  {
    name: "a tombstone that is kept => nothing to do",
    given: { keyVersions: [gone1], tombstones: [kept(1)] },
    expected: {},
  },
  {
    name: "a restored etcd or another node's hand-back brings it back => destroyed again, never stored",
    given: { keyVersions: [v1, keyVersion(2)], tombstones: [kept(1)] },
    expected: { again: [1], living: [2] },
  },
  {
    name: "the API server has lost the tombstone => handed back",
    given: { tombstones: [kept(1)] },
    expected: { handBack: [1] },
  },
  {
    name: "a tombstone without the root key's proof => nothing destroyed, told, and the material put back",
    given: { keyVersions: [gone1], versions: [versionRow(1)] },
    expected: { restore: [1], problems: ["TombstoneForged"] },
  },
  {
    name: "the same of a version that is not held => told",
    given: { keyVersions: [gone1] },
    expected: { problems: ["TombstoneForged"] },
  },
  {
    name: "a provider of this node serves it => kept here, and told",
    given: { keyVersions: [gone1], versions: [versionRow(1)], proven, served: new Set([versionId(1)]) },
    expected: { problems: ["DestroyedVersionServed"] },
  },
];

describe("what a node does about destroyed versions", () => {
  test.each(table)("$name", ({ given, expected }) => {
    expect(decide(given)).toEqual({ ...quiet, ...expected });
  });
});

describe("what a node says is erased", () => {
  test.each<readonly [string, readonly KeptTombstone[], readonly KeyVersion[], readonly string[]]>([
    ["erased here and not known of all => said", [kept(1)], [gone1], [gone1.metadata.name]],
    ["not erased yet => not said", [kept(1, false)], [gone1], []],
    [
      "known of every node => not said any more",
      [kept(1)],
      [tombstone(1, { erasedAt: "2026-01-01T00:00:00Z" })],
      [],
    ],
    ["it has come back => not said", [kept(1)], [v1], []],
  ])("%s", (_, tombstones, keyVersions, expected) => {
    expect(erasedHere(tombstones, keyVersions).map(({ name }) => name)).toEqual(expected);
  });
});

test("a tombstone's object and row are one another's image", () => {
  expect(tombstoneSpec(toTombstoneRow(gone1))).toEqual(gone1.spec);
  expect(toDestroyed(toTombstoneRow(gone1))).toEqual(gone1.spec.destroyed);
});

test("a copy of a tombstone under another owner, older than the original => the node keeps the original's owner", () => {
  const copy: KeyVersion = {
    ...gone1,
    metadata: { ...gone1.metadata, name: "a-copy", creationTimestamp: "2025-01-01T00:00:00Z" },
    spec: { ...gone1.spec, masterKey: { namespace: "tenant", name: "stolen" } },
  };
  const { changes } = decideErasure({
    keyVersions: [copy, gone1],
    versions: [versionRow(1)],
    tombstones: [],
    proven: new Set(["a-copy", gone1.metadata.name]),
    served: new Set(),
    early: new Map(),
  });
  expect(changes[0]).toMatchObject({ tombstone: { masterKey: gone1.spec.masterKey } });
});
