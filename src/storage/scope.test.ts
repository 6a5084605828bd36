import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEncryptionConfig } from "./encryption-config/encryption-config.ts";
import { inScope, mergeScopes, type Scope, sameScope, scopeOf, scopeText } from "./scope.ts";
import { parseGroupResource } from "./served/group-resource.ts";

const SOCKET = "/run/claviger/a.sock";

const rule = (resources: string, ...providers: readonly string[]): string =>
  `  - resources: [${resources}]\n    providers:\n${providers.map((one) => `      - ${one}\n`).join("")}`;
const kms = (name: string, socket = SOCKET): string =>
  `kms: { apiVersion: v2, name: ${name}, endpoint: "unix://${socket}" }`;
const config = (...rules: readonly string[]) =>
  parseEncryptionConfig(
    `apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n${rules.join("")}`,
    "/etc/enc.yaml",
  );
const identity = "identity: {}";

describe("what is behind a socket", () => {
  test("one rule => its resources, one entry", () => {
    expect(scopeOf(config(rule("secrets", kms("a"), identity)), SOCKET)).toMatchObject({
      entries: 1,
      resources: ["secrets"],
      reads: ["secrets"],
    });
  });
  test("two entries on one socket => both count, and both write", () => {
    const scope = scopeOf(
      config(rule("secrets", kms("a")), rule("configmaps, widgets.example.com", kms("b"))),
      SOCKET,
    );
    const resources = ["secrets", "configmaps", "widgets.example.com"];
    expect(scope).toMatchObject({ entries: 2, resources, reads: resources });
  });
  test("the hash of names is the same for the same names, in whatever order the rules are", () => {
    const hash = (...rules: string[]) => scopeOf(config(...rules), SOCKET).namesHash;
    const [secrets, maps] = [rule("secrets", kms("a"), identity), rule("configmaps", kms("b"))];
    expect(hash(secrets, maps)).toMatch(/^[0-9a-f]{32}$/);
    expect(hash(maps, rule("widgets", identity), secrets)).toBe(hash(secrets, maps));
    // A rule does not write if another rule writes in its place.
    expect(hash(secrets, maps, rule("secrets", kms("c")))).toBe(hash(secrets, maps));
  });
  test("other names, or names that are exchanged => another hash", () => {
    const hash = (...rules: string[]) => scopeOf(config(...rules), SOCKET).namesHash;
    const hashes = [
      hash(rule("secrets", kms("a")), rule("configmaps", kms("b"))),
      hash(rule("secrets", kms("b")), rule("configmaps", kms("a"))),
      hash(rule("secrets", kms("a")), rule("configmaps", kms("c"))),
      hash(rule("secrets, configmaps", kms("a"))),
      hash(rule("secrets", identity, kms("a"))),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes.at(-1)).toBeUndefined();
  });
  test("a provider that only reads => an entry that writes nothing, and is read", () => {
    expect(scopeOf(config(rule("secrets", identity, kms("a"))), SOCKET)).toEqual({
      entries: 1,
      resources: [],
      reads: ["secrets"],
    });
  });
  test("a wildcard that is read after a resource that is not => that resource is left out", () => {
    const { reads } = scopeOf(config(rule("secrets", identity), rule("'*.*'", identity, kms("a"))), SOCKET);
    expect(reads).toEqual(["!secrets", "*.*"]);
  });
  test("a resource in two rules => its providers add up, and what is under the later one is read", () => {
    const { reads, resources } = scopeOf(
      config(rule("secrets", kms("b", "/run/b.sock")), rule("secrets, configmaps", identity, kms("a"))),
      SOCKET,
    );
    expect({ reads, resources }).toEqual({ reads: ["secrets", "configmaps"], resources: [] });
  });
  test("texts that no resource can have as its name => are left out, and their entry counts", () => {
    const odd = ["''", "'!pods'", "'a b'", `x${"y".repeat(400)}`, "'.b c'", "secrets."].join(", ");
    expect(scopeOf(config(rule(odd, kms("a")), rule("''", kms("b"))), SOCKET)).toMatchObject({
      entries: 2,
      resources: ["secrets"],
      reads: ["secrets"],
    });
  });
  test("another socket => nothing", () => {
    expect(scopeOf(config(rule("secrets", kms("a", "/run/b.sock"))), SOCKET)).toEqual({
      entries: 0,
      resources: [],
      reads: [],
    });
  });
  test("a wildcard after other rules => they are left out of it", () => {
    const { resources } = scopeOf(
      config(
        rule("'*.kms.claviger.dev'", identity),
        rule("configmaps", kms("b", "/run/b.sock")),
        rule("'*.*'", kms("a")),
      ),
      SOCKET,
    );
    expect(resources).toEqual(["!*.kms.claviger.dev", "!configmaps", "*.*"]);
    expect(scopeText(resources)).toBe("*.*");
    const rows = [
      ["secrets", "", true],
      ["deployments", "apps", true],
      ["configmaps", "", false],
      ["masterkeys", "kms.claviger.dev", false],
    ] as const;
    for (const [resource, group, inside] of rows)
      expect(inScope(resources, { resource, group })).toBe(inside);
  });
  test("an earlier rule of its own wins over a later one of another", () => {
    const { resources } = scopeOf(
      config(rule("secrets", kms("a")), rule("'*.'", kms("b", "/run/b.sock")), rule("'*.apps'", kms("c"))),
      SOCKET,
    );
    expect(inScope(resources, { resource: "secrets", group: "" })).toBe(true);
    expect(inScope(resources, { resource: "configmaps", group: "" })).toBe(false);
    expect(inScope(resources, { resource: "deployments", group: "apps" })).toBe(true);
  });
});

