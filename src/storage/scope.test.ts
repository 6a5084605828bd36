import { describe, expect, test } from "vitest";
import { parseEncryptionConfig } from "./encryption-config.ts";
import { inScope, mergeScopes, scopeOf, scopeText } from "./scope.ts";

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
    expect(scopeOf(config(rule("secrets", kms("a"), identity)), SOCKET)).toEqual({
      entries: 1,
      resources: ["secrets"],
    });
  });
  test("two entries on one socket => both count, and both write", () => {
    const scope = scopeOf(
      config(rule("secrets", kms("a")), rule("configmaps, widgets.example.com", kms("b"))),
      SOCKET,
    );
    expect(scope).toEqual({ entries: 2, resources: ["secrets", "configmaps", "widgets.example.com"] });
  });
  test("a provider that only reads => an entry that writes nothing", () => {
    expect(scopeOf(config(rule("secrets", identity, kms("a"))), SOCKET)).toEqual({
      entries: 1,
      resources: [],
    });
  });
  test("another socket => nothing", () => {
    expect(scopeOf(config(rule("secrets", kms("a", "/run/b.sock"))), SOCKET)).toEqual({
      entries: 0,
      resources: [],
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
  test("one of which has more => that too", () => {
    expect(mergeScopes([["secrets"], ["secrets", "configmaps"]])).toEqual(["secrets", "configmaps"]);
  });
});
