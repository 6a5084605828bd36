import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiIntroduction } from "../../src/cli/serve/api-introduction.ts";
import { readConfig } from "../../src/config/config.ts";
import { freeAddress } from "../../src/testing/free-address.ts";
import type { Cluster, ClusterOptions } from "./cluster.ts";
import { claviger, manifests } from "./manifests.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const API = "claviger-api";
const SESSIONS = "aws-sessions";
/** A MasterKey for applications and its alias, in the namespace `default`. */
const ORDERS = join(ROOT, "examples", "standalone", "keys", "orders.yaml");

/** May do everything with keys. The API cannot act as a member of system:masters. */
const ADMINS = "key-admins";
const RBAC = "rbac.authorization.k8s.io";
const RIGHTS: readonly object[] = [
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "ClusterRole", metadata: { name: ADMINS } },
    rules: [
      { apiGroups: ["kms.claviger.dev"], resources: ["masterkeys", "keyaliases", "keygrants"], verbs: ["*"] },
    ],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "ClusterRoleBinding", metadata: { name: ADMINS } },
    roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: ADMINS },
    subjects: [{ apiGroup: RBAC, kind: "Group", name: ADMINS }],
  },
];

/** Returns the options of a cluster whose first node can serve the AWS KMS API on loopback, as docs/aws.md configures it. */
export async function withAwsApi(): Promise<Pick<ClusterOptions, "users" | "aws">> {
  const listen = await freeAddress();
  return {
    users: [{ name: API, token: randomBytes(16).toString("hex"), groups: ["claviger:api"] }],
    aws: async (server) => ({
      ...{ listen, workers: 1, credentials: "./credentials.yaml" },
      ...{ kubeconfig: await server.kubeconfig(API), sessions: { key: `claviger-system/${SESSIONS}` } },
    }),
  };
}

/** Starts the AWS KMS API with a key to use, and returns what `claviger serve` prints of it. */
export async function startAwsApi(cluster: Cluster, signal: AbortSignal): Promise<string> {
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("the cluster has no node");
  const config = readConfig(node.configPath);
  if (config.api?.credentials === undefined) throw new Error(`${config.path} has no aws.credentials`);
  await writeFile(config.api.credentials, credentials(), { mode: 0o600 });
  await cluster.kubectl(["apply", "-f", join(ROOT, "deploy", "api.yaml"), "-f", ORDERS]);
  await cluster.kubectl(["apply", "-f", "-"], manifests(claviger("MasterKey", SESSIONS), ...RIGHTS));
  await node.start("api");
  const text = await apiIntroduction(config, config.api, signal);
  if (text === undefined) throw new Error(`the AWS KMS API is not ready: see ${node.logPath("api")}`);
  return text;
}

const credentials = (): string => `- accessKeyId: CLAV${randomBytes(8).toString("hex").toUpperCase()}
  secretAccessKey: ${randomBytes(30).toString("base64url")}
  user: admin
  groups: [${ADMINS}]
`;
