/** A healthy node, for the tests of the checks. */
import { stringify } from "yaml";
import type { ClusterResources, Observed, Sights } from "../cli/doctor/observed.ts";
import { type NodeConfig, parseConfig } from "../config/config.ts";
import type { MasterKey } from "../resources/resources.ts";
import type { Condition } from "../resources/schemas/fields.ts";
import type { KeyServerStatus } from "../resources/schemas/key-server.ts";
import type { CensusRow } from "../storage/census/census-tally.ts";
import { parseEncryptionConfig } from "../storage/encryption-config/encryption-config.ts";
import { condition, currentVersion, EARLIER, keyServer, keyVersion, masterKey, NOW } from "./objects.ts";

export const SOCKET = "/run/claviger/secrets.sock";
const ENCRYPTION_PATH = "/etc/kubernetes/enc/enc.yaml";
const IN_FORCE = { kind: "in-force", since: 0 } as const;
/** An API server that serves KeyGrants and has claviger's admission policies. */
export const guarded = { served: true, guard: IN_FORCE, policyGuard: IN_FORCE };
export const CURRENT = currentVersion(keyVersion(1));

export const config = (changes: object = {}): NodeConfig =>
  parseConfig(
    JSON.stringify({
      apiVersion: "config.claviger.dev/v1alpha1",
      kind: "NodeConfig",
      nodeName: "node-1",
      stateDir: "/var/lib/claviger",
      seal: { file: { path: "root.key" } },
      providers: [{ name: "secrets", socket: SOCKET, key: "apps/secrets" }],
      kubeconfig: "kubeconfig",
      ...changes,
    }),
    "/etc/claviger/claviger.yaml",
  );

export const identity = { identity: {} };
export const kms = (changes: object = {}) => ({
  kms: { apiVersion: "v2", name: "secrets", endpoint: `unix://${SOCKET}`, timeout: "3s", ...changes },
});
export const secretbox = {
  secretbox: { keys: [{ name: "key1", secret: Buffer.alloc(32).toString("base64") }] },
};
export const rule = (resources: string, ...providers: object[]) => ({
  resources: resources.split(" "),
  providers,
});

/** Returns the EncryptionConfiguration of these rules. */
export const encryption = (...resources: object[]): Pick<Sights, "encryptionConfig"> => ({
  encryptionConfig: parseEncryptionConfig(
    stringify({ apiVersion: "apiserver.config.k8s.io/v1", kind: "EncryptionConfiguration", resources }),
    ENCRYPTION_PATH,
  ),
});

/** Returns a census of these rows. */
export const stored = (...rows: Omit<CensusRow, "examples">[]): Pick<Sights, "etcd"> => ({
  etcd: {
    revision: 7,
    objects: rows.length,
    unlisted: 0,
    rows: rows.map((row) => ({ ...row, examples: ["default/a"] })),
  },
});

/** Returns the MasterKey that the node serves, with these conditions in addition to Ready. */
export const key = (changes: Partial<MasterKey["spec"]> = {}, ...conditions: Condition[]): MasterKey =>
  masterKey({
    spec: { rotation: { enabled: true, onDemandLimit: 25 }, ...changes },
    status: { currentVersion: CURRENT, conditions: [condition("Ready"), ...conditions] },
  });

type Provider = NonNullable<KeyServerStatus["providers"]>[number];

export const provider = (changes: Partial<Provider> = {}): Provider => ({
  name: "secrets",
  socket: SOCKET,
  serves: "apps/secrets",
  kmsKeyId: CURRENT.kmsKeyId,
  version: 1,
  servingSince: EARLIER,
  encrypts: 1,
  entries: 1,
  settled: true,
  resources: ["secrets"],
  ...changes,
});

/** Returns a node's KeyServer that is in step. */
export const server = (name: string, changes: Partial<KeyServerStatus> = {}) =>
  keyServer(name, {
    seal: { provider: "file", rootKeyId: "root-1" },
    providers: [provider()],
    conditions: [condition("Ready")],
    ...changes,
  });

export const cluster = (changes: Partial<ClusterResources> = {}): Pick<Sights, "resources"> => ({
  resources: { masterKeys: [key()], keyAliases: [], keyServers: [server("node-1")], ...changes },
});

const HEALTHY: Sights = {
  ...encryption(rule("*.kms.claviger.dev", identity), rule("secrets", kms(), identity)),
  keyring: {
    versionNames: new Map([[CURRENT.kmsKeyId, "apps/secrets v1"]]),
    sealedUnder: new Map([["root-1", 1]]),
    unreadable: [],
  },
  ...cluster(),
  leases: [{ node: "node-1", renewedAt: NOW.getTime() - 5_000, writtenAt: NOW.getTime() - 5_000 }],
  apiServer: { status: { encryptionConfig: "Loaded" }, refused: false, finding: undefined },
  kubeadm: {
    flags: new Map([["encryption-provider-config", ENCRYPTION_PATH]]),
    mounts: new Set(["/etc/kubernetes/enc", "/run/claviger"]),
  },
  clock: { ahead: 300 },
  kubernetes: { version: "v1.37.2", servesPolicies: true },
  grants: guarded,
  rights: [],
  secretRights: [],
  ...stored({
    resource: "secrets",
    stored: { kind: "kms-v2", provider: "secrets", keyId: CURRENT.kmsKeyId },
    objects: 3,
  }),
};

/** Returns the observations on a node that is healthy except for these sights. */
export function observed(
  sights: Partial<Sights> = {},
  changes: Partial<Omit<Observed, "looks">> & { readonly looks?: Partial<Observed["looks"]> } = {},
): Observed {
  const all = { ...HEALTHY, ...sights };
  const seen = <T>(value: T) => ({ kind: "seen" as const, value });
  return {
    config: config(),
    unsafeFolders: [],
    certificates: [{ path: "/etc/claviger/kubeconfig", expiresAt: NOW.getTime() + 31 * 86_400_000 }],
    apiCertificate: [{ path: "/etc/claviger/tls.crt", expiresAt: NOW.getTime() + 15 * 86_400_000 }],
    rootKey: { path: "/etc/claviger/root.key", mode: 0o600, folderMode: 0o700, rootKeyId: "root-1" },
    sockets: [{ name: "secrets", socket: SOCKET }],
    ...changes,
    looks: {
      encryptionConfig: seen(all.encryptionConfig),
      keyring: seen(all.keyring),
      resources: seen(all.resources),
      leases: seen(all.leases),
      apiServer: seen(all.apiServer),
      kubeadm: seen(all.kubeadm),
      clock: seen(all.clock),
      kubernetes: seen(all.kubernetes),
      grants: seen(all.grants),
      rights: seen(all.rights),
      secretRights: seen(all.secretRights),
      etcd: seen(all.etcd),
      ...changes.looks,
    },
  };
}
