import { randomBytes } from "node:crypto";
import { join } from "node:path";
import {
  DescribeKeyCommand,
  EncryptCommand,
  GetKeyPolicyCommand,
  type KMSClient,
  ListKeysCommand,
  UpdateKeyDescriptionCommand,
} from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actions } from "../../src/access/actions.ts";
import { freeAddress } from "../../src/testing/free-address.ts";
import { applyKey, type Cluster, startCluster } from "../cluster/cluster.ts";
import { manifests } from "../cluster/manifests.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { USUAL_CONTROLLERS } from "../controlplane/controllers.ts";
import { eventually } from "../controlplane/wait.ts";
import { Pods } from "./pods.ts";

const binaries = await controlPlaneBinaries();
const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");
const SHOP = "shop";
const API = "claviger-api";
const GROUP = "kms.claviger.dev";
const RBAC = "rbac.authorization.k8s.io";

/** ServiceAccounts of one namespace, each with one role in it. */
const ROLE_OF = {
  viewer: "view",
  editor: "edit",
  admin: "admin",
  user: "claviger-key-user",
  administrator: "claviger-key-administrator",
  auditor: "claviger-auditor",
} as const;
type Who = keyof typeof ROLE_OF;
const everybody = Object.keys(ROLE_OF) as Who[];

const kms = (kind: string, namespace: string, name: string, spec: object): object => ({
  ...{ apiVersion: `${GROUP}/v1alpha1`, kind, metadata: { namespace, name }, spec },
});
const subject = (name: string) => ({ kind: "ServiceAccount", namespace: SHOP, name });
const roleRef = (name: string) => ({ apiGroup: RBAC, kind: "ClusterRole", name });
const objects: readonly object[] = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: SHOP } },
  kms("MasterKey", "claviger-system", "aws-sessions", {}),
  kms("MasterKey", SHOP, "orders", {}),
  kms("KeyAlias", SHOP, "orders", { masterKey: "orders" }),
  ...Object.entries(ROLE_OF).flatMap(([name, role]) => [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: SHOP, name } },
    {
      ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: SHOP, name } },
      ...{ roleRef: roleRef(role), subjects: [subject(name)] },
    },
  ]),
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "ClusterRoleBinding", metadata: { name: "auditor" } },
    ...{ roleRef: roleRef("claviger-auditor"), subjects: [subject("auditor")] },
  },
];

const READ = ["get", "list", "watch"];
const WRITE = ["create", "update", "patch", "delete", "deletecollection"];
const NAMESPACED = ["masterkeys", "keyaliases", "keygrants"];
const OF_NODES = ["keyversions", "keyservers", "masterkeys/status", "keygrants/status"];
/** A use of a key: AWS's default policy gives these to key users, and no other. */
const isUse = (verb: string): boolean =>
  /crypt|capsulate|^generate-|^sign$|^verify|^derive-|^get-public-key$/.test(verb);
const verbs = Object.values(actions).map(({ verb }) => verb);

/** Everything that RBAC is asked, as "verb resource". */
const questions: readonly string[] = [
  ...[...NAMESPACED, ...OF_NODES].flatMap((resource) =>
    [...READ, ...WRITE].map((verb) => `${verb} ${resource}`),
  ),
  ...verbs.map((verb) => `${verb} masterkeys`),
];
const reading = (resources: readonly string[]) =>
  resources.flatMap((resource) => READ.map((verb) => `${verb} ${resource}`));
const uses = verbs.filter(isUse).map((verb) => `${verb} masterkeys`);
const management = verbs.filter((verb) => !isUse(verb)).map((verb) => `${verb} masterkeys`);

const EXPECTED: Readonly<Record<Who, readonly string[]>> = {
  viewer: reading(NAMESPACED),
  editor: reading(NAMESPACED),
  admin: reading(NAMESPACED),
  user: [...uses, "describe-key masterkeys"],
  administrator: [
    ...reading(NAMESPACED),
    ...NAMESPACED.flatMap((resource) =>
      WRITE.filter((verb) => verb !== "deletecollection").map((verb) => `${verb} ${resource}`),
    ),
    ...management,
  ],
  auditor: reading([...NAMESPACED, "keyversions", "keyservers"]),
};

