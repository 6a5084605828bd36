import { expect, test } from "vitest";
import type { KeyAlias, KeyServer } from "../../resources/resources.ts";
import { EARLIER, keyAlias, keyId, keyServer } from "../../testing/objects.ts";
import { listUses, type StoredObjects, usesOf } from "./usage.ts";

const key = { namespace: "apps", name: "secrets", keyId: keyId(1), kmsKeyIds: new Set(["id-1", "id-2"]) };
const serving = (node: string, serves: string, kmsKeyId?: string): KeyServer =>
  keyServer(node, {
    providers: [{ name: "p", socket: "/run/p.sock", serves, ...(kmsKeyId !== undefined && { kmsKeyId }) }],
  });
const elsewhere = keyAlias({ spec: { masterKey: "other" }, status: { masterKey: "other", keyId: keyId(2) } });

interface Row {
  readonly name: string;
  readonly servers?: readonly KeyServer[];
  readonly aliases?: readonly KeyAlias[];
  readonly stored?: StoredObjects;
  readonly expected: readonly string[];
}
const table: readonly Row[] = [
  { name: "nobody => none", expected: [] },
  {
    name: "a provider that names it, though it serves nothing yet => that one",
    servers: [serving("one", "apps/secrets")],
    expected: ["provider p of node one (serves apps/secrets)"],
  },
  {
    name: "a provider of another key => none",
    servers: [serving("one", "apps/other", "id-9")],
    expected: [],
  },
  {
    name: "a provider that names another key and answers with a version of this one still => that one",
    servers: [serving("one", "apps/other", "id-2")],
    expected: ["provider p of node one (serves apps/other)"],
  },
  ...(
    [
      ["has no entry and has not been asked for minutes => none", { entries: 0, notAskedSince: EARLIER }, 0],
      [
        "has no entry and is not asked, as its API server lost its flag by accident => that one",
        { entries: 0, notAskedSince: EARLIER, editNotTakenUp: EARLIER },
        1,
      ],
      ["has no entry and is still asked, by an API server of before the edit => that one", { entries: 0 }, 1],
      [
        "has entries and is not asked, as its API server is down => that one",
        { entries: 1, notAskedSince: EARLIER },
        1,
      ],
      [
        "does not say how many entries there are, and is not asked => that one",
        { notAskedSince: EARLIER },
        1,
      ],
    ] as const
  ).map(([name, said, uses]) => ({
    name: `a provider that names it, ${name}`,
    servers: [
      keyServer("one", {
        providers: [{ name: "p", socket: "/run/p.sock", serves: "apps/secrets", ...said }],
      }),
    ],
    expected: Array(uses).fill("provider p of node one (serves apps/secrets)"),
  })),
  {
    name: "a provider that names an alias of it => provider and alias",
    servers: [serving("one", "alias apps/main")],
    aliases: [keyAlias({})],
    expected: ["provider p of node one (serves alias apps/main)", "KeyAlias apps/main"],
  },
  {
    name: "a provider that names an alias of another key => none",
    servers: [serving("one", "alias apps/main")],
    aliases: [elsewhere],
    expected: [],
  },
  {
    name: "an alias that is to point to it => that one",
    aliases: [keyAlias({ spec: { masterKey: "secrets" }, status: { masterKey: "other" } })],
    expected: ["KeyAlias apps/main"],
  },
  {
    name: "an alias that is to leave it and has not yet => that one",
    aliases: [keyAlias({ spec: { masterKey: "other" }, status: { masterKey: "secrets", keyId: keyId(1) } })],
    expected: ["KeyAlias apps/main"],
  },
  {
    name: "a census that found objects under an earlier version => their number",
    stored: (id) => (id === "id-1" ? 3 : 0),
    expected: ["3 stored objects under key_id id-1"],
  },
  { name: "a census that found none => none", stored: () => 0, expected: [] },
  {
    name: "several nodes => in the order of their names",
    servers: [serving("two", "apps/secrets"), serving("one", "apps/secrets")],
    expected: [
      "provider p of node one (serves apps/secrets)",
      "provider p of node two (serves apps/secrets)",
    ],
  },
];

test.each(table)("$name", ({ servers = [], aliases = [], stored, expected }) => {
  const sources = { keyServers: servers, keyAliases: aliases, ...(stored && { stored }) };
  expect(usesOf(key, sources).map(({ text }) => text)).toEqual(expected);
});

test("many uses => the first ones and how many more", () => {
  const uses = ["a", "b", "c"].map((text) => ({ reason: "AliasPointsToKey", text }) as const);
  expect(listUses(uses, 2)).toBe("a, b and 1 more");
  expect(listUses(uses)).toBe("a, b, c");
});
