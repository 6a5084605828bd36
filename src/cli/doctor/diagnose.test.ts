import { describe, expect, test } from "vitest";
import { printableLines } from "../../printable.ts";
import {
  CURRENT,
  cluster,
  config,
  encryption,
  guarded,
  identity,
  key,
  kms,
  observed,
  provider,
  rule,
  SOCKET,
  secretbox,
  server,
  stored,
} from "../../testing/doctor.ts";
import { condition, keyAlias, NOW } from "../../testing/objects.ts";
import { renderStyles } from "../terminal/style.ts";
import { checks, diagnose } from "./diagnose.ts";
import { absent } from "./look.ts";
import type { Observed } from "./observed.ts";
import { asTable, forPrograms } from "./report.ts";

type Row = readonly [sentence: string, observed: Observed, ...found: string[]];

const plainText = (...given: Parameters<typeof asTable>) =>
  renderStyles(asTable(...given), false, printableLines);
const FORMER_ARN = "arn:aws:kms:local-cluster-1:000000000000:key/aaaaaaaa-0000-4000-8000-000000000001";
const failed = (reason: string) => ({ kind: "failed", reason }) as const;
const plain = rule("*.kms.claviger.dev", identity);
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000).toISOString();
const condemned = (type: string, reason: string) => condition(type, { status: "False", reason });
const keys = (...masterKeys: ReturnType<typeof key>[]) => observed(cluster({ masterKeys }));
const nodes = (...keyServers: ReturnType<typeof server>[]) =>
  observed({ ...cluster({ keyServers }), leases: keyServers.map(({ metadata }) => lease(metadata.name)) });
const lease = (node: string, secondsAgo = 5, ahead = 0) => ({
  node,
  renewedAt: NOW.getTime() - (secondsAgo - ahead) * 1000,
  writtenAt: NOW.getTime() - secondsAgo * 1000,
});
const keyring = (changes: object) =>
  observed({ keyring: { versionNames: new Map(), sealedUnder: new Map(), unreadable: [], ...changes } });
const rootKey = (changes: object) =>
  observed(
    {},
    { rootKey: { path: "/k/root.key", mode: 0o600, folderMode: 0o700, rootKeyId: "root-1", ...changes } },
  );
const ours = { kind: "kms-v2", provider: "secrets", keyId: CURRENT.kmsKeyId } as const;
const values = (resource: string, value: Parameters<typeof stored>[0]["stored"]) =>
  observed(stored({ resource, stored: value, objects: 2 }));

const inStep = (status: "False" | "Unknown", reason: string) =>
  condition("ApiServerInStep", { status, reason });
const notConfigured = {
  status: { encryptionConfig: "NotConfigured" },
  refused: false,
  finding: {
    type: "ApiServerInStep",
    status: "False",
    reason: "EncryptionConfigNotConfigured",
    message: "it was started without the flag",
  },
} as const;

