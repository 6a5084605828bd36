import { expect, test } from "vitest";
import { toVersionRow } from "../../resources/key-version-rows.ts";
import type { View } from "../../store/view.ts";
import { numbers } from "../../testing/numbers.ts";
import { keyAlias, keyVersion, masterKey, versionId } from "../../testing/objects.ts";
import { OwnRecord } from "./own-record.ts";
import { ViewIndex } from "./view-index.ts";

const key = masterKey();
const external = { origin: "EXTERNAL", materialId: "ab".repeat(32) } as const;
const proof = (revision: number) => ({ revision, provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" });
const recorded = keyVersion(1, {
  spec: { ...external, validTo: "2027-01-01T00:00:00Z", ownership: proof(1) },
});

function indexOf(...keyVersions: View["keyVersions"]): ViewIndex {
  const view = { masterKeys: [key], keyVersions, keyAliases: [], keyServers: [] } as unknown as View;
  return new ViewIndex(view, new OwnRecord([toVersionRow(recorded)], []));
}

test("a MasterKey's versions are those that name it, as the keyring has them; copies under its name are not among them", () => {
  const altered = keyVersion(1, { spec: { ...recorded.spec, validTo: "2001-01-01T00:00:00Z" } });
  const copy = keyVersion(9, { spec: { versionId: versionId(1) } });
  const other = keyVersion(3, { spec: { masterKey: { namespace: "tenant", name: "other" } } });
  const index = indexOf(altered, copy, other);
  expect(index.versionsFor(key)).toEqual([recorded]);
  expect(index.unrecordedFor(key)).toEqual(new Set());
  expect(index.checked.keyVersions).toEqual([recorded, other]);
});

test("a version that the keyring does not have is one whose owner is not known yet", () => {
  const unknown = keyVersion(2);
  expect(indexOf(recorded, unknown).unrecordedFor(key)).toEqual(new Set([unknown.metadata.name]));
});

test.each([
  ["as on record => no", {}, false],
  ["with the same validTo, written in another way => no", { validTo: "2027-01-01T01:00:00.5+01:00" }, false],
  ["with another validTo => yes", { validTo: "2028-01-01T00:00:00Z" }, true],
  ["with another proof => yes", { ownership: proof(2) }, true],
])("whether the keyring waits for something: a version %s", (_, change, expected) => {
  const version = keyVersion(1, { spec: { ...recorded.spec, ...change } });
  expect(indexOf(version).isUnsettled(key)).toBe(expected);
});

/** Returns everything that an index says. */
const told = (index: ViewIndex, names: readonly string[]) =>
  names.map((name) => {
    const one = masterKey({ metadata: { name } });
    const { masterKeys, keyAliases, versions, versionCount, asked } = index.namespace("apps");
    return {
      key: index.masterKey({ namespace: "apps", name }),
      alias: index.alias({ namespace: "apps", name }),
      aliases: [...index.aliasesOf(one)].sort(),
      versions: index.versionsFor(one).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
      unsettled: index.isUnsettled(one),
      counts: [
        masterKeys.size,
        keyAliases.size,
        versions.size,
        versionCount,
        [...asked.values()].map(({ metadata }) => metadata.name).sort(),
      ],
      checked: index.checked.keyVersions.length,
    };
  });

test("any additions, changes and deletions, one or many at a time => an index that follows tells what a new one does", () => {
  const names = ["a", "b", "c"];
  for (let seed = 1; seed <= 60; seed += 1) {
    const next = numbers(seed);
    const nameOf = () => names[next(names.length)] ?? "a";
    const keys = new Map<string, View["masterKeys"][number]>();
    const versions = new Map<string, View["keyVersions"][number]>();
    const aliases = new Map<string, View["keyAliases"][number]>();
    const record = new OwnRecord([toVersionRow(recorded)], []);
    const view = (): View => ({
      masterKeys: [...keys.values()],
      keyVersions: [...versions.values()],
      keyAliases: [...aliases.values()],
      keyServers: [],
      keyVersionsUpTo: "1",
      heardOf: new Map(),
    });
    const index = new ViewIndex(view(), record);
    for (let step = 0; step < 60; step += 1) {
      for (let change = next(4); change >= 0; change -= 1) {
        const [name, n] = [nameOf(), next(6)];
        const spec = { masterKey: { namespace: "apps", name } };
        const trigger = next(2) === 0 ? "OnDemand" : "Automatic";
        const version = keyVersion(n, { spec, status: { trigger } });
        const action = next(6);
        if (action === 0) keys.set(name, masterKey({ metadata: { name } }));
        if (action === 1) keys.delete(name);
        if (action === 2 || action === 3) versions.set(version.metadata.name, version);
        if (action === 4) versions.delete(version.metadata.name);
        if (action === 5) {
          const alias = keyAlias({ status: { masterKey: nameOf() } });
          if (next(3) === 0) aliases.delete(name);
          else aliases.set(name, { ...alias, metadata: { ...alias.metadata, name } });
        }
      }
      index.follow(view());
      expect(told(index, names)).toEqual(told(new ViewIndex(view(), record), names));
    }
  }
});
