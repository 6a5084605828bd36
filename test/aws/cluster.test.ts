import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  CreateGrantCommand,
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GetKeyPolicyCommand,
  type KMSClient,
  PutKeyPolicyCommand,
  RevokeGrantCommand,
} from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { freeAddress } from "../../src/testing/free-address.ts";
import { contentsOf, encodings } from "../cluster/canaries.ts";
import { applyKey, type Cluster, startCluster } from "../cluster/cluster.ts";
import { manifests } from "../cluster/manifests.ts";
import type { ClavigerNode } from "../cluster/node.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { guide } from "./guides.ts";
import { AUDIENCE, Pods, roleOf } from "./pods.ts";
import { startSecondNode } from "./second-node.ts";

const binaries = await controlPlaneBinaries();
const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const SHOP = "shop";
const THIEVES = "thieves";
const KMS = "/apis/kms.claviger.dev/v1alpha1";
const AS_NODE = ["--as=claviger-node", "--as-group=claviger:nodes"];
/** The user of claviger api. */
const API = "claviger-api";
const RBAC = "rbac.authorization.k8s.io";
const Plaintext = randomBytes(32);
const KeyId = `alias/${SHOP}/orders`;

const kms = (kind: string, name: string, spec: object, namespace = SHOP): object => ({
  ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind, metadata: { namespace, name }, spec },
});
const serviceAccount = (name: string): object => ({
  ...{ apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: SHOP, name } },
});
const [guideOfPods] = guide("pod");
/** The namespace, key, ServiceAccount `web` and Deployment that docs/aws.md shows. */
const shown = parseAllDocuments(guideOfPods?.text ?? "").map((document) => document.toJSON());
/** `web` may use the key by the guide's Role and grant it by another; `worker` may not. */
const objects: readonly object[] = [
  ...shown,
  serviceAccount("worker"),
  kms("MasterKey", "aws-sessions", {}, "claviger-system"),
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { namespace: SHOP, name: "granters" } },
    rules: [
      {
        ...{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys"], resourceNames: ["orders"] },
        verbs: ["grant", "revoke-grant"],
      },
      { apiGroups: ["kms.claviger.dev"], resources: ["keygrants"], verbs: ["create", "patch"] },
    ],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: SHOP, name: "granters" } },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "granters" },
    subjects: [{ kind: "ServiceAccount", namespace: SHOP, name: "web" }],
  },
];

/** `web` may use these verbs on the key of this name. */
const editors = (key: string, ...verbs: readonly string[]): readonly object[] => [
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { namespace: SHOP, name: "editors" } },
    rules: [{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys"], resourceNames: [key], verbs }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: SHOP, name: "editors" } },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "editors" },
    subjects: [{ kind: "ServiceAccount", namespace: SHOP, name: "web" }],
  },
];

/** `worker` may do everything with the keys of this namespace. */
const thieves: readonly object[] = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: THIEVES } },
  kms("KeyAlias", "claimant", { masterKey: "claimant" }, THIEVES),
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { namespace: THIEVES, name: "keys" } },
    rules: [{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys"], verbs: ["*"] }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: THIEVES, name: "keys" } },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "keys" },
    subjects: [{ kind: "ServiceAccount", namespace: SHOP, name: "worker" }],
  },
];

const encrypt = (client: KMSClient) => client.send(new EncryptCommand({ KeyId, Plaintext }));
const isRefused = (call: Promise<unknown>, name: string): Promise<boolean> =>
  call.then(
    () => false,
    (error) => {
      if (error.name !== name) throw error;
      return true;
    },
  );
const isDenied = (call: Promise<unknown>) => isRefused(call, "AccessDeniedException");
/** SDKs retry this error, so an application waits for an API server that comes back. */
const isUnasked = (call: Promise<unknown>) => isRefused(call, "DependencyTimeoutException");
/** Polls without a pause that would count as the API's own time. */
const AT_ONCE = { every: 20 };