describe.skipIf(binaries === undefined)("with deploy/roles.yaml, bound in one namespace", () => {
  let cluster: Cluster;
  let pods: Pods;
  let KeyId: string;

  beforeAll(async () => {
    const listen = await freeAddress();
    cluster = await startCluster({
      users: [{ name: API, token: randomBytes(16).toString("hex"), groups: ["claviger:api"] }],
      controllers: [...USUAL_CONTROLLERS, "clusterrole-aggregation-controller"],
      aws: async (server) => ({
        ...{ listen, workers: 1, kubeconfig: await server.kubeconfig(API) },
        sessions: { key: "claviger-system/aws-sessions" },
      }),
    });
    for (const file of ["api.yaml", "roles.yaml"]) await cluster.kubectl(["apply", "-f", join(DEPLOY, file)]);
    await cluster.kubectl(["apply", "-f", "-"], manifests(...objects));
    await applyKey(cluster);
    const ready = ["wait", "--for=condition=Ready", "--timeout=120s"];
    await cluster.kubectl([...ready, "-n", SHOP, "masterkey/orders", "keyalias/orders"]);
    await cluster.kubectl([...ready, "-n", "claviger-system", "masterkey/aws-sessions"]);
    KeyId = await cluster.kubectl(["get", "mk", "-n", SHOP, "orders", "-o", "jsonpath={.status.keyId}"]);
    await cluster.nodes[0]?.start("api");
    pods = new Pods(cluster, `http://${listen}`, SHOP);
    await eventually("the API is ready", async () => (await fetch(`http://${listen}/readyz`)).ok);
    await eventually("the built-in role view has what is for it", async () =>
      isAllowed("viewer", "get masterkeys"),
    );
  });
  afterAll(async () => {
    pods?.[Symbol.dispose]();
    await cluster?.stop();
  });

  /** Asks by a SubjectAccessReview. */
  async function isAllowed(who: Who, question: string): Promise<boolean> {
    const [verb, full = ""] = question.split(" ");
    const [resource, subresource] = full.split("/");
    const namespace = /^key(versions|servers)$/.test(full) ? {} : { namespace: SHOP };
    const resourceAttributes = { group: GROUP, verb, resource, subresource, ...namespace };
    const user = `system:serviceaccount:${SHOP}:${who}`;
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${SHOP}`, "system:authenticated"];
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" };
    const body = { ...review, spec: { user, groups, resourceAttributes } };
    const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    const reply = await cluster.plane.apiServers[0]?.request("POST", path, { body });
    return JSON.parse(JSON.stringify(reply?.body)).status.allowed;
  }

  it.each(everybody)("RBAC allows the %s what docs/rights.md says, and nothing else", async (who) => {
    const allowed: string[] = [];
    for (const question of questions) if (await isAllowed(who, question)) allowed.push(question);
    expect(allowed.sort()).toEqual([...EXPECTED[who]].sort());
  });

  it("RBAC allows nobody of them another namespace's keys, but the auditor to read them", async () => {
    const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    for (const who of everybody)
      for (const verb of ["get", "encrypt", "put-key-policy"]) {
        const resourceAttributes = { group: GROUP, verb, resource: "masterkeys", namespace: "default" };
        const spec = { user: `system:serviceaccount:${SHOP}:${who}`, resourceAttributes };
        const body = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec };
        const reply = await cluster.plane.apiServers[0]?.request("POST", path, { body });
        const { allowed } = JSON.parse(JSON.stringify(reply?.body)).status;
        expect([who, verb, allowed]).toEqual([who, verb, who === "auditor" && verb === "get"]);
      }
  });

  /** The calls that each makes, and who may make them. */
  const CALLS: readonly (readonly [string, (client: KMSClient) => Promise<unknown>, readonly Who[]])[] = [
    ["Encrypt", (client) => client.send(new EncryptCommand({ KeyId, Plaintext: randomBytes(8) })), ["user"]],
    ["DescribeKey", (client) => client.send(new DescribeKeyCommand({ KeyId })), ["user", "administrator"]],
    ["GetKeyPolicy", (client) => client.send(new GetKeyPolicyCommand({ KeyId })), ["administrator"]],
    ["ListKeys", (client) => client.send(new ListKeysCommand({})), ["administrator"]],
    [
      "UpdateKeyDescription",
      (client) => client.send(new UpdateKeyDescriptionCommand({ KeyId, Description: "theirs" })),
      ["administrator"],
    ],
  ];

  it.each(everybody)("the AWS KMS API allows the %s the same", async (who) => {
    const client = await pods.start(who);
    const results: (readonly [string, string])[] = [];
    for (const [name, send] of CALLS)
      results.push([
        name,
        await send(client).then(
          () => "allowed",
          (error: Error) => error.name,
        ),
      ]);
    expect(results).toEqual(
      CALLS.map(([name, , allowed]) => [name, allowed.includes(who) ? "allowed" : "AccessDeniedException"]),
    );
  });
});
