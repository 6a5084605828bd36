import { describe, expect, test } from "vitest";
import { key, keyId, version, versionId } from "../../testing/keyring.ts";
import type { KeyringChange } from "../changes.ts";
import type { KeyRow, KeyringImage } from "../rows.ts";
import { planMerge } from "./merge.ts";

const NOTHING: KeyringImage = { versions: [], keys: [], aliases: [], objects: [] };
const image = (changes: Partial<KeyringImage>): KeyringImage => ({ ...NOTHING, ...changes });
const withCurrent = (n: number, changes: Partial<KeyRow> = {}): KeyRow => ({
  ...key(changes),
  current: { versionId: versionId(n), number: n },
});

function brief(change: KeyringChange): string {
  switch (change.kind) {
    case "putVersion":
      return `version ${change.version.number}`;
    case "putKey":
      return `key ${change.key.keyId.at(-1)}${change.key.enabled ? "" : " disabled"}`;
    case "putFormerKeyIds":
      return `former ${change.keyIds.map((id) => id.at(-1)).join(" ")}`.trim();
    case "setCurrent":
      return `current ${change.version.number}`;
    case "forgetKey":
      return `forget ${change.key.name}`;
    case "reclaimKey":
      return `reclaim ${change.version.number}`;
    case "putAlias":
      return `alias ${change.alias.name} ${change.alias.masterKey}${change.alias.formerTargets ? " with what it left" : ""}`;
    case "putPolicy":
      return `policy ${change.policy.name}`;
    case "removePolicy":
      return `no policy ${change.key.name}`;
    case "destroyVersion":
      return `destroy ${change.tombstone.number}`;
  }
}

const of2 = (n: number) => version(n, { keyId: keyId(2), versionId: versionId(20 + n) });
const key2 = (n: number, changes: Partial<KeyRow> = {}): KeyRow => ({
  ...key({ keyId: keyId(2), ...changes }),
  current: { versionId: versionId(20 + n), number: n },
});

const alias = { namespace: "apps", name: "a", masterKey: "new" };
const left = [{ keyId: keyId(7), number: 1, versionId: versionId(7) }];

describe("a backup is added to a keyring", () => {
  test.each<readonly [string, KeyringImage, KeyringImage, readonly string[]]>([
    [
      "nothing there => all of it",
      image({ versions: [version(1), version(2)], keys: [withCurrent(2, { formerKeyIds: [keyId(9)] })] }),
      NOTHING,
      ["version 1", "version 2", "key 1", "former 9", "current 2"],
    ],
    ["a key without a current version => stays one", image({ keys: [key()] }), NOTHING, ["key 1", "former"]],
    [
      "the keyring is further on => old versions are added, the current one stays",
      image({ versions: [version(1)], keys: [withCurrent(1)] }),
      image({ versions: [version(2)], keys: [withCurrent(2)] }),
      ["version 1", "key 1", "former"],
    ],
    [
      "the backup is further on => the current version moves forward",
      image({ versions: [version(1), version(2)], keys: [withCurrent(2)] }),
      image({ versions: [version(1)], keys: [withCurrent(1)] }),
      ["version 2", "key 1", "former", "current 2"],
    ],
    [
      "the current version of the backup was left out => is not made current",
      image({ versions: [version(1)], keys: [key()] }),
      NOTHING,
      ["version 1", "key 1", "former"],
    ],
    [
      "disabled here => stays disabled",
      image({ versions: [version(1)], keys: [withCurrent(1)] }),
      image({ keys: [key({ enabled: false })] }),
      ["version 1", "key 1 disabled", "former", "current 1"],
    ],
    [
      "disabled in the backup and new here => is disabled",
      image({ keys: [key({ enabled: false })] }),
      NOTHING,
      ["key 1 disabled", "former"],
    ],
    [
      "the backup's key left ours => ours is left too, and on record",
      image({ versions: [of2(1)], keys: [key2(1, { formerKeyIds: [keyId(1)] })] }),
      image({ versions: [version(1)], keys: [withCurrent(1)] }),
      ["version 1", "key 2", "former 1", "current 1"],
    ],
    [
      "our key left the backup's => ours stays, the versions are added",
      image({ versions: [version(1)], keys: [withCurrent(1)] }),
      image({ versions: [of2(1)], keys: [key2(1, { formerKeyIds: [keyId(1)] })] }),
      ["version 1"],
    ],
    [
      "two keys of one name that know nothing of each other => ours stays, the versions are added",
      image({ versions: [version(1)], keys: [withCurrent(1)] }),
      image({ versions: [of2(1)], keys: [key2(1)] }),
      ["version 1"],
    ],
    [
      "an alias is missing => is added; one is there => stays",
      image({
        aliases: [
          { namespace: "apps", name: "a", masterKey: "old" },
          { namespace: "apps", name: "b", masterKey: "old" },
        ],
      }),
      image({ aliases: [{ namespace: "apps", name: "a", masterKey: "new" }] }),
      ["alias b old"],
    ],
    [
      "the backup knows what an alias left => it stays where it is, and that is added",
      image({ aliases: [{ ...alias, masterKey: "old", formerTargets: left }] }),
      image({ aliases: [alias] }),
      ["alias a new with what it left"],
    ],
  ])("%s", (_, backup, keyring, expected) => {
    expect(planMerge(backup, keyring).changes.map(brief)).toEqual(expected);
  });
});

test("a seal that differs => ours stays", () => {
  const other = version(1, { sealed: { provider: "file", rootKeyId: "root-2", blob: Uint8Array.of(1) } });
  expect(planMerge(image({ versions: [other] }), image({ versions: [version(1)] }))).toEqual({
    changes: [],
    versions: 0,
    destroyed: 0,
    kept: [],
  });
});

test("a name under another keyId => is told, with both", () => {
  const plan = planMerge(image({ keys: [withCurrent(1)] }), image({ keys: [key2(1)] }));
  expect(plan.kept).toEqual([
    expect.stringContaining(
      `MasterKey apps/secrets has keyId ${keyId(2)} here and ${keyId(1)} in the backup`,
    ),
  ]);
});

test("a version that the keyring saw destroyed => does not come back, and is not made current", () => {
  const backup = image({ versions: [version(1), version(2)], keys: [withCurrent(2)] });
  const { changes, versions, destroyed } = planMerge(backup, NOTHING, new Set([versionId(2)]));
  expect(changes.map(brief)).toEqual(["version 1", "key 1", "former"]);
  expect([versions, destroyed]).toEqual([1, 1]);
});

test("the backup's key left ours, and its current version was destroyed since => ours encrypts on", () => {
  const backup = image({ versions: [of2(1)], keys: [key2(1, { formerKeyIds: [keyId(1)] })] });
  const keyring = image({ versions: [version(1)], keys: [withCurrent(1)] });
  const { changes, kept } = planMerge(backup, keyring, new Set([versionId(21)]));
  expect(changes).toEqual([]);
  expect(kept).toHaveLength(1);
});

test("the backup's key left ours, which is pending deletion here => the backup's is not", () => {
  const backup = image({ versions: [of2(1)], keys: [key2(1, { formerKeyIds: [keyId(1)] })] });
  const keyring = image({
    versions: [version(1)],
    keys: [withCurrent(1, { deletionDate: "2026-02-01T00:00:00Z" })],
  });
  const put = planMerge(backup, keyring).changes.find(({ kind }) => kind === "putKey");
  expect(put).toEqual({
    kind: "putKey",
    key: { namespace: "apps", name: "secrets", keyId: keyId(2), enabled: true },
  });
});