const theFile: readonly Row[] = [
  ["all is well", observed()],
  [
    "a kms entry without apiVersion is v1",
    observed(encryption(plain, rule("secrets", kms({ apiVersion: undefined }), identity))),
    "error KmsV1",
    "error MissingProvider",
    "warning ProviderUnused",
  ],
  [
    "another plugin's kms v1 entry is only a warning",
    observed(
      encryption(
        plain,
        rule("secrets", kms(), kms({ apiVersion: "v1", name: "old", endpoint: "unix:///o" }), identity),
      ),
    ),
    "warning KmsV1",
  ],
  [
    "two kms v1 entries of one name are refused by an API server that reloads",
    observed(
      encryption(
        plain,
        rule("secrets", kms(), kms({ apiVersion: "v1", name: "old", endpoint: "unix:///o" }), identity),
        rule("configmaps", kms({ apiVersion: "v1", name: "old", endpoint: "unix:///o" }), identity),
      ),
    ),
    "warning KmsV1",
    "warning KmsV1",
    "warning RefusedOnReload",
  ],
  [
    "identity before claviger writes plain",
    observed(encryption(plain, rule("secrets", identity, kms()))),
    "error IdentityFirst",
  ],
  [
    "identity in an earlier entry for the resource writes plain",
    observed(encryption(plain, rule("secrets", identity), rule("secrets", kms()))),
    "error IdentityFirst",
  ],
  [
    "identity in a later entry for the resource only reads",
    observed(encryption(plain, rule("secrets", kms()), rule("secrets", identity, kms({ name: "b" })))),
  ],
  [
    "a key of the file in an earlier entry for the resource writes",
    observed(encryption(plain, rule("secrets", secretbox), rule("secrets", kms(), identity))),
    "warning ProviderOrder",
  ],
  [
    "a key of the file before claviger writes",
    observed(encryption(plain, rule("secrets", secretbox, kms(), identity))),
    "warning ProviderOrder",
  ],
  [
    "a file without a rule for secrets leaves them plain",
    observed({ ...encryption(plain, rule("configmaps", kms(), identity)), ...stored() }),
    "error SecretsNotEncrypted",
  ],
  [
    "a rule for secrets with identity alone leaves them plain",
    observed({ ...encryption(plain, rule("secrets", identity), rule("pods", kms(), identity)), ...stored() }),
    "error SecretsNotEncrypted",
  ],
  [
    "a wildcard without the exception encrypts claviger's own resources",
    observed(encryption(rule("*.*", kms(), identity))),
    "error OwnResourcesEncrypted",
  ],
  ["a wildcard after the exception does not", observed(encryption(plain, rule("*.*", kms(), identity)))],
  ...(
    [
      ["expires in four weeks", 28, ["warning CertificateExpires"]],
      ["expires in six days", 6, ["error CertificateExpires"]],
      ["has expired", -1, ["error CertificateExpires"]],
    ] as const
  ).map(
    ([what, days, found]): Row => [
      `a client certificate that ${what}`,
      observed({}, { certificates: [{ path: "/k", expiresAt: NOW.getTime() + days * 86_400_000 }] }),
      ...found,
    ],
  ),
  ...(
    [
      ["expires in two weeks", 13, ["warning ApiCertificateExpires"]],
      ["expires in six days", 6, ["error ApiCertificateExpires"]],
    ] as const
  ).map(
    ([what, days, found]): Row => [
      `a certificate of the AWS KMS API that ${what}`,
      observed({}, { apiCertificate: [{ path: "/t", expiresAt: NOW.getTime() + days * 86_400_000 }] }),
      ...found,
    ],
  ),
  [
    "kubeadm's configuration without the flag => an upgrade would take it away",
    observed({ kubeadm: { flags: new Map(), mounts: new Set(["/etc/kubernetes/enc", "/run/claviger"]) } }),
    "error KubeadmConfig",
  ],
  [
    "kubeadm's configuration without the sockets' folder => the API server would not reach the plugin",
    observed({
      kubeadm: { flags: new Map([["encryption-provider-config", "/enc/a"]]), mounts: new Set(["/enc"]) },
    }),
    "error KubeadmConfig",
  ],
  [
    "kubeadm's configuration with folders above => mounts them too",
    observed({
      kubeadm: {
        flags: new Map([["encryption-provider-config", "/etc/enc/a"]]),
        mounts: new Set(["/etc", "/run"]),
      },
    }),
  ],
  [
    "a path that differs leaves socket and provider without one another",
    observed(encryption(plain, rule("secrets", kms({ endpoint: "unix:///run/other.sock" }), identity))),
    "error SocketWithoutProvider",
    "warning ProviderUnused",
  ],
  [
    "another plugin's socket is a warning",
    observed(
      encryption(
        plain,
        rule("secrets", kms(), identity),
        rule("pods", kms({ name: "b", endpoint: "unix:///b" })),
      ),
    ),
    "warning SocketWithoutProvider",
  ],
  [
    "a timeout of a second is short",
    observed(encryption(plain, rule("secrets", kms({ timeout: "1s" }), identity))),
    "warning TimeoutShort",
  ],
  [
    "one of 100 ms is too short",
    observed(encryption(plain, rule("secrets", kms({ timeout: "100ms" }), identity))),
    "error TimeoutShort",
  ],
  [
    "a configuration without encryptionConfig says what that costs",
    observed({}, { looks: { encryptionConfig: absent("none") } }),
    "warning NoEncryptionConfig",
  ],
];