describe.skipIf(binaries === undefined)("pods of a cluster, which have no secret but their token", () => {
  let cluster: Cluster;
  /** Another node, with a clock of its own. */
  let second: ClavigerNode | undefined;
  let there: string;
  let pods: Pods;
  let web: KMSClient;
  let worker: KMSClient;

  beforeAll(async () => {
    const [listen, elsewhere] = [await freeAddress(), await freeAddress()];
    there = `http://${elsewhere}`;
    const aws = async (server: ApiServer, address = listen) => ({
      ...{ listen: address, workers: 1, kubeconfig: await server.kubeconfig(API) },
      sessions: { key: "claviger-system/aws-sessions" },
    });
    cluster = await startCluster({
      users: [{ name: API, token: randomBytes(16).toString("hex"), groups: ["claviger:api"] }],
      aws,
    });
    await cluster.kubectl(["apply", "-f", join(DEPLOY, "api.yaml")]);
    await cluster.kubectl(["apply", "-f", "-"], manifests(...objects));
    await applyKey(cluster);
    const ready = ["wait", "--for=condition=Ready", "--timeout=120s"];
    await cluster.kubectl([...ready, "-n", SHOP, "masterkey/orders", "keyalias/orders"]);
    await cluster.kubectl([...ready, "-n", "claviger-system", "masterkey/aws-sessions"]);
    await cluster.nodes[0]?.start("api");
    const [server] = cluster.plane.apiServers;
    if (server === undefined) throw new Error("there is no API server");
    second = await startSecondNode(cluster, { aws: await aws(server, elsewhere), ahead: 3_000 });
    pods = new Pods(cluster, `http://${listen}`, SHOP);
    for (const endpoint of [`http://${listen}`, there])
      await eventually(`${endpoint} is ready`, async () => (await fetch(`${endpoint}/readyz`)).ok);
    [web, worker] = [await pods.start("web"), await pods.start("worker")];
  });
  afterAll(async () => {
    pods?.[Symbol.dispose]();
    await second?.killAll();
    await cluster?.stop();
  });

  /** Creates a KeyGrant for `worker`, and waits until it is accepted. */
  async function grant(name: string): Promise<void> {
    const grantedBy = { user: "admin", groups: ["system:masters"] };
    const terms = { masterKey: "orders", granteePrincipal: roleOf(SHOP, "worker"), operations: ["Encrypt"] };
    await cluster.kubectl(["create", "-f", "-"], manifests(kms("KeyGrant", name, { ...terms, grantedBy })));
    await cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=60s", "-n", SHOP, `keygrant/${name}`]);
  }
  const isAllowed = async (client: KMSClient) => !(await isDenied(encrypt(client)));

  it("a ServiceAccount that RBAC allows encrypts and decrypts, by five variables and the SDK's own defaults", async () => {
    const { CiphertextBlob } = await encrypt(web);
    const opened = await web.send(new DecryptCommand({ CiphertextBlob }));
    expect(opened.Plaintext).toEqual(new Uint8Array(Plaintext));
  });

  it("a ServiceAccount that nothing allows is denied, and told by what", async () => {
    await expect(encrypt(worker)).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining(
        `User: ${roleOf(SHOP, "worker")} is not authorized to perform: kms:Encrypt`,
      ),
    });
  });

  it("a KeyGrant allows it, and after its deletion nothing does", async () => {
    const policy = ["get", "validatingadmissionpolicy/keygrant-granted.kms.claviger.dev"];
    // A KeyGrant that was created within ten seconds of the admission policy is not accepted.
    await eventually("the admission policy is in force", async () => {
      const created = await cluster.kubectl([...policy, "-o", "jsonpath={.metadata.creationTimestamp}"]);
      return Date.now() - Date.parse(created) > 12_000;
    });
    await grant("first");
    await eventually("the grant allows", () => isAllowed(worker), AT_ONCE);
    const path = `/apis/kms.claviger.dev/v1alpha1/namespaces/${SHOP}/keygrants/first`;
    const { status } = (await cluster.plane.apiServers[0]?.request("DELETE", path)) ?? {};
    expect(status).toBe(200);
    const deleted = performance.now();
    await eventually("the deletion denies", () => isDenied(encrypt(worker)), AT_ONCE);
    const took = Math.round(performance.now() - deleted);
    console.log(`a pod was denied ${took} ms after its KeyGrant was deleted`);
  });

  it("claviger access explains what the API answers, and lists who is allowed, by RBAC, a grant and a policy", async () => {
    const kubeconfig = (await cluster.plane.apiServers[0]?.kubeconfig()) ?? "";
    const ask = async (...args: readonly string[]) => {
      const command = [CLAVIGER, "access", ...args, "--kubeconfig", kubeconfig, "-o", "json"];
      return JSON.parse((await promisify(execFile)(process.execPath, command)).stdout);
    };
    const explained = (name: string) =>
      ask("explain", `${SHOP}/orders`, "Encrypt", "--as", roleOf(SHOP, name));
    const listed = async (): Promise<readonly string[]> => {
      const { complete, allowed } = await ask("who", `${SHOP}/orders`, "Encrypt");
      expect(complete).toBe(true);
      return allowed.map(
        ({ principal, kind }: { principal: string; kind: string }) => `${kind} ${principal}`,
      );
    };
    /** Compares both principals' answers of the API with those of the command, and returns the rules. */
    const rules = async (may: { readonly web: boolean; readonly worker: boolean }) => {
      await eventually("the API decides so", async () => {
        const answers = [await isAllowed(web), await isAllowed(worker)];
        return answers[0] === may.web && answers[1] === may.worker;
      });
      const answers = [await explained("web"), await explained("worker")];
      expect(answers.map(({ effect }) => effect === "allow")).toEqual([may.web, may.worker]);
      return answers.map(({ rule }) => rule.kind);
    };
    expect(await rules({ web: true, worker: false })).toEqual(["rbac", "none"]);
    expect(await listed()).toContain(`rbac ${roleOf(SHOP, "web")}`);
    await grant("explained");
    expect(await rules({ web: true, worker: true })).toEqual(["rbac", "grant"]);
    expect(await listed()).toContain(`grant ${roleOf(SHOP, "worker")}`);
    const patch = (policy: object | null) =>
      cluster.kubectl([
        ...["patch", "-n", SHOP, "masterkey/orders", "--type=merge", "-p"],
        JSON.stringify({ spec: { policy } }),
      ]);
    const all = { Action: "kms:*", Resource: "*" };
    const account = {
      ...all,
      Effect: "Allow",
      Principal: { AWS: roleOf(SHOP, "x").replace(/role.*/, "root") },
    };
    await patch({
      Version: "2012-10-17",
      Statement: [account, { ...all, Effect: "Deny", Principal: { AWS: roleOf(SHOP, "worker") } }],
    });
    expect(await rules({ web: true, worker: false })).toEqual(["rbac", "policy-deny"]);
    expect(await listed()).not.toContain(`grant ${roleOf(SHOP, "worker")}`);
    await patch(null);
    await cluster.kubectl(["delete", "keygrant", "-n", SHOP, "explained"]);
    expect(await rules({ web: true, worker: false })).toEqual(["rbac", "none"]);
  });

  it("two CreateGrants with one Name at once create one KeyGrant as their caller", async () => {
    const { KeyId: arn } = await encrypt(web);
    const GranteePrincipal = roleOf(SHOP, "reader");
    const command = { KeyId: arn, GranteePrincipal, Operations: ["Decrypt" as const], Name: "for/reader" };
    const create = () => web.send(new CreateGrantCommand(command));
    const [one, two] = await Promise.all([create(), create()]);
    expect(one.GrantId).toMatch(/^[0-9a-f]{64}$/);
    expect(two.GrantId).toBe(one.GrantId);
    const { items } = JSON.parse(await cluster.kubectl(["get", "keygrants", "-n", SHOP, "-o", "json"]));
    const named = items.filter(({ spec }: { spec: { name?: string } }) => spec.name === "for/reader");
    expect(named).toMatchObject([
      { spec: { grantedBy: { user: `system:serviceaccount:${SHOP}:web` } }, status: { phase: "Active" } },
    ]);
  });

  describe("deploy/pod-environment.yaml", () => {
    const container = (name: string, ...env: readonly { name: string; value: string }[]) => ({
      name,
      image: "app",
      env,
    });
    /** Returns the pod of a ServiceAccount as the API server would store it. */
    const admitted = async (serviceAccountName: string, ...containers: readonly object[]) => {
      const object = { apiVersion: "v1", kind: "Pod", metadata: { namespace: SHOP, name: "app" } };
      const hasMounts = containers.some((one) => "volumeMounts" in one);
      const volumes = hasMounts && { volumes: [{ name: "mine", emptyDir: {} }] };
      const spec = { serviceAccountName, automountServiceAccountToken: false, containers, ...volumes };
      const args = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
      return JSON.parse(await cluster.kubectl(args, manifests({ ...object, spec }))).spec;
    };
    const environmentOf = ({ env = [] }: { env?: { name: string; value: string }[] }) =>
      Object.fromEntries(env.map(({ name, value }) => [name, value]));

    beforeAll(async () => {
      await cluster.kubectl(["apply", "-f", join(DEPLOY, "pod-environment.yaml")]);
      await eventually("the policy is in force", async () => {
        const { containers } = await admitted("web", container("app"));
        return containers[0].env !== undefined;
      });
    });

    it("the pod of the guide's Deployment needs no configuration", async () => {
      const { template } = shown.find(({ kind }) => kind === "Deployment").spec;
      const { containers } = await admitted(template.spec.serviceAccountName, ...template.spec.containers);
      expect(environmentOf(containers[0])).toMatchObject({ AWS_ROLE_ARN: roleOf(SHOP, "web") });
    });

    it("a pod of a labelled ServiceAccount => its containers have the SDKs' variables and the token", async () => {
      const { containers, volumes } = await admitted("web", container("app", { name: "LOG", value: "all" }));
      expect(environmentOf(containers[0])).toEqual({
        ...{ LOG: "all", AWS_ROLE_ARN: roleOf(SHOP, "web"), AWS_REGION: "us-local-1" },
        AWS_DEFAULT_REGION: "us-local-1",
        AWS_WEB_IDENTITY_TOKEN_FILE: "/var/run/secrets/kms.claviger.dev/token",
        AWS_ENDPOINT_URL_KMS: "https://claviger-api.claviger-system.svc",
        AWS_ENDPOINT_URL_STS: "https://claviger-api.claviger-system.svc",
      });
      const mountPath = "/var/run/secrets/kms.claviger.dev";
      expect(containers[0].volumeMounts).toEqual([{ name: "claviger-aws", mountPath, readOnly: true }]);
      const serviceAccountToken = { audience: AUDIENCE, expirationSeconds: 3600, path: "token" };
      expect(volumes).toEqual([
        { name: "claviger-aws", projected: { defaultMode: 0o644, sources: [{ serviceAccountToken }] } },
      ]);
    });

    it("a container with a region of its own keeps it, and one with credentials of its own is left as it is", async () => {
      const key = { name: "AWS_ACCESS_KEY_ID", value: "AKIAIOSFODNN7EXAMPLE" };
      const region = { name: "AWS_REGION", value: "eu-west-1" };
      const { containers } = await admitted("web", container("app", region), container("other", key));
      const [app, other] = containers;
      expect(environmentOf(app)).toMatchObject({
        AWS_REGION: "eu-west-1",
        AWS_ROLE_ARN: roleOf(SHOP, "web"),
      });
      expect(environmentOf(other)).toEqual({ AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE" });
      expect(other.volumeMounts).toBeUndefined();
    });

    it("a container that mounts something of its own at the token's folder, or in it, is left as it is", async () => {
      const folder = "/var/run/secrets/kms.claviger.dev";
      const mounting = (name: string, mountPath: string) => ({
        ...{ name, image: "app", volumeMounts: [{ name: "mine", mountPath }] },
      });
      const own = [
        mounting("at", folder),
        mounting("slash", `${folder}/`),
        mounting("in", `${folder}/token`),
      ];
      const { containers } = await admitted("web", mounting("beside", `${folder}.mine`), ...own);
      const [beside, ...others] = containers;
      expect(environmentOf(beside)).toMatchObject({ AWS_ROLE_ARN: roleOf(SHOP, "web") });
      expect(others).toMatchObject(own);
      expect(others.map(environmentOf)).toEqual([{}, {}, {}]);
    });

    it("a pod of another ServiceAccount of the namespace is left as it is", async () => {
      const { containers, volumes } = await admitted("worker", container("app"));
      expect([containers[0].env, containers[0].volumeMounts, volumes]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    });
  });

  /** Holds a node's operator, so that its keyring stays as it is, while `work` is done. */
  async function holding<T>(
    nodes: readonly (ClavigerNode | undefined)[],
    work: () => Promise<T>,
  ): Promise<T> {
    const ids = nodes.map((node) => node?.running("operator")?.pid).filter((id) => id !== undefined);
    expect(ids).toHaveLength(nodes.length);
    for (const id of ids) process.kill(id, "SIGSTOP");
    try {
      return await work();
    } finally {
      for (const id of ids) process.kill(id, "SIGCONT");
    }
  }

  describe("two nodes whose clocks are three seconds apart", () => {
    const open = async (client: KMSClient, CiphertextBlob: Uint8Array | undefined) =>
      (await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext;

    it("accept each other's sessions and ciphertexts", async () => {
      const session = await pods.start("web", { endpoint: there });
      const clients = [web, session, pods.elsewhere(web, there), pods.elsewhere(session, pods.endpoint)];
      for (const one of clients) {
        const { CiphertextBlob } = await encrypt(one);
        for (const other of clients)
          expect(await open(other, CiphertextBlob)).toEqual(new Uint8Array(Plaintext));
      }
    });

    it("accept each other's grant tokens at once, and refuse them after a revocation", async () => {
      const { KeyId: arn } = await encrypt(web);
      const terms = {
        KeyId: arn,
        GranteePrincipal: roleOf(SHOP, "worker"),
        Operations: ["Encrypt" as const],
      };
      const [webThere, workerThere] = [pods.elsewhere(web, there), pods.elsewhere(worker, there)];
      const by = (client: KMSClient, ...GrantTokens: string[]) =>
        client.send(new EncryptCommand({ KeyId: arn, Plaintext, GrantTokens }));
      const { GrantId, GrantToken = "" } = await holding([second], async () => {
        const made = await web.send(new CreateGrantCommand(terms));
        const created = performance.now();
        await by(workerThere, made.GrantToken ?? "");
        const took = Math.round(performance.now() - created);
        console.log(`a grant token was used on another node ${took} ms after it was made`);
        // The node itself has not heard of the grant.
        expect(await isAllowed(workerThere)).toBe(false);
        return made;
      });
      const other = await webThere.send(new CreateGrantCommand(terms));
      await by(worker, other.GrantToken ?? "");
      await Promise.all([
        web.send(new RevokeGrantCommand({ KeyId: arn, GrantId })),
        webThere.send(new RevokeGrantCommand({ KeyId: arn, GrantId: other.GrantId })),
      ]);
      const revoked = performance.now();
      const tokens = [GrantToken, other.GrantToken ?? ""];
      const calls = [worker, workerThere].map((client) => () => by(client, ...tokens));
      await eventually(
        "both nodes refuse",
        async () => (await Promise.all(calls.map((call) => isDenied(call())))).every(Boolean),
        AT_ONCE,
      );
      const took = Math.round(performance.now() - revoked);
      console.log(`both nodes refused the tokens of two grants ${took} ms after their revocation`);
    });
  });

  it("a MasterKey whose status claims another namespace's key is no name of it, and denies it to nobody", async () => {
    const { KeyId: arn, CiphertextBlob } = await encrypt(web);
    await cluster.kubectl(["apply", "-f", "-"], manifests(...thieves));
    const { status } = await cluster.read<MasterKey>(`${KMS}/namespaces/${SHOP}/masterkeys/orders`);
    const { keyId, currentVersion } = status ?? {};
    const claim = JSON.stringify({ status: { keyId, currentVersion } });
    const patch = ["patch", "mk", "-n", THIEVES, "claimant", "--type=merge"];
    // The claim is there before any operator has seen the MasterKey.
    await holding([cluster.nodes[0], second], async () => {
      const spec = { origin: "EXTERNAL" };
      await cluster.kubectl(["create", "-f", "-"], manifests(kms("MasterKey", "claimant", spec, THIEVES)));
      await cluster.kubectl([...patch, "--subresource=status", "-p", claim, ...AS_NODE]);
    });
    const isForeign = async (generation: number) => {
      const path = `${KMS}/namespaces/${THIEVES}/masterkeys/claimant`;
      const ready = conditionOf((await cluster.read<MasterKey>(path)).status?.conditions, "Ready");
      return ready?.reason === "KeyIdForeign" && ready.observedGeneration === generation;
    };
    await eventually("the claim is refused", () => isForeign(1));
    // Disabled, it would stop whatever it were a name of.
    await cluster.kubectl([...patch, "-p", JSON.stringify({ spec: { enabled: false } })]);
    await eventually("the MasterKey is disabled", () => isForeign(2));
    for (const endpoint of [pods.endpoint, there]) {
      const [owner, thief] = [pods.elsewhere(web, endpoint), pods.elsewhere(worker, endpoint)];
      for (const name of [KeyId, arn])
        expect((await owner.send(new EncryptCommand({ KeyId: name, Plaintext }))).KeyId).toBe(arn);
      await owner.send(new DecryptCommand({ CiphertextBlob }));
      expect(await isDenied(thief.send(new EncryptCommand({ KeyId: arn, Plaintext })))).toBe(true);
      expect(await isDenied(thief.send(new DecryptCommand({ CiphertextBlob })))).toBe(true);
      const byAlias = new EncryptCommand({ KeyId: `alias/${THIEVES}/claimant`, Plaintext });
      expect(await isRefused(thief.send(byAlias), "NotFoundException")).toBe(true);
    }
  });

  it("no session for a token of another audience, one that has expired, or another's role", async () => {
    for (const audience of ["https://kubernetes.default.svc", "sts.amazonaws.com"])
      await expect(pods.start("web", { token: await pods.token("web", audience) })).rejects.toMatchObject({
        name: "InvalidIdentityTokenException",
      });
    await expect(pods.start("web", { token: await pods.expiredToken("web") })).rejects.toMatchObject({
      name: "ExpiredTokenException",
    });
    await expect(pods.start("worker", { role: roleOf(SHOP, "web") })).rejects.toMatchObject({
      message: expect.stringContaining("Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    });
  });

  it("a person who may make tokens of the ServiceAccount encrypts as it, by the profile's credential_process", async () => {
    const kubeconfig = (await cluster.plane.apiServers[0]?.kubeconfig()) ?? "";
    const person = await pods.startPerson("web", kubeconfig);
    expect((await encrypt(person)).CiphertextBlob).toBeDefined();
  });

  it("a key policy allows without RBAC and denies what a grant allows; setting it takes the verb put-key-policy, by kubectl too", async () => {
    const { KeyId: key } = await encrypt(web);
    const root = "arn:aws:iam::000000000000:root";
    const delegating = {
      Sid: "account",
      Effect: "Allow",
      Principal: { AWS: root },
      Action: "kms:*",
      Resource: "*",
    };
    const forWorker = (Effect: string) => {
      const Principal = { AWS: roleOf(SHOP, "worker") };
      return {
        Version: "2012-10-17",
        Statement: [delegating, { ...delegating, Sid: "worker", Effect, Principal }],
      };
    };
    const put = (policy: object) =>
      web.send(new PutKeyPolicyCommand({ KeyId: key, Policy: JSON.stringify(policy) }));
    const patch = (policy: object | null, ...as: readonly string[]) =>
      cluster.kubectl([
        ...["patch", "mk", "-n", SHOP, "orders", "--type=merge", "-p", JSON.stringify({ spec: { policy } })],
        ...as,
      ]);
    const AS_WEB = `--as=system:serviceaccount:${SHOP}:web`;
    expect(await isDenied(encrypt(worker))).toBe(true);
    await cluster.kubectl(["apply", "-f", "-"], manifests(...editors("orders", "get", "patch")));
    await cluster.kubectl(["annotate", "mk", "-n", SHOP, "orders", "note=x", AS_WEB]);
    await expect(patch(forWorker("Allow"), AS_WEB)).rejects.toThrow(
      /may not change spec\.policy of masterkeys\/orders/,
    );
    await expect(put(forWorker("Allow"))).rejects.toMatchObject({ name: "AccessDeniedException" });
    await cluster.kubectl(
      ["apply", "-f", "-"],
      manifests(...editors("orders", "get", "patch", "put-key-policy", "get-key-policy")),
    );
    await eventually("the verb counts", async () => !(await isDenied(put(forWorker("Allow")))));
    // Nothing else allows it: neither RBAC nor a grant.
    expect(await isAllowed(worker)).toBe(true);
    const answer = await web.send(new GetKeyPolicyCommand({ KeyId: key }));
    expect(JSON.parse(answer.Policy ?? "")).toEqual(forWorker("Allow"));
    await eventually("the other node follows", () => isAllowed(pods.elsewhere(worker, there)));
    await grant("denied");
    await patch(forWorker("Deny"), AS_WEB);
    await eventually("the policy denies in spite of the grant", () => isDenied(encrypt(worker)), AT_ONCE);
    await expect(encrypt(worker)).rejects.toThrow(/explicit deny in a resource-based policy/);
    const edited = await web.send(new GetKeyPolicyCommand({ KeyId: key }));
    expect(JSON.parse(edited.Policy ?? "")).toEqual(forWorker("Deny"));
    expect(await isAllowed(web)).toBe(true);
    await patch({ Statement: [{ ...delegating, Effect: "Perhaps" }] });
    await eventually("a malformed policy allows nothing", () => isDenied(encrypt(web)), AT_ONCE);
    await cluster.kubectl([
      "wait",
      "--for=condition=PolicyValid=False",
      "--timeout=60s",
      "-n",
      SHOP,
      "mk/orders",
    ]);
    await patch(null);
    const guarded = kms("MasterKey", "guarded", { policy: forWorker("Deny") });
    await cluster.kubectl(["create", "-f", "-"], manifests(guarded));
    await cluster.kubectl(["apply", "-f", "-"], manifests(...editors("guarded", "delete")));
    const removal = ["delete", "mk", "-n", SHOP, "guarded", AS_WEB];
    await expect(cluster.kubectl(removal)).rejects.toThrow(/nor delete it with its policy/);
    await cluster.kubectl(["delete", "mk", "-n", SHOP, "guarded", "--wait=false"]);
    await eventually("without a policy of its own, RBAC decides", () => isAllowed(web), AT_ONCE);
    await cluster.kubectl(["delete", "keygrant", "-n", SHOP, "denied"]);
    await eventually("the grant is over", () => isDenied(encrypt(worker)), AT_ONCE);
  });

  it("the API server stops: grants go on, RBAC's last answers expire, and nothing is allowed unasked", async () => {
    await grant("second");
    await eventually("the grant allows", () => isAllowed(worker), AT_ONCE);
    const token = await pods.token("web");
    const [server] = cluster.plane.apiServers;
    expect(await isAllowed(web)).toBe(true);
    await server?.stop();
    const stopped = performance.now();
    expect(await isAllowed(worker)).toBe(true);
    const unasked = new GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256" });
    expect(await isUnasked(web.send(unasked))).toBe(true);
    await expect(pods.start("web", { token })).rejects.toMatchObject({
      name: "IDPCommunicationErrorException",
    });
    await eventually("what RBAC has said no longer counts", () => isUnasked(encrypt(web)), AT_ONCE);
    const took = Math.round(performance.now() - stopped);
    console.log(`RBAC's last answer allowed for ${took} ms after the API server had stopped`);
    expect(await isAllowed(worker)).toBe(true);
    await server?.start();
    await server?.ready();
    await eventually("RBAC allows again", () => isAllowed(web));
    await web.send(unasked);
  });

  it("no token, no credential and no plaintext is in a log or any other file of the cluster", async () => {
    const secrets = [...pods.secrets.map((secret) => Buffer.from(secret)), ...encodings(Plaintext)];
    expect(pods.secrets.length).toBeGreaterThan(8);
    const contents = await contentsOf(cluster.plane.dir);
    expect([...contents.keys()]).toContain(cluster.nodes[0]?.logPath("api"));
    for (const [path, content] of contents)
      expect(
        secrets.filter((secret) => content.includes(secret)),
        path,
      ).toHaveLength(0);
  });
});
