import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newKeyId, newVersionId } from "../../src/crypto/ids.ts";
import { generateMaterial, type KeySpec, type KeyUsage } from "../../src/crypto/key-specs.ts";
import { Secret } from "../../src/crypto/secret.ts";
import type { KeyringChange } from "../../src/keyring/changes.ts";
import { GRANT_OPERATIONS, type GrantRow } from "../../src/keyring/grant-row.ts";
import type { VersionRow } from "../../src/keyring/rows.ts";
import { FOLLOWED_KINDS, recordFollowed } from "../../src/keyring/tables/followed-kinds.ts";
import { KeyringWriter } from "../../src/keyring/writer.ts";
import { fileSeal } from "../../src/seal/file.ts";
import { type Seal, sealAad } from "../../src/seal/seal.ts";
import { selfSigned } from "../../src/testing/certificate.ts";
import { freePort } from "../../test/controlplane/ports.ts";
import { socketOf } from "../keyrings.ts";
import { type KeyIds, SPECS } from "./keys.ts";

const NAMESPACE = "bench";
export const ACCOUNT = "000000000000";
export const REGION = "us-local-1";

/** A credential of the API: the administrator may do everything, and the application what is granted to it. */
export interface ApiCredential {
  readonly user: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const credential = (user: string): ApiCredential => ({
  user,
  accessKeyId: `BENCH${randomBytes(8).toString("hex").toUpperCase()}`,
  secretAccessKey: randomBytes(30).toString("base64url"),
});

/** A folder from which the API and a plugin can be started. */
export interface ApiNode {
  readonly dir: string;
  readonly configPath: string;
  /** HOST:PORT of the API. */
  readonly address: string;
  /** The certificate of the API; absent if it speaks plain HTTP. */
  readonly ca: string | undefined;
  /** The socket of the plugin. */
  readonly socket: string;
  readonly keys: KeyIds;
  readonly admin: ApiCredential;
  readonly application: ApiCredential;
}

/** Differences between the nodes that are measured. */
export interface ApiNodeOptions {
  /** True if the API speaks HTTPS. */
  readonly isSecure: boolean;
  /** True if the API writes the audit log. */
  readonly isAudited?: boolean;
}

/** Creates a node with one key of each spec, and grants of them to the application. */
export async function makeApiNode(dir: string, options: ApiNodeOptions): Promise<ApiNode> {
  const { isSecure, isAudited = false } = options;
  await mkdir(dir, { mode: 0o700 });
  const rootKey = randomBytes(32);
  await writeFile(join(dir, "root.key"), rootKey, { mode: 0o600 });
  const [admin, application] = [credential("admin"), credential("application")];
  const keys = await writeKeys(join(dir, "state"), fileSeal(Secret.take(rootKey)), application.user);
  const address = `127.0.0.1:${await freePort()}`;
  const ca = isSecure ? makeCertificate(dir) : undefined;
  const node = { dir, address, ca, keys, admin, application, socket: socketOf(dir, "bench") };
  // JSON is YAML too.
  await writeFile(join(dir, "credentials.yaml"), JSON.stringify(credentialsOf(node)), { mode: 0o600 });
  const configPath = join(dir, "claviger.yaml");
  const audit = isAudited && { audit: { path: "./audit.jsonl" } };
  await writeFile(configPath, JSON.stringify({ ...configOf(node), ...audit }));
  return { ...node, configPath };
}

const credentialsOf = ({ admin, application }: Pick<ApiNode, "admin" | "application">) => [
  { ...admin, groups: ["system:masters"] },
  { ...application, groups: [] },
];

const configOf = ({ address, ca, socket }: Pick<ApiNode, "address" | "ca" | "socket">) => ({
  apiVersion: "config.claviger.dev/v1alpha1",
  kind: "NodeConfig",
  nodeName: "bench",
  stateDir: "./state",
  seal: { file: { path: "./root.key" } },
  providers: [{ name: "bench", socket, key: `${NAMESPACE}/symmetric` }],
  manifests: "./keys",
  aws: {
    ...{ listen: address, workers: 1, credentials: "./credentials.yaml" },
    ...(ca !== undefined && { tls: { cert: ca, key: "./tls.key" } }),
  },
});

/** An EC certificate, as cert-manager and kubeadm's users have: a handshake with RSA would cost more. */
function makeCertificate(dir: string): string {
  const ca = join(dir, "tls.crt");
  selfSigned({ cert: ca, key: join(dir, "tls.key") });
  return ca;
}

async function writeKeys(stateDir: string, seal: Seal, grantee: string): Promise<KeyIds> {
  const writer = KeyringWriter.open(stateDir);
  try {
    const ids: Record<string, string> = {};
    for (const [name, spec] of Object.entries(SPECS)) {
      const version = await sealedVersion(name, spec, seal);
      writer.apply(changesOf(name, version));
      writer.transaction(() => writer.grants.put(grantOf(name, version, grantee)));
      ids[name] = version.keyId;
    }
    // As the operator does: without these records the API is never ready, and doubts each refusal.
    for (const kind of FOLLOWED_KINDS) recordFollowed(writer, kind);
    return ids as KeyIds;
  } finally {
    writer.close();
  }
}

function changesOf(name: string, version: VersionRow): KeyringChange[] {
  const key = { namespace: NAMESPACE, name, keyId: version.keyId, enabled: true };
  return [
    { kind: "putVersion", version },
    { kind: "putKey", key },
    { kind: "setCurrent", key, version },
  ];
}

/** AWS accepts constraints on symmetric keys only. */
const grantOf = (name: string, { keyId }: VersionRow, grantee: string): GrantRow => ({
  grantId: randomBytes(32).toString("hex"),
  ...{ namespace: NAMESPACE, name: `grant-${name}`, masterKey: name, keyId, createdAt: 0 },
  granteePrincipal: `arn:aws:iam::${ACCOUNT}:user/${grantee}`,
  issuingPrincipal: `arn:aws:iam::${ACCOUNT}:user/admin`,
  operations: GRANT_OPERATIONS,
  ...(name === "symmetric" && { constraint: { kind: "Subset", context: { tenant: "bench" } } }),
});

async function sealedVersion(
  name: string,
  { keySpec, keyUsage }: { readonly keySpec: KeySpec; readonly keyUsage: KeyUsage },
  seal: Seal,
): Promise<VersionRow> {
  const row = {
    ...{ versionId: newVersionId(), keyId: newKeyId(), number: 1, keySpec, keyUsage },
    masterKey: { namespace: NAMESPACE, name },
    origin: "AWS_KMS",
  } as const;
  using material = await generateMaterial(keySpec);
  return { ...row, sealed: await seal.wrap(material, sealAad(row)) };
}
