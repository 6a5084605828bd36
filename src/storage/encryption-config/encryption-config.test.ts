import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { codeOf, messageOf } from "../../errors.ts";
import { parseGroupResource } from "../served/group-resource.ts";
import {
  covers,
  kmsEntries,
  parseEncryptionConfig,
  readEncryptionConfig,
  ruleFor,
} from "./encryption-config.ts";
import { encryptionConfiguration } from "./print.ts";

const PATH = "/etc/kubernetes/enc.yaml";
const SOCKET = "/run/claviger/secrets.sock";
/** A text that looks like a key. No message may contain it. */
const SECRET = "dGhpcyBpcyBhIHNlY3JldCBvZiAzMiBieXRlcywgb2s=";
const identity = { identity: {} };
const kms = (changes: object = {}) => ({
  kms: { apiVersion: "v2", name: "secrets", endpoint: `unix://${SOCKET}`, ...changes },
});
const keys = (...names: string[]) => ({ keys: names.map((name) => ({ name, secret: SECRET })) });
const rule = (resources: readonly string[], ...providers: object[]) => ({ resources, providers });
const document = (...resources: unknown[]) =>
  stringify({ apiVersion: "apiserver.config.k8s.io/v1", kind: "EncryptionConfiguration", resources });
const parse = (...resources: unknown[]) => parseEncryptionConfig(document(...resources), PATH);

function refusal(text: string): string {
  try {
    parseEncryptionConfig(text, PATH);
  } catch (error) {
    expect(codeOf(error)).toBe("ConfigInvalid");
    return messageOf(error);
  }
  throw new Error("it was not refused");
}

describe("a good file", () => {
  test("every provider => is taken, and no key is kept", () => {
    const config = parse(
      rule(["events"], identity),
      rule(["secrets", "pandas.awesome.bears.example"], kms({ timeout: "1m" }), {
        secretbox: keys("a", "b"),
      }),
      rule(["*.apps"], { aescbc: keys("c") }, { aesgcm: keys("d") }, identity),
      rule(["*.*"], kms({ apiVersion: undefined, name: "old" })),
    );
    expect(config).toEqual({
      path: PATH,
      rules: [
        { resources: ["events"], providers: [{ kind: "identity" }] },
        {
          resources: ["secrets", "pandas.awesome.bears.example"],
          providers: [
            {
              kind: "kms",
              apiVersion: "v2",
              name: "secrets",
              endpoint: `unix://${SOCKET}`,
              timeoutMilliseconds: 60_000,
            },
            { kind: "secretbox", keyNames: ["a", "b"] },
          ],
        },
        {
          resources: ["*.apps"],
          providers: [
            { kind: "aescbc", keyNames: ["c"] },
            { kind: "aesgcm", keyNames: ["d"] },
            { kind: "identity" },
          ],
        },
        {
          resources: ["*.*"],
          providers: [expect.objectContaining({ apiVersion: "v1", timeoutMilliseconds: 3_000 })],
        },
      ],
    });
    expect(JSON.stringify(config)).not.toContain(SECRET);
  });
  test("what claviger prints itself => is read", () => {
    const text = encryptionConfiguration({ name: "secrets", socket: SOCKET });
    const config = parseEncryptionConfig(text, PATH);
    expect(kmsEntries(config, SOCKET)).toEqual([{ name: "secrets", resources: ["secrets"], writes: true }]);
    expect(ruleFor(config, parseGroupResource("masterkeys.kms.claviger.dev"))?.providers).toEqual([
      { kind: "identity" },
    ]);
  });
  test.each([
    ["on", SOCKET],
    ["12", SOCKET],
    ["1e3", "/run/a b/c#d?e%41.sock"],
    ["017", "/run/a: b/x.sock"],
  ])("what claviger prints for a provider %s at %s => is read as it was meant", (name, socket) => {
    const config = parseEncryptionConfig(encryptionConfiguration({ name, socket }), PATH);
    expect(kmsEntries(config, socket)).toEqual([{ name, resources: ["secrets"], writes: true }]);
  });
  test("the name of before, which API servers take yet => is read", () => {
    const text = document(rule(["secrets"], kms()))
      .replace("apiserver.config.k8s.io/v1", "v1")
      .replace("EncryptionConfiguration", "EncryptionConfig");
    expect(kmsEntries(parseEncryptionConfig(text, PATH), SOCKET)).toHaveLength(1);
  });
  test("kms v1 providers of one name => are taken, with why an API server that reloads refuses them", () => {
    const v1 = kms({ apiVersion: "v1" });
    const config = parse(rule(["secrets"], v1), rule(["configmaps"], v1));
    expect(config.rules).toHaveLength(2);
    expect(config.refusedOnReload).toBe(
      "resources[1].providers[0].kms.name: duplicate KMS provider name secrets, names must be unique",
    );
  });
  test("`secrets.` and `secrets` => are one resource, of which the first entry decides", () => {
    const config = parse(rule(["secrets."], kms()), rule(["secrets"], { aescbc: keys("old") }));
    expect(config.rules.map(({ resources }) => resources)).toEqual([["secrets"], ["secrets"]]);
    expect(ruleFor(config, { group: "", resource: "secrets" })?.providers).toMatchObject([
      { kind: "kms" },
      { kind: "aescbc" },
    ]);
    expect(kmsEntries(config, SOCKET)).toMatchObject([{ writes: true }]);
  });
});

