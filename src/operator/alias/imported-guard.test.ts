import { describe, expect, test } from "vitest";
import type { KeyAlias, MasterKey } from "../../resources/resources.ts";
import {
  keyAlias,
  keyId,
  keyRow,
  keyVersion,
  masterKey,
  NOW,
  node,
  statusWith,
  versionId,
  versionRow,
} from "../../testing/objects.ts";
import { decideKeyring } from "../node/keyring/decide-keyring.ts";
import type { KeyringContents } from "../node/keyring/keyring-plan.ts";
import { decideKeyAlias, type ObservedKeyAlias } from "./decide-key-alias.ts";

/** Key apps/secrets has material created by claviger; apps/known is imported. */
const EXTERNAL = { origin: "EXTERNAL" } as const;
const known1 = { keyId: keyId(2), versionId: versionId(50), masterKey: { namespace: "apps", name: "known" } };
const imported = keyVersion(1, { spec: { ...known1, ...EXTERNAL }, metadata: { name: "known-1" } });
const made = keyVersion(1);
const secrets = masterKey({ status: statusWith(made) });
const known = masterKey({ metadata: { name: "known" }, spec: EXTERNAL, status: statusWith(imported) });
const aliasTo = (name: string, status?: KeyAlias["status"]) =>
  keyAlias({ spec: { masterKey: name }, ...(status && { status }) });
const AT_SECRETS = { masterKey: "secrets", keyId: keyId(1) };

describe("the leader moves an alias to imported material", () => {
  const step = (alias: KeyAlias, target: MasterKey, more: Partial<ObservedKeyAlias> = {}) => {
    const decided = decideKeyAlias(
      {
        ...{
          alias,
          target,
          served: secrets,
          targetVersion: imported,
          inService: true,
          importedAllowed: false,
        },
        ...{ nodes: [node("one", [])], arnPrefix: "", ...more },
      },
      NOW,
    ).step;
    return decided.kind === "stay" ? decided.finding.reason : decided.kind;
  };
  const madeAgain = masterKey({ spec: EXTERNAL, status: statusWith(imported) });
  const madeAgainAsOwn = masterKey({ metadata: { name: "known" }, status: statusWith(imported) });
  test.each<readonly [string, string, string]>([
    ["a provider serves it => refused", step(aliasTo("known", AT_SECRETS), known), "ImportedNotAllowed"],
    [
      "no provider serves it => moved",
      step(aliasTo("known", AT_SECRETS), known, { inService: false }),
      "point",
    ],
    [
      "each provider that serves it allows it => moved",
      step(aliasTo("known", AT_SECRETS), known, { importedAllowed: true }),
      "point",
    ],
    [
      "the alias is new => refused",
      step(aliasTo("known"), known, { served: undefined }),
      "ImportedNotAllowed",
    ],
    [
      "the MasterKey was made again and says that its material is not imported => refused",
      step(aliasTo("known", AT_SECRETS), madeAgainAsOwn),
      "ImportedNotAllowed",
    ],
    [
      "by its MasterKey, which was destroyed and made again as EXTERNAL => refused",
      step(aliasTo("secrets", AT_SECRETS), madeAgain, { served: madeAgain }),
      "ImportedNotAllowed",
    ],
    [
      "where it points already => it stays there, as before",
      step(aliasTo("known", { masterKey: "known", keyId: keyId(2) }), known, { served: known }),
      "point",
    ],
  ])("%s", (_, actual, expected) => expect(actual).toBe(expected));
});

test("an alias has left a hundred keys => it leaves no further one, none is forgotten, and it comes back to one of them", () => {
  const formerTargets = Array.from({ length: 100 }, (_, n) => ({ keyId: keyId(n + 100), number: 1 }));
  const other = keyVersion(2, { spec: { keyId: keyId(100) } });
  const target = masterKey({ metadata: { name: "other" }, status: statusWith(other) });
  const observed = (status: KeyAlias["status"], served = secrets): ObservedKeyAlias => ({
    ...{ alias: aliasTo("other", status), target, served, inService: false, importedAllowed: false },
    ...{ nodes: [], arnPrefix: "" },
  });
  const plan = decideKeyAlias(observed({ ...AT_SECRETS, formerTargets }), NOW);
  expect(plan.step).toMatchObject({ kind: "stay", finding: { reason: "TooManyFormerTargets" } });
  expect(plan.status.formerTargets).toEqual(formerTargets);
  const left = [...formerTargets.slice(1), { keyId: keyId(1), number: 1 }];
  expect(decideKeyAlias(observed({ ...AT_SECRETS, formerTargets: left }), NOW).step.kind).toBe("point");
});