const theNode: readonly Row[] = [
  ["a root key that others can read", rootKey({ mode: 0o644, fault: "refused" }), "error RootKeyUnsafe"],
  [
    "a root key in a folder that others can change",
    rootKey({ folderMode: 0o777, fault: "refused" }),
    "error RootKeyUnsafe",
  ],
  [
    "a root key in a folder that others can look into",
    rootKey({ folderMode: 0o755 }),
    "warning RootKeyUnsafe",
  ],
  [
    "a folder that another user can replace",
    observed({}, { unsafeFolders: [{ what: "state folder /s", flaw: "folder /s belongs to user 1000" }] }),
    "error FolderUnsafe",
  ],
  ["a root key of 31 bytes", rootKey({ rootKeyId: undefined, fault: "has 31 bytes" }), "error RootKeyUnsafe"],
  [
    "versions sealed under another root key",
    keyring({ versionNames: new Map([[CURRENT.kmsKeyId, "v"]]), sealedUnder: new Map([["root-2", 3]]) }),
    "error RootKeyWrong",
  ],
  [
    "a version of a newer release",
    keyring({ versionNames: new Map([[CURRENT.kmsKeyId, "v"]]), unreadable: ["version 9 cannot be read"] }),
    "error VersionUnreadable",
  ],
  [
    "a socket that does not answer",
    observed({}, { sockets: [{ name: "secrets", socket: SOCKET, fault: "14 UNAVAILABLE" }] }),
    "error SocketSilent",
  ],
];

