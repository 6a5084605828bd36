import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig, readConfig } from "./config.ts";

const PATH = "/etc/claviger/claviger.yaml";
const PROVIDER = { name: "secrets", socket: "s.sock", key: "claviger-system/secrets" };
const MINIMAL = {
  apiVersion: "config.claviger.dev/v1alpha1",
  kind: "NodeConfig",
  nodeName: "node-1",
  stateDir: "/var/lib/claviger",
  seal: { file: { path: "root.key" } },
  providers: [PROVIDER],
  manifests: "./keys",
};

/** Parses the minimal configuration with some fields changed; undefined removes a field. JSON is YAML. */
const parse = (changes: object = {}) => parseConfig(JSON.stringify({ ...MINIMAL, ...changes }), PATH);
const refusal = (changes: object): unknown => {
  try {
    parse(changes);
  } catch (error) {
    return error;
  }
  return undefined;
};
const refused = (message: string | RegExp) =>
  expect.objectContaining({
    code: "ConfigInvalid",
    message:
      typeof message === "string" ? `configuration ${PATH}: ${message}` : expect.stringMatching(message),
  });

describe("a good configuration", () => {
  test("the least that is needed => paths are absolute, the rest has defaults", () => {
    expect(parse()).toEqual({
      path: PATH,
      nodeName: "node-1",
      stateDir: "/var/lib/claviger",
      seal: { provider: "file", path: "/etc/claviger/root.key" },
      providers: [
        {
          name: "secrets",
          socket: "/etc/claviger/s.sock",
          ref: { key: { namespace: "claviger-system", name: "secrets" } },
        },
      ],
      resources: { kind: "manifests", folder: "/etc/claviger/keys" },
      metrics: {},
      leaseNamespace: "claviger-system",
      logFormat: "text",
      limits: {
        masterKeysPerNamespace: 1_000,
        keyAliasesPerNamespace: 1_000,
        keyVersionsPerNamespace: 10_000,
        rotationsPerKeyPerHour: 10,
        rotationsPerNamespacePerHour: 100,
      },
      account: "000000000000",
      region: "us-local-1",
      isRegionDefault: true,
    });
  });
  test("everything there is => is taken", () => {
    const everything = parse({
      stateDir: "state",
      socketGroup: 0,
      providers: [PROVIDER, { name: "b", socket: "/run/b.sock", alias: "apps/main", allowImported: true }],
      manifests: undefined,
      kubeconfig: "claviger.conf",
      metrics: { listen: "127.0.0.1:9440", operatorListen: "[::1]:9441", apiListen: "0.0.0.0:9442" },
      leaseNamespace: "leases",
      limits: { keyVersionsPerNamespace: 20_000, rotationsPerKeyPerHour: 3 },
      aws: { account: "123456789012", region: "eu-west-1" },
      encryptionConfig: "enc.yaml",
      rewriter: { kubeconfig: "rewriter.conf" },
      etcd: {
        endpoints: ["https://10.0.0.1:2379", "https://[fd00::1]:2379/"],
        ca: "pki/ca.crt",
        cert: "pki/client.crt",
        key: "/pki/client.key",
        prefix: "/other/registry",
      },
    });
    expect(everything).toMatchObject({
      stateDir: "/etc/claviger/state",
      socketGroup: 0,
      providers: [
        {},
        { socket: "/run/b.sock", ref: { alias: { namespace: "apps", name: "main" } }, allowImported: true },
      ],
      resources: { kind: "kubeconfig", path: "/etc/claviger/claviger.conf" },
      metrics: { plugin: "127.0.0.1:9440", operator: "[::1]:9441", api: "0.0.0.0:9442" },
      leaseNamespace: "leases",
      limits: { masterKeysPerNamespace: 1_000, keyVersionsPerNamespace: 20_000, rotationsPerKeyPerHour: 3 },
      account: "123456789012",
      region: "eu-west-1",
      isRegionDefault: false,
      encryptionConfig: "/etc/claviger/enc.yaml",
      rewriter: { kubeconfig: "/etc/claviger/rewriter.conf" },
      etcd: {
        endpoints: ["https://10.0.0.1:2379", "https://[fd00::1]:2379"],
        ca: "/etc/claviger/pki/ca.crt",
        client: { cert: "/etc/claviger/pki/client.crt", key: "/pki/client.key" },
        prefix: "/other/registry",
      },
    });
  });
  test("etcd on loopback => needs no certificates, and its prefix is the API server's default", () => {
    const endpoints = ["http://127.0.0.1:2379", "http://localhost:2379", "http://[::1]:2379"];
    expect(parse({ etcd: { endpoints } }).etcd).toEqual({ endpoints, prefix: "/registry" });
    const hasty = parse({ etcd: { endpoints, censusIntervalMinutes: 5 } });
    expect(hasty.etcd?.censusInterval).toBe(300_000);
  });
  test("no nodeName => the host's, in lower case", () => {
    expect(parse({ nodeName: undefined }).nodeName).toBe(hostname().toLowerCase());
  });
  test("no providers => an operator without sockets", () => {
    expect(parse({ providers: undefined }).providers).toEqual([]);
  });
  test("null => is as if it were not given", () => {
    expect(parse({ kubeconfig: null, aws: null, metrics: null })).toEqual(parse());
  });
  test.each(["local-cluster-1", "us-local-1", "us-gov-west-1", "eu-west-3"])(
    "region %s => well",
    (region) => {
      expect(parse({ aws: { region } }).region).toBe(region);
    },
  );
});