describe("a wrong file => ConfigInvalid that names file and field", () => {
  const rows: readonly (readonly [string, unknown, string])[] = [
    ["no resources", [], "resources: at least one resources is required"],
    [
      "an entry that is text",
      ["secrets"],
      "resources[0]: cannot unmarshal string into a field of type object",
    ],
    [
      "an entry of no resources",
      [rule([], identity)],
      "resources[0].resources: at least one resources[0].resources is required",
    ],
    [
      "an entry of no providers",
      [rule(["secrets"])],
      "resources[0].providers: at least one resources[0].providers is required",
    ],
    [
      "a resource that is a number",
      [{ resources: [1], providers: [identity] }],
      "resources[0].resources[0]: cannot unmarshal number",
    ],
    ["a resource *", [rule(["*"], identity)], "resources[0].resources[0]: use '*.' to encrypt"],
    [
      "a resource in capitals",
      [rule(["Secrets"], identity)],
      "resources[0].resources[0]: resource name should not",
    ],
    [
      "one resource of every group",
      [rule(["secrets.*"], identity)],
      "resources[0].resources[0]: encrypting the same",
    ],
    [
      "a group that stores nothing",
      [rule(["*.events.k8s.io"], identity)],
      "resources[0].resources[0]: '*.events",
    ],
    [
      "a provider of no kind",
      [rule(["secrets"], {})],
      "resources[0].providers[0]: provider does not contain any",
    ],
    [
      "a provider of an unknown kind",
      [rule(["secrets"], { vault: {} })],
      'unknown field "resources[0].providers[0].vault"',
    ],
    [
      "a provider of two kinds",
      [rule(["secrets"], identity, { ...identity, ...kms() })],
      "resources[0].providers[1]: more than one provider",
    ],
    [
      "keys that are none",
      [rule(["secrets"], { aescbc: {} })],
      "resources[0].providers[0].aescbc.keys: at least one keys",
    ],
    [
      "a key without a name",
      [rule(["secrets"], { aesgcm: { keys: [{ secret: SECRET }] } })],
      "resources[0].providers[0].aesgcm.keys[0].name: name is a mandatory field for a key",
    ],
    [
      "a key that is its secret",
      [rule(["secrets"], { secretbox: { keys: [SECRET] } })],
      "resources[0].providers[0].secretbox.keys[0]: cannot unmarshal string",
    ],
    [
      "a kms v3",
      [rule(["secrets"], kms({ apiVersion: "v3" }))],
      "resources[0].providers[0].kms.apiVersion: unsupported apiVersion",
    ],
    [
      "a kms without a name",
      [rule(["secrets"], kms({ name: undefined }))],
      "resources[0].providers[0].kms.name: name is",
    ],
    [
      "a kms v2 with a colon",
      [rule(["secrets"], kms({ name: "a:b" }))],
      "resources[0].providers[0].kms.name: invalid KMS provider name a:b, must not contain",
    ],
    [
      "a kms over the network",
      [rule(["secrets"], kms({ endpoint: "tcp://1.2.3.4:5" }))],
      "resources[0].providers[0].kms.endpoint: unsupported scheme",
    ],
    [
      "a timeout without a unit",
      [rule(["secrets"], kms({ timeout: "3" }))],
      "resources[0].providers[0].kms.timeout: time: invalid duration",
    ],
    [
      "a timeout of nothing",
      [rule(["secrets"], kms({ timeout: "0s" }))],
      "resources[0].providers[0].kms.timeout: timeout should be a positive value",
    ],
    [
      "two kms v2 of one name",
      [rule(["secrets"], kms()), rule(["configmaps"], kms())],
      "resources[1].providers[0].kms.name: duplicate KMS provider name secrets, names must be unique",
    ],
    [
      "a resource twice in a list",
      [rule(["secrets", "secrets."], identity)],
      "resources[0].resources: the same resource cannot be specified multiple times",
    ],
    [
      "a resource beside its wildcard",
      [rule(["secrets", "*."], identity)],
      "resources[0].resources: using overlapping resources",
    ],
    [
      "a resource after its group's wildcard",
      [rule(["*.apps"], identity), rule(["deployments.apps"], kms())],
      'resource "deployments.apps" is masked by earlier rule "*.apps"',
    ],
    [
      "a wildcard after the wildcard of all",
      [rule(["*.*"], identity), rule(["*."], kms())],
      'resource "*." is masked by earlier rule "*.*"',
    ],
    [
      "a wildcard twice",
      [rule(["*.apps"], identity), rule(["*.apps"], kms())],
      'resource "*.apps" is masked by earlier rule "*.apps"',
    ],
  ];
  test.each(rows)("%s", (_, resources, message) => {
    const text = document(...(resources as unknown[]));
    expect(refusal(text)).toMatch(new RegExp(`^EncryptionConfiguration ${PATH}: `));
    expect(refusal(text)).toContain(message);
    expect(refusal(text)).not.toContain(SECRET);
  });

  test.each([
    [
      "another apiVersion",
      "apiVersion: v1\nkind: EncryptionConfiguration\n",
      "apiVersion must be apiserver.c",
    ],
    ["another kind", "apiVersion: apiserver.config.k8s.io/v1\nkind: Else\n", "kind must be EncryptionConf"],
    ["an empty file", "", "holds no YAML document"],
    ["a list", "- 1", "must be a mapping"],
  ])("%s", (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });

  test.each([
    ["a broken line", `a: [1,\nsecret: ${SECRET}: x`],
    ["a secret where a tag is", `a: 1\nb: !${SECRET} x\nc: [`],
    ["a secret as an anchor that is not there", `a: *${SECRET.slice(0, 20)}`],
    ["a secret twice as a field", `${SECRET}: 1\n${SECRET}: 2\n`],
  ])("no YAML: %s => no word of the text is in the message or its cause", (_, text) => {
    let thrown: unknown;
    try {
      parseEncryptionConfig(text, PATH);
    } catch (error) {
      thrown = error;
    }
    expect(codeOf(thrown)).toBe("ConfigInvalid");
    expect(`${messageOf(thrown)} ${messageOf((thrown as Error).cause)}`).not.toContain(SECRET.slice(0, 12));
  });
  test("no YAML => the message has the line", () => {
    expect(refusal("a: 1\nb: [1,\n")).toMatch(/: line \d, column \d+ is not YAML \([A-Z_]+\)$/);
  });
});