describe("a node is to serve imported material", () => {
  const current = { versionId: versionId(50), number: 1 };
  const knownRow = keyRow(undefined, { name: "known", keyId: keyId(2), current });
  const rows = [versionRow(1), versionRow(1, { spec: { ...known1, ...EXTERNAL } })];
  const row = { namespace: "apps", name: "main", masterKey: "secrets" };
  const keyring = { keys: [keyRow(1), knownRow], aliases: [row], versions: rows };
  const ALIAS = "alias apps/main";

  function plan(
    resources: { readonly keyAliases?: readonly KeyAlias[]; readonly masterKeys?: readonly MasterKey[] },
    contents: Partial<KeyringContents>,
    guarded: readonly string[],
  ) {
    const { changes, contradictions } = decideKeyring(
      { masterKeys: [], keyVersions: [], keyAliases: [], ...resources },
      { keys: [], aliases: [], versions: [], ...contents },
      { acceptable: new Set(), proven: new Set(), served: new Set(), guarded: new Set(guarded) },
    );
    return { changes: changes.map(({ kind }) => kind), contradictions };
  }
  const toKnown = { keyAliases: [aliasTo("known", { masterKey: "known", keyId: keyId(2) })] };

  test("its alias moves there => it stays, and the contradiction says what to do", () => {
    const { changes, contradictions } = plan(toKnown, keyring, [ALIAS]);
    expect(changes).toEqual([]);
    expect(contradictions).toEqual([
      "KeyAlias apps/main points to known, whose material is imported: a provider of this node serves the alias and does not take that, so secrets continues to be served; set allowImported to true on that provider, on every node, if whoever imported the material may know the key",
    ]);
  });
  test("its alias is new => it is not stored", () => {
    expect(plan(toKnown, { ...keyring, aliases: [] }, [ALIAS])).toMatchObject({ changes: [] });
    expect(plan(toKnown, { ...keyring, aliases: [] }, [ALIAS]).contradictions).toHaveLength(1);
  });
  test("its alias is new and the version is on its way => it waits for the version, which tells", () => {
    const late = { ...keyring, aliases: [], versions: [], keys: [] };
    expect(plan(toKnown, late, [ALIAS])).toEqual({ changes: [], contradictions: [] });
  });
  test("no provider serves the alias, or one that allows it => it moves", () => {
    expect(plan(toKnown, keyring, []).changes).toEqual(["putAlias"]);
    expect(plan(toKnown, keyring, ["alias apps/other", "apps/known"]).changes).toEqual(["putAlias"]);
  });

  const again = keyVersion(1, {
    spec: { keyId: keyId(3), versionId: versionId(60), ...EXTERNAL },
    metadata: { name: "again-1" },
  });
  const againRow = versionRow(1, { spec: { keyId: keyId(3), versionId: versionId(60), ...EXTERNAL } });
  const madeAgain = { masterKeys: [masterKey({ spec: EXTERNAL, status: statusWith(again) })] };
  const { sealed: _, ...identity } = versionRow(1);
  const proof = { provider: "file", rootKeyId: "root-1", blob: Buffer.from("proof") };
  const tombstones = [{ ...identity, destroyedAt: "2026-01-01T00:00:00Z", reason: "due", proof }];
  const destroyed = { keys: [keyRow()], aliases: [row], versions: [againRow], tombstones };
  test.each([
    ["a provider names", "apps/secrets"],
    ["a provider's alias points to", ALIAS],
  ])("under a name that %s, whose material was destroyed => it is not served", (_, guarded) => {
    const { changes, contradictions } = plan(madeAgain, destroyed, [guarded]);
    expect(changes).not.toContain("setCurrent");
    expect(contradictions).toEqual([
      expect.stringMatching(/^MasterKey apps\/secrets had material that claviger made/),
    ]);
    expect(plan(madeAgain, destroyed, []).changes).toContain("setCurrent");
  });
  test("under a name that a provider names, whose material is still there => that continues to be served", () => {
    const there = { ...keyring, versions: [...rows, againRow] };
    expect(plan(madeAgain, there, ["apps/secrets"]).changes).toEqual([]);
  });
  test("under a name that a provider names and that never had other material => it is served, as documented", () => {
    const fresh = { keys: [], aliases: [], versions: [againRow] };
    expect(plan(madeAgain, fresh, ["apps/secrets"]).changes).toContain("setCurrent");
  });
  test("it serves imported material already => the next import is served too", () => {
    const next = keyVersion(2, { spec: { keyId: keyId(3), versionId: versionId(61), ...EXTERNAL } });
    const nextRow = versionRow(2, { spec: { keyId: keyId(3), versionId: versionId(61), ...EXTERNAL } });
    const serving = {
      keys: [keyRow(undefined, { keyId: keyId(3), current: { versionId: versionId(60), number: 1 } })],
      versions: [againRow, nextRow],
      tombstones,
    };
    const masterKeys = [masterKey({ spec: EXTERNAL, status: statusWith(next) })];
    expect(plan({ masterKeys }, serving, ["apps/secrets"]).changes).toEqual(["setCurrent"]);
  });
});