describe("a wrong field => ConfigInvalid that names file and field", () => {
  const provider = (changes: object) => ({
    providers: [PROVIDER, { ...PROVIDER, name: "b", socket: "b.sock", ...changes }],
  });
  const etcd = (changes: object) => ({
    etcd: { endpoints: ["https://10.0.0.1:2379"], ca: "ca.crt", ...changes },
  });
  const rows: readonly (readonly [string, object, string])[] = [
    ["another apiVersion", { apiVersion: "v1" }, "apiVersion must be config.claviger.dev/v1alpha1"],
    ["no apiVersion", { apiVersion: undefined }, "apiVersion is missing"],
    ["a rewriter without a kubeconfig", { rewriter: {} }, "rewriter.kubeconfig is missing"],
    [
      "a rewriter standalone",
      { rewriter: { kubeconfig: "r" } },
      "rewriter goes with kubeconfig: standalone there is nothing to write again",
    ],
    [
      "a rewriter with the operator's own kubeconfig",
      { manifests: undefined, kubeconfig: "k", rewriter: { kubeconfig: "./k" } },
      "rewriter.kubeconfig must be another file than kubeconfig, of a user who may do no more",
    ],
    ["another kind", { kind: "MasterKey" }, "kind must be NodeConfig"],
    ["a nodeName in capitals", { nodeName: "Node" }, "nodeName must match"],
    ["no stateDir", { stateDir: undefined }, "stateDir is missing"],
    ["an empty stateDir", { stateDir: "" }, "stateDir must be text"],
    ["a stateDir that is a number", { stateDir: 5 }, "stateDir must be text"],
    ["no seal", { seal: undefined }, "seal is missing"],
    ["a seal that is text", { seal: "root.key" }, "seal must be a mapping"],
    ["a seal of no kind", { seal: {} }, "seal.file is missing"],
    ["a file seal without a path", { seal: { file: {} } }, "seal.file.path is missing"],
    ["a socketGroup by name", { socketGroup: "kms" }, "socketGroup must be a whole number"],
    ["a negative socketGroup", { socketGroup: -1 }, "socketGroup must be a whole number"],
    ["half a socketGroup", { socketGroup: 0.5 }, "socketGroup must be a whole number"],
    ["providers that are a mapping", { providers: {} }, "providers must be a list"],
    ["a provider that is text", { providers: ["x"] }, "providers[0] must be a mapping"],
    ["a provider without a name", provider({ name: undefined }), "providers[1].name is missing"],
    ["a provider's name with a slash", provider({ name: "a/b" }), "providers[1].name must match"],
    ["a provider without a socket", provider({ socket: undefined }), "providers[1].socket is missing"],
    [
      "a provider with neither key nor alias",
      provider({ key: undefined }),
      "providers[1] must have exactly one of key and alias",
    ],
    [
      "a provider with both",
      provider({ alias: "a/b" }),
      "providers[1] must have exactly one of key and alias",
    ],
    ["a key without a namespace", provider({ key: "secrets" }), "providers[1].key must be NAMESPACE/NAME"],
    ["a key with three parts", provider({ key: "a/b/c" }), "providers[1].key must be NAMESPACE/NAME"],
    ["a key in capitals", provider({ key: "a/B" }), "providers[1].key must be NAMESPACE/NAME"],
    [
      "allowImported that is text",
      provider({ allowImported: "yes" }),
      "providers[1].allowImported must be true or false",
    ],
    [
      "a limit of nothing",
      { limits: { keyVersionsPerNamespace: 0 } },
      "limits.keyVersionsPerNamespace must be a whole number from 1 to 1000000",
    ],
    [
      "a limit that is none",
      { limits: { keyVersionsPerNamespace: 1e9 } },
      "limits.keyVersionsPerNamespace must be a whole number from 1 to",
    ],
    ["a format of the log that there is not", { log: { format: "xml" } }, "log.format must be text or json"],
    ["a limit of something unknown", { limits: { pods: 1 } }, "limits.pods"],
    ["an alias that is a list", provider({ key: undefined, alias: [] }), "providers[1].alias must be text"],
    ["two providers of one name", provider({ name: "secrets" }), "two providers have the name secrets"],
    [
      "two providers of one socket",
      provider({ socket: "./x/../s.sock" }),
      "two providers have the socket /etc/claviger/s.sock",
    ],
    [
      "neither manifests nor kubeconfig",
      { manifests: undefined },
      "it must have exactly one of manifests and kubeconfig",
    ],
    ["both", { kubeconfig: "k" }, "it must have exactly one of manifests and kubeconfig"],
    ["metrics without a port", { metrics: { listen: "localhost" } }, "metrics.listen must match"],
    [
      "metrics of the operator without a host",
      { metrics: { operatorListen: ":1" } },
      "metrics.operatorListen must match",
    ],
    ["metrics that are text", { metrics: "127.0.0.1:1" }, "metrics must be a mapping"],
    ["a leaseNamespace with a slash", { leaseNamespace: "a/b" }, "leaseNamespace must match"],
    ["an account of eleven digits", { aws: { account: "12345678901" } }, "aws.account must match"],
    [
      "an account that YAML takes for a number",
      { aws: { account: 123456789012 } },
      "aws.account must be text",
    ],
    ["a region of one word", { aws: { region: "here" } }, "aws.region must match"],
    ["an encryptionConfig that is a mapping", { encryptionConfig: {} }, "encryptionConfig must be text"],
    ["an etcd of no endpoints", etcd({ endpoints: undefined }), "etcd.endpoints must have at least one URL"],
    ["endpoints that are text", etcd({ endpoints: "https://a:1" }), "etcd.endpoints must be a list"],
    ["an endpoint that is a number", etcd({ endpoints: [1] }), "etcd.endpoints[0] must be text"],
    ["an endpoint without a port", etcd({ endpoints: ["https://a"] }), "etcd.endpoints must be https://HOST"],
    [
      "an endpoint without TLS",
      etcd({ endpoints: ["http://10.0.0.1:2379"] }),
      "etcd.endpoints must be https://",
    ],
    [
      "a loopback that is only a name's beginning",
      etcd({ endpoints: ["http://127.0.0.1.example.com:1"] }),
      "etcd.endpoints must be https://",
    ],
    [
      "an endpoint with a password",
      etcd({ endpoints: ["https://a:b@c:1"] }),
      "etcd.endpoints must be https://",
    ],
    ["an etcd that nothing verifies", etcd({ ca: undefined }), "etcd.ca is missing"],
    ["a certificate without a key", etcd({ cert: "c" }), "etcd must have both of cert and key"],
    ["a key without a certificate", etcd({ key: "c" }), "etcd must have both of cert and key"],
    [
      "a census that never comes",
      etcd({ censusIntervalMinutes: 0 }),
      "etcd.censusIntervalMinutes must be a whole number from 1 to 10080",
    ],
    ["a census a month", etcd({ censusIntervalMinutes: 43_200 }), "etcd.censusIntervalMinutes must be"],
    ["a prefix without its slash", etcd({ prefix: "registry" }), "etcd.prefix must match"],
    ["a prefix with a slash too many", etcd({ prefix: "/registry/" }), "etcd.prefix must match"],
    ["an unknown field of etcd", etcd({ servers: [] }), "etcd.servers is not a field that claviger knows"],
    ["an unknown field", { stateDri: "x" }, "stateDri is not a field that claviger knows"],
    [
      "an unknown field of a provider",
      provider({ timeout: "3s" }),
      "providers[1].timeout is not a field that claviger knows",
    ],
    [
      "an unknown field of the seal",
      { seal: { file: { path: "p", mode: 1 } } },
      "seal.file.mode is not a field that claviger knows",
    ],
    [
      "a second seal",
      { seal: { file: { path: "p" }, pkcs11: {} } },
      "seal.pkcs11 is not a field that claviger knows",
    ],
    ["an unknown field of aws", { aws: { regoin: "x" } }, "aws.regoin is not a field that claviger knows"],
    [
      "a field by the name of one of JavaScript's",
      { constructor: "x" },
      "constructor is not a field that claviger knows",
    ],
  ];
  test.each(rows)("%s", (_, changes, message) => {
    expect(refusal(changes)).toEqual(refused(new RegExp(`^configuration ${PATH}: ${literally(message)}`)));
  });
  const literally = (text: string) => text.replaceAll(/[[\].]/g, "\\$&");
});