describe("which rule a resource has", () => {
  const patterns = ["secrets", "deployments.apps", "*.apps", "*.", "*.*"];
  test.each([
    ["secrets", ["secrets", "*.", "*.*"]],
    ["configmaps", ["*.", "*.*"]],
    ["deployments.apps", ["deployments.apps", "*.apps", "*.*"]],
    ["daemonsets.apps", ["*.apps", "*.*"]],
    ["secrets.shop.example.com", ["*.*"]],
    ["apps.apps.example.com", ["*.*"]],
  ])("%s is covered by %j", (resource, expected) => {
    expect(patterns.filter((pattern) => covers(pattern, parseGroupResource(resource)))).toEqual(expected);
  });

  const config = parse(
    rule(["secrets"], { aescbc: keys("exact") }),
    rule(["secrets", "configmaps"], identity),
    rule(["*.apps"], { aescbc: keys("group") }),
    rule(["*.*"], { aescbc: keys("all") }),
  );
  test.each([
    ["configmaps => its exact entry, before the wildcard", "configmaps", 1],
    ["deployments.apps => its group's wildcard", "deployments.apps", 2],
    ["pods => the wildcard of all", "pods", 3],
  ])("%s", (_, resource, index) => {
    expect(ruleFor(config, parseGroupResource(resource))).toBe(config.rules[index]);
  });
  test("secrets => the first of two exact entries writes, and the second reads too", () => {
    expect(ruleFor(config, { group: "", resource: "secrets" })).toEqual({
      resources: ["secrets"],
      providers: [{ kind: "aescbc", keyNames: ["exact"] }, { kind: "identity" }],
    });
  });
  test("a resource that no rule covers => none: it is stored plain", () => {
    expect(ruleFor(parse(rule(["secrets"], kms())), { group: "", resource: "pods" })).toBeUndefined();
  });
});