describe("several nodes", () => {
  test("that agree => what each of them says", () => {
    expect(
      mergeScopes([
        ["!configmaps", "*."],
        ["!configmaps", "*."],
      ]),
    ).toEqual(["!configmaps", "*."]);
  });
  test.each<readonly [string, readonly Scope[], Scope]>([
    [
      "one of which has more => that too",
      [["secrets"], ["secrets", "configmaps"]],
      ["configmaps", "secrets"],
    ],
    [
      "one leaves out of its wildcard what another writes => it is in",
      [["!secrets", "!configmaps", "*.*"], ["secrets"]],
      ["!configmaps", "secrets", "*.*"],
    ],
    [
      "one leaves out a group of which another writes one resource => that one is in, before the group",
      [["!*.apps", "*.*"], ["deployments.apps"]],
      ["deployments.apps", "!*.apps", "*.*"],
    ],
    [
      "a wildcard that comes first in one => what another leaves out later is in",
      [
        ["*.", "!*.apps", "jobs.batch"],
        ["!secrets", "*."],
      ],
      ["jobs.batch", "secrets", "*."],
    ],
    ["none writes anything => nothing", [[], []], []],
    [
      "one writes nothing, or has only come => what the others say, in their order",
      [["secrets", "configmaps"], [], ["secrets", "configmaps"]],
      ["secrets", "configmaps"],
    ],
  ])("%s", (_, scopes, merged) => {
    expect(mergeScopes(scopes)).toEqual(merged);
    expect(mergeScopes(scopes.toReversed())).toEqual(merged);
  });
  test("a scope in another order => is the same; of other resources => is not", () => {
    expect(sameScope(["secrets", "configmaps"], ["configmaps", "secrets"])).toBe(true);
    expect(sameScope(["!pods", "*."], ["*."])).toBe(false);
    expect(sameScope(["secrets"], ["secrets", "configmaps"])).toBe(false);
  });
  test("what decides nothing in a scope => does not make it another", () => {
    expect(sameScope(["!pods", "secrets"], ["secrets"])).toBe(true);
    expect(sameScope(["secrets", "*."], ["*."])).toBe(true);
    expect(sameScope(["secrets", "!*.", "*.*"], ["!*.", "*.*"])).toBe(false);
  });
  test("of any files => exactly what any of them writes", () => {
    const pattern = fc.constantFrom(
      "secrets",
      "pods",
      "jobs.batch",
      "carts.shop.io",
      "*.",
      "*.batch",
      "*.shop.io",
      "*.*",
    );
    const scope = fc
      .array(fc.tuple(pattern, fc.boolean()), { maxLength: 6 })
      .map((rules) => rules.map(([name, writes]) => (writes ? name : `!${name}`)));
    const resources = [
      "secrets",
      "pods",
      "events",
      "jobs.batch",
      "cronjobs.batch",
      "carts.shop.io",
      "bags.shop.io",
      "x.y.z",
    ];
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 4 }), (scopes) => {
        const merged = mergeScopes(scopes);
        for (const resource of resources.map(parseGroupResource))
          expect(inScope(merged, resource)).toBe(scopes.some((one) => inScope(one, resource)));
      }),
    );
    fc.assert(
      fc.property(scope, scope, (a, b) => {
        const alike = resources
          .map(parseGroupResource)
          .every((resource) => inScope(a, resource) === inScope(b, resource));
        expect(sameScope(a, b)).toBe(alike);
      }),
    );
  });
});