const theNodes: readonly Row[] = [
  [
    "a Lease that was not renewed for a minute",
    observed({ leases: [lease("node-1", 60)] }),
    "error KeyServerSilent",
  ],
  [
    "a Lease of a node without KeyServer",
    observed({ leases: [lease("node-1"), lease("node-2")] }),
    "error KeyServerMissing",
  ],
  ["a node without a Lease", observed({ leases: [] }), "error KeyServerSilent"],
  [
    "a Lease looks old by our clock alone, and the server's is behind as well",
    observed({ leases: [lease("node-1", 60)], clock: { ahead: -57_000 } }),
    "warning ClockSkew",
  ],
  [
    "a KeyServer with a problem",
    nodes(server("node-1", { conditions: [condemned("Ready", "SealMismatch")] })),
    "error KeyServerNotReady",
  ],
  [
    "a KeyServer that has just started",
    nodes(server("node-1", { conditions: [condemned("Ready", "Starting")] })),
    "warning KeyServerNotReady",
  ],
  [
    "a socket that serves an old key_id for long",
    nodes(server("node-1", { providers: [provider({ kmsKeyId: "old" })] })),
    "error NotSwitched",
  ],
  [
    "a socket of an alias that serves an old key_id",
    observed(
      cluster({
        keyAliases: [keyAlias({ status: { masterKey: "secrets" } })],
        keyServers: [
          server("node-1", { providers: [provider({ serves: "alias apps/main", kmsKeyId: "old" })] }),
        ],
      }),
    ),
    "error NotSwitched",
  ],
  [
    "an API server that has a minute to switch yet",
    nodes(
      server("node-1", {
        providers: [provider({ encrypts: 0, settled: false, servingSince: at(-60) })],
      }),
    ),
    "warning NotSwitched",
  ],
  [
    "an API server that has not switched for ten minutes",
    nodes(
      server("node-1", {
        providers: [provider({ encrypts: 0, settled: false, servingSince: at(-600) })],
      }),
    ),
    "error NotSwitched",
  ],
  [
    "an API server that has encrypted nothing and is settled",
    nodes(server("node-1", { providers: [provider({ encrypts: 0 })] })),
  ],
  [
    "another node whose API server has no file",
    nodes(
      server("node-1"),
      server("node-2", {
        conditions: [condition("Ready"), inStep("False", "EncryptionConfigNotConfigured")],
      }),
    ),
    "error ApiServerNotInStep",
  ],
  [
    "another node whose API server does not tell",
    nodes(
      server("node-1"),
      server("node-2", { conditions: [condition("Ready"), inStep("Unknown", "NotCompared")] }),
    ),
    "warning ApiServerNotInStep",
  ],
  [
    "this node's API server, which nobody asks, by the operator's word",
    nodes(server("node-1", { conditions: [condition("Ready"), inStep("False", "ApiServerSilent")] })),
    "error ApiServerNotInStep",
  ],
  [
    "this node's API server, which has no file, by its own word: said once",
    observed({
      ...cluster({
        keyServers: [
          server("node-1", {
            conditions: [condition("Ready"), inStep("False", "EncryptionConfigNotConfigured")],
          }),
        ],
      }),
      apiServer: notConfigured,
    }),
    "error OwnApiServerNotInStep",
  ],
  [
    "values that are plain while the API server has no file: not from before",
    observed({
      ...stored({ resource: "secrets", stored: { kind: "plain" }, objects: 1 }),
      apiServer: notConfigured,
    }),
    "error OwnApiServerNotInStep",
    "error PlainValues",
  ],
  [
    "nodes that encrypt different resources",
    nodes(
      server("node-1"),
      server("node-2", { providers: [provider({ resources: ["secrets", "configmaps"] })] }),
    ),
    "error NodesDiffer",
  ],
  [
    "nodes that say in another order what they encrypt",
    nodes(
      server("node-1", { providers: [provider({ resources: ["secrets", "configmaps"] })] }),
      server("node-2", { providers: [provider({ resources: ["!pods", "configmaps", "secrets"] })] }),
    ),
  ],
  [
    "a node that does not say what it encrypts",
    nodes(
      server("node-1"),
      server("node-2", { providers: [{ name: "secrets", socket: SOCKET, serves: "apps/secrets" }] }),
    ),
    "error NotSwitched",
  ],
  [
    "nodes with different root keys",
    nodes(server("node-1"), server("node-2", { seal: { provider: "file", rootKeyId: "root-2" } })),
    "error RootKeysDiffer",
  ],
  ["our clock is 8 s off", observed({ clock: { ahead: 8_000 } }), "warning ClockSkew"],
  [
    "our clock is ten minutes behind",
    observed({ clock: { ahead: 600_000 }, leases: [lease("node-1", -595)] }),
    "error ClockSkew",
  ],
  [
    "another node's clock is off by its Lease",
    observed({ leases: [lease("node-1", 5, 120)] }),
    "error NodeClockSkew",
  ],
];

const theVersion: readonly Row[] = [
  [
    "the API server of a distribution, at the oldest version with everything",
    observed({ kubernetes: { version: "v1.30.0+k3s1", servesPolicies: true } }),
  ],
  [
    "Kubernetes 1.29 cannot have the guards",
    observed({ kubernetes: { version: "v1.29.15", servesPolicies: false } }),
    "warning GuardsNotServed",
  ],
  [
    "Kubernetes 1.28 is too old altogether",
    observed({ kubernetes: { version: "v1.28.9", servesPolicies: false } }),
    "error KubernetesTooOld",
    "warning GuardsNotServed",
  ],
  [
    "a version that says nothing is no finding, but missing policies are",
    observed({ kubernetes: { version: "of an unknown version", servesPolicies: false } }),
    "warning GuardsNotServed",
  ],
  [
    "an API server that serves no KeyGrants",
    observed({ grants: { ...guarded, served: false } }),
    "warning GrantsNotServed",
  ],
  [
    "the policy of KeyGrants is missing, and this node does not serve the AWS KMS API",
    observed({ grants: { ...guarded, guard: { kind: "missing", message: "there is no policy" } } }),
    "warning GrantsNotGuarded",
  ],
  [
    "the policy of key policies is missing, and this node does not serve the AWS KMS API",
    observed({ grants: { ...guarded, policyGuard: { kind: "missing", message: "there is no policy" } } }),
    "warning PoliciesNotGuarded",
  ],
];