describe("the kms providers of a socket", () => {
  const names = (endpoint: string) => kmsEntries(parse(rule(["secrets"], kms({ endpoint }))), SOCKET);
  test.each([
    `unix://${SOCKET}`,
    `unix:${SOCKET}`,
    `UNIX://${SOCKET}`,
    "unix:///run/claviger/./secrets.sock",
    "unix:///run/other/../claviger/secrets.sock",
    "unix:///var/run/claviger/secrets.sock",
    "unix:///run/claviger/secrets%2Esock",
  ])("%s => is it", (endpoint) => {
    expect(names(endpoint)).toHaveLength(1);
  });
  test.each([
    "unix:///run/claviger/other.sock",
    "unix://run/claviger/secrets.sock",
    "unix:///@/run/claviger/secrets.sock",
    "unix:///@secrets.sock",
    "unix://@secrets.sock",
    "unix://",
    "unix:run/claviger/secrets.sock",
    "unix:///run/%ff",
  ])("%s => is another", (endpoint) => {
    expect(names(endpoint)).toEqual([]);
  });
  test("the first provider of a rule writes, the others read", () => {
    const other = { endpoint: "unix:///run/other.sock" };
    const config = parse(
      rule(["secrets"], kms({ name: "a" }), kms({ name: "b" }), kms({ name: "c", ...other })),
      rule(["configmaps", "pods"], kms({ name: "d", ...other }), kms({ name: "e" })),
      rule(["*.*"], kms({ name: "f" })),
    );
    expect(kmsEntries(config, SOCKET)).toEqual([
      { name: "a", resources: ["secrets"], writes: true },
      { name: "b", resources: ["secrets"], writes: false },
      { name: "e", resources: ["configmaps", "pods"], writes: false },
      { name: "f", resources: ["*.*"], writes: true },
    ]);
  });
  test("a rule whose resources all have an earlier rule => writes nothing", () => {
    const config = parse(
      rule(["secrets"], identity),
      rule(["secrets"], kms({ name: "a" })),
      rule(["secrets", "pods"], kms({ name: "b" })),
    );
    expect(kmsEntries(config, SOCKET).map(({ writes }) => writes)).toEqual([false, true]);
  });
  test("kms v1 providers => are not claviger's", () => {
    expect(kmsEntries(parse(rule(["secrets"], kms({ apiVersion: "v1" }))), SOCKET)).toEqual([]);
  });
});

describe("a file on disk", () => {
  test("is read", () => {
    const folder = mkdtempSync(join(tmpdir(), "claviger-enc-"));
    const path = join(folder, "enc.yaml");
    writeFileSync(path, document(rule(["secrets"], kms())));
    expect(readEncryptionConfig(path)).toMatchObject({ path, rules: [{ resources: ["secrets"] }] });
    rmSync(folder, { recursive: true });
  });
  test("is not there => ConfigInvalid with its path and what to do", () => {
    expect(() => readEncryptionConfig("/nowhere/enc.yaml")).toThrow(
      /^EncryptionConfiguration \/nowhere\/enc\.yaml cannot be read: ENOENT.*encryptionConfig must name/,
    );
  });
});