describe("the text", () => {
  const text = (yaml: string) => () => parseConfig(yaml, PATH);
  test.each([
    ["empty", "", "must hold exactly one YAML document"],
    ["a comment", "# nothing", "must hold exactly one YAML document"],
    ["two documents", "a: 1\n---\nb: 2\n", "must hold exactly one YAML document"],
    ["a list", "- 1", "must be a mapping"],
    ["broken YAML", "a: [1,\n", ""],
    [
      "a field twice",
      "kind: NodeConfig\nkind: NodeConfig\n",
      "line 2, column 1 is a key that its mapping has already",
    ],
    ["anchors that unfold without end", bomb(), ""],
  ])("%s => ConfigInvalid that names the file", (_, yaml, message) => {
    expect(text(yaml)).toThrow(expect.objectContaining({ code: "ConfigInvalid" }));
    expect(text(yaml)).toThrow(`configuration ${PATH}`);
    expect(text(yaml)).toThrow(message);
  });
});

function bomb(): string {
  const levels = Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`);
  return `a0: &a0 x\n${levels.join("\n")}\n`;
}

describe("a file", () => {
  test("its relative paths => begin at its own folder, wherever we run", () => {
    const folder = mkdtempSync(join(tmpdir(), "claviger-config-"));
    const path = join(folder, "c.yaml");
    writeFileSync(path, JSON.stringify(MINIMAL));
    expect(readConfig(path)).toMatchObject({
      path,
      seal: { provider: "file", path: join(folder, "root.key") },
      resources: { folder: join(folder, "keys") },
    });
    rmSync(folder, { recursive: true });
  });
  test("it is not there => ConfigInvalid with its absolute path", () => {
    expect(() => readConfig("/nowhere/c.yaml")).toThrow(
      expect.objectContaining({
        code: "ConfigInvalid",
        message: expect.stringMatching(
          /^configuration \/nowhere\/c\.yaml cannot be read: there is no such file; name .* with --config FILE or CLAVIGER_CONFIG$/,
        ),
      }),
    );
  });
});