const theKeys: readonly Row[] = [
  ["a key that was not looked at", keys({ ...key(), status: {} }), "error MasterKeyNotReady"],
  [
    "a key that is disabled on purpose",
    keys({ ...key({ enabled: false }), status: { conditions: [condemned("Ready", "Disabled")] } }),
    "warning MasterKeyNotReady",
  ],
  [
    "a key that no socket serves and that awaits its import",
    observed(
      cluster({
        masterKeys: [{ ...key(), status: { conditions: [condemned("Ready", "PendingImport")] } }],
        keyServers: [server("node-1", { providers: [] })],
      }),
    ),
    "warning MasterKeyNotReady",
  ],
  ["an overdue rotation", keys(key({}, condemned("RotationOnTime", "Overdue"))), "error RotationOverdue"],
  ["objects that were left", keys(key({}, condemned("Reencrypted", "ObjectsLeft"))), "error ObjectsLeft"],
  ["strays under a proven key", keys(key({}, condemned("Reencrypted", "StraysFound"))), "error ObjectsLeft"],
  [
    "a key that one node does not put its Secrets on",
    keys(key({}, condemned("Reencrypted", "NodesDiffer"))),
    "error StoredDataNotProven",
  ],
  [
    "an API server that does not ask the plugin any more",
    keys(key({}, condemned("Reencrypted", "ApiServerSilent"))),
    "error StoredDataNotProven",
  ],
  ["a re-encryption that runs", keys(key({}, condemned("Reencrypted", "Reencrypting")))],
  [
    "a key that does not rotate by itself",
    keys(key({ rotation: { enabled: false, onDemandLimit: 25 } })),
    "warning NoAutomaticRotation",
  ],
  [
    "an imported key need not",
    keys(key({ origin: "EXTERNAL", rotation: { enabled: false, onDemandLimit: 25 } })),
  ],
  [
    "imported material expires within 30 days",
    keys(key({}, condition("MaterialExpiring", { reason: "MaterialExpiresSoon" }))),
    "warning MaterialExpiring",
  ],
  [
    "imported material has expired",
    keys(key({}, condition("MaterialExpiring", { reason: "MaterialExpired" }))),
    "error MaterialExpiring",
  ],
  [
    "the rewriter may not patch secrets",
    observed({ rights: [{ resource: "secrets", verbs: ["patch"] }] }),
    "error RewriterRights",
  ],
  [
    "this node's own kubeconfig reads Secrets",
    observed({ secretRights: ["get", "list"] }),
    "warning NodeMayReadSecrets",
  ],
  [
    "a key with an ARN of the former default region, and no region is configured",
    keys({ ...key(), status: { ...key().status, arn: FORMER_ARN } }),
    "warning OldRegion",
  ],
];

const theApi: readonly Row[] = [
  [
    "the AWS KMS API does not answer",
    observed({}, { apiFault: { listen: "127.0.0.1:8443", fault: "connect ECONNREFUSED 127.0.0.1:8443" } }),
    "error ApiNotReady",
  ],
];

