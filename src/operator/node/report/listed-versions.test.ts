import { describe, expect, test } from "vitest";
import { keyId, keyVersion, masterKey, NOW, node, unserved } from "../../../testing/objects.ts";
import { decideMasterKey } from "../../master-key/decide-master-key.ts";
import { decideKeyServerStatus } from "./decide-key-server.ts";
import { chooseListed, type Listable, listable, MOST_LISTED } from "./listed-versions.ts";

const MINUTE = 60_000;
const later = (minutes: number): Date => new Date(NOW.getTime() + minutes * MINUTE);
const version = (namespace: string, n: number, minutesOld: number): Listable => ({
  name: `${namespace}-${n}`,
  versionId: `${namespace} ${n}`,
  namespace,
  since: NOW.getTime() - minutesOld * MINUTE,
});
const some = (namespace: string, count: number, minutesOld: number): Listable[] =>
  Array.from({ length: count }, (_, n) => version(namespace, n, minutesOld));
const namesOf = (versions: readonly { readonly name: string }[]) => new Set(versions.map(({ name }) => name));

test("600 candidates of one namespace are blocked and another's key is new => every node lists its version, and it is promoted", () => {
  const blocked = Array.from({ length: 600 }, (_, n) =>
    keyVersion(1, {
      spec: { masterKey: { namespace: "tenant", name: `k${n}` }, keyId: keyId(n + 10) },
      metadata: { name: `a-${n}` },
    }),
  );
  const fresh = keyVersion(1, { metadata: { name: "z-1", creationTimestamp: NOW.toISOString() } });
  const observed = {
    ...{ before: undefined, nodeUid: undefined, persistedResourceVersion: "1", versions: [], problems: [] },
    ...{ seal: undefined, providers: [], observations: [] },
  };
  const nodes = ["one", "two", "three"].map((name, index) => {
    const prepared = [...blocked.slice(index * 100), fresh, ...blocked.slice(0, index * 100)].map(listable);
    const status = decideKeyServerStatus({ ...observed, prepared }, NOW);
    expect(status.prepared?.length).toBe(MOST_LISTED);
    return node(
      name,
      (status.prepared ?? []).map(({ versionId }) => versionId),
    );
  });
  const key = masterKey({ status: { keyId: keyId(1) } });
  const leader = {
    ...unserved,
    masterKey: key,
    versions: [fresh],
    nodes,
    freshKeyId: keyId(9),
    arnPrefix: "",
  };
  expect(decideMasterKey(leader, NOW).step).toMatchObject({ kind: "promote" });
});

describe("more versions wait than a KeyServer lists", () => {
  test("they come in any order => the same are listed, so that all nodes list the same", () => {
    const all = [...some("a", 900, 1), ...some("b", 300, 60), ...some("c", 2, 1)];
    const chosen = chooseListed(all, NOW);
    expect(chosen).toHaveLength(MOST_LISTED);
    expect(chooseListed(all.toReversed(), NOW)).toEqual(chosen);
  });

  test("one namespace has thousands that are new => another's few are listed", () => {
    const few = some("z", 5, 0);
    const chosen = namesOf(chooseListed([...some("a", 5_000, 1), ...few], NOW));
    for (const { name } of few) expect(chosen).toContain(name);
  });

  test("many are new => the oldest of a namespace come first, and some that are blocked keep their places", () => {
    const all = [...some("a", 600, 60), ...Array.from({ length: 600 }, (_, n) => version("b", n, n / 100))];
    const chosen = namesOf(chooseListed(all, NOW));
    expect([...chosen].filter((name) => name.startsWith("a-"))).toHaveLength(100);
    expect(chosen).toContain("b-599");
    expect(chosen).not.toContain("b-0");
  });

  test.each([
    ["one namespace", [2_000]],
    ["a large and many small ones", [1_500, ...Array.from({ length: 40 }, () => 3)]],
    ["ten of one size", Array.from({ length: 10 }, () => 300)],
    ["more namespaces than have room", Array.from({ length: 730 }, (_, n) => 1 + (n % 4))],
  ])("all are blocked, of %s => each is listed within a bounded time, new ones or not", (_, sizes) => {
    const blocked = sizes.flatMap((size, n) => some(`n${n}`, size, 600));
    const fresh = some("fresh", 1_000, -10_000_000);
    const listed = new Set<string>();
    const turns = 2 * Math.max(...sizes) * Math.ceil(sizes.length / 100);
    for (let turn = 0; turn < turns && listed.size < blocked.length; turn++) {
      const chosen = chooseListed([...blocked, ...fresh], later(turn * 2));
      for (const { name, namespace } of chosen) if (namespace !== "fresh") listed.add(name);
    }
    expect(listed.size).toBe(blocked.length);
  });

  test("a minute passes => a version that was listed is listed still: nodes and leader have time to meet", () => {
    const all = some("a", 2_000, 600);
    const start = new Date(Math.floor(NOW.getTime() / (2 * MINUTE)) * 2 * MINUTE);
    expect(chooseListed(all, new Date(start.getTime() + MINUTE))).toEqual(chooseListed(all, start));
  });
});