const theStored: readonly Row[] = [
  [
    "a configuration without etcd says what that costs",
    observed({}, { looks: { etcd: absent("none") } }),
    "warning NoEtcd",
  ],
  [
    "more kinds of values than are listed",
    observed({ etcd: { revision: 7, objects: 20_000, unlisted: 3, rows: [] } }),
    "warning ValuesUnlisted",
  ],
  ["a damaged value", values("secrets", { kind: "damaged", provider: "secrets" }), "error DamagedValues"],
  [
    "a key_id that the keyring does not have",
    values("secrets", { ...ours, keyId: "lost" }),
    "error UnknownKeyId",
  ],
  ["a plain value under a provider", values("secrets", { kind: "plain" }), "warning PlainValues"],
  [
    "what API servers keep for themselves, which no wildcard encrypts",
    observed({
      ...encryption(plain, rule("*.*", kms())),
      ...stored(
        { resource: "apiserveripinfo", stored: { kind: "plain" }, objects: 1 },
        { resource: "serviceipallocations", stored: { kind: "plain" }, objects: 2 },
      ),
    }),
  ],
  ["a plain value that nobody encrypts", values("configmaps", { kind: "plain" })],
  [
    "a plain value without identity",
    observed({
      ...encryption(plain, rule("secrets", kms())),
      ...stored({ resource: "secrets", stored: { kind: "plain" }, objects: 2 }),
    }),
    "error MissingProvider",
    "warning PlainValues",
  ],
  [
    "a value of a kms provider that was taken out",
    values("secrets", { ...ours, provider: "old" }),
    "error MissingProvider",
  ],
  [
    "a value of a key that was taken out",
    values("secrets", { kind: "aescbc", keyName: "key1" }),
    "error MissingProvider",
  ],
  [
    "an encrypted value of a resource that no rule has any more",
    values("configmaps", ours),
    "error MissingProvider",
  ],
  [
    "a value of a provider that a second entry for the resource has",
    observed({
      ...encryption(plain, rule("secrets", kms()), rule("secrets", secretbox, identity)),
      ...stored({ resource: "secrets", stored: { kind: "secretbox", keyName: "key1" }, objects: 2 }),
    }),
  ],
  ["a value whose group nobody knows", values("frobs.?", { kind: "aesgcm", keyName: "key1" })],
];

const theLooks: readonly Row[] = [
  [
    "the API server is down: one error, and the rest is looked at",
    observed(stored({ resource: "secrets", stored: { kind: "plain" }, objects: 1 }), {
      looks: {
        resources: failed("down"),
        leases: failed("down"),
        clock: failed("down"),
        rights: failed("down"),
        secretRights: failed("down"),
      },
    }),
    "error CouldNotLook",
    "warning PlainValues",
  ],
  [
    "etcd and keyring are both unreachable",
    observed({}, { looks: { etcd: failed("refused"), keyring: failed("no keyring") } }),
    "error CouldNotLook",
    "error CouldNotLook",
  ],
];

describe("a diagnosis finds", () => {
  const rows = [
    ...theFile,
    ...theNode,
    ...theNodes,
    ...theVersion,
    ...theKeys,
    ...theApi,
    ...theStored,
    ...theLooks,
  ].map(([sentence, seen, ...found]) => ({ sentence, seen, found }));

  test.each(rows)("$sentence", ({ seen, found }) => {
    const { findings } = diagnose(seen, NOW);
    expect(findings.map(({ severity, check }) => `${severity} ${check}`)).toEqual(found);
    for (const { object, message, remedy } of findings) {
      expect(`${object} ${message} ${remedy}`).not.toMatch(/undefined|\[object|NaN/);
    }
  });

  test("something in at least one row, for every check that there is", () => {
    const found = new Set(rows.flatMap((row) => row.found.map((name) => name.split(" ")[1])));
    expect(checks.map(({ name }) => name).filter((name) => !found.has(name))).toEqual([]);
  });
});

describe("what cannot be looked at", () => {
  test("is said, with the checks that were not made for want of it", () => {
    const { unchecked, made } = diagnose(observed({}, { looks: { etcd: failed("no etcd answers") } }), NOW);
    expect(unchecked[0]).toMatchObject({
      what: "what etcd holds",
      why: "no etcd answers",
      checks: ["ValuesUnlisted", "DamagedValues", "UnknownKeyId", "MissingProvider", "PlainValues"],
    });
    expect(made).not.toContain("PlainValues");
    expect(made).toHaveLength(checks.length - 5);
  });
  test("includes backups, on the best of nodes too", () => {
    const { unchecked } = diagnose(observed(), NOW);
    expect(unchecked.map(({ what }) => what).join()).toMatch(/root key has a backup.*keyring has a backup/);
  });
  test("standalone: no API server and no etcd are missed", () => {
    const standalone = absent("standalone");
    const seen = observed(
      {},
      {
        config: config({ kubeconfig: undefined, manifests: "keys" }),
        looks: {
          resources: standalone,
          leases: standalone,
          clock: standalone,
          rights: standalone,
          secretRights: standalone,
          etcd: standalone,
          encryptionConfig: standalone,
        },
      },
    );
    expect(diagnose(seen, NOW).findings).toEqual([]);
  });
});

describe("what a finding says", () => {
  const first = (found: Observed, name: string) =>
    diagnose(found, NOW).findings.find(({ check }) => check === name);
  test("a kms v1 entry of another plugin => is to be left as it is, as v2 does not read what v1 stored", () => {
    const old = kms({ apiVersion: "v1", name: "old", endpoint: "unix:///o" });
    const found = first(observed(encryption(plain, rule("secrets", kms(), old, identity))), "KmsV1");
    expect(found?.message).toMatch(/its kms provider old is KMS v1, .+, and of another plugin/);
    expect(found?.remedy).toMatch(/^leave the entry as it is/);
    expect(found?.remedy).not.toContain("apiVersion: v2");
  });
  test("a kms v1 entry of claviger's own socket => is to become v2, without cachesize", () => {
    const found = first(
      observed(encryption(plain, rule("secrets", kms({ apiVersion: undefined })))),
      "KmsV1",
    );
    expect(found?.remedy).toMatch(/^write apiVersion: v2 into the kms entry secrets, and take cachesize out/);
  });
  test("a value of a provider that the rule does not have => says so, and not to delete it", () => {
    const found = first(values("secrets", { kind: "aescbc", keyName: "key1" }), "MissingProvider");
    expect(found?.message).toContain(
      "2 objects are stored by aescbc key key1, and the rule for secrets does not have it: no API server that goes by this file can read them",
    );
    expect(found?.remedy).toMatch(/do not delete them$/);
  });
  test("a value that no rule is for => says so", () => {
    const found = first(values("configmaps", ours), "MissingProvider");
    expect(found?.message).toContain("stored by kms v2 provider secrets, and no rule is for configmaps:");
  });
  test("a plain value => nothing is said of when it was written", () => {
    const found = first(values("secrets", { kind: "plain" }), "PlainValues");
    expect(found?.message).toMatch(
      /^2 objects are stored plain, although the first provider for them is claviger's/,
    );
    expect(found?.message).not.toContain("before");
    expect(found?.remedy).toContain("if one that was created just now is plain too");
  });
});

describe("the report", () => {
  test("errors come first, and a name that would steer the terminal does not", () => {
    const seen = observed({
      ...stored(
        { resource: "secrets", stored: { kind: "plain" }, objects: 1 },
        { resource: "secrets", stored: { kind: "aescbc", keyName: "\x1b[2J" }, objects: 1 },
      ),
      ...cluster({ masterKeys: [key({ rotation: { enabled: false, onDemandLimit: 25 } })] }),
    });
    const shown = plainText(diagnose(seen, NOW));
    expect(shown).not.toContain("\x1b");
    expect(shown).toMatch(/^SEVERITY +CHECK +OBJECT\nerror +MissingProvider +secrets\n {4}1 object /);
    expect(shown).toMatch(/\n1 error, 2 warnings; (\d+) of \1 checks were made\n$/);
  });
  test("one missing kubeconfig => its reason is said once, in lines of a terminal's width", () => {
    const missing = failed("kubeconfig /etc/claviger/kubeconfig cannot be used: ENOENT");
    const looks = {
      resources: missing,
      leases: missing,
      apiServer: missing,
      clock: missing,
      rights: missing,
    };
    const shown = plainText(diagnose(observed({}, { looks }), NOW), 80);
    expect(shown.match(/cannot be used/g)).toHaveLength(1);
    expect(shown).toContain("see CouldNotLook above");
    for (const line of shown.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });
  test("is JSON for programs, with its counts", () => {
    const report: unknown = forPrograms(diagnose(observed({ clock: { ahead: 9_000 } }), NOW));
    expect(report).toMatchObject({ errors: 0, warnings: 1, findings: [{ check: "ClockSkew" }] });
  });
});
