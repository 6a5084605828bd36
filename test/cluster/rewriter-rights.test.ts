import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import type { Diagnosis } from "../../src/cli/doctor/diagnose.ts";
import { objectPath } from "../../src/kube/paths.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { storedValue } from "../../src/storage/etcd/stored-value.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { USUAL_CONTROLLERS } from "../controlplane/controllers.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { AuditLog } from "./audit-log.ts";
import { applyKey, type Cluster, CRDS, NODE_USER, REWRITER_USER, startCluster } from "./cluster.ts";
import { claviger, manifests, object, roleOfRewriters } from "./manifests.ts";
import type { ClavigerNode } from "./node.ts";
import { createSecrets, Probes } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const ROOT = join(import.meta.dirname, "..", "..");
const CLAVIGER = join(ROOT, "bin", "claviger.js");
const deployed = (name: string) => join(ROOT, "deploy", name);
const SECRETS = "/api/v1/namespaces/default/secrets";
const SEEDS = 20;
const TEXT = Buffer.from("text of seed-0").toString("base64");
const LONG = { deadline: 600_000, every: 500 };
/** With the probes, the API server asks for Status within 20 s: what it writes after this time is under the new key_id. */
const ENVIRONMENT = { CLAVIGER_TEST_SETTLE_SECONDS: "25" };
const MERGE = "application/merge-patch+json";

const tokenOf = ({ users }: ApiServer, name: string): string => {
  const user = users.find((one) => one.name === name);
  if (user === undefined) throw new Error(`no user ${name}`);
  return user.token;
};

/** A cluster of one node, as one user sees it. */
class Site {
  readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  get server(): ApiServer {
    const [server] = this.cluster.plane.apiServers;
    if (server === undefined) throw new Error("there is no API server");
    return server;
  }

  get node(): ClavigerNode {
    const [node] = this.cluster.nodes;
    if (node === undefined) throw new Error("there is no node");
    return node;
  }

  as(user: string, method: string, path: string, body?: object) {
    const token = tokenOf(this.server, user);
    const contentType = method === "PATCH" ? MERGE : "application/json";
    return this.server.request(method, path, {
      token,
      contentType,
      deadline: 30_000,
      ...(body !== undefined && { body }),
    });
  }

  async masterKey(name = "secrets"): Promise<MasterKey> {
    return this.cluster.read(objectPath("MasterKey", { namespace: "claviger-system", name }));
  }

  async condition(type: string) {
    return (await this.masterKey()).status?.conditions?.find((one) => one.type === type);
  }

  async rotate(): Promise<void> {
    const admin = await this.server.kubeconfig();
    const args = [CLAVIGER, "rotate", "claviger-system/secrets", "--kubeconfig", admin];
    expect(await run(process.execPath, args)).toMatchObject({ code: 0, stderr: "" });
  }

  /** Expects that every Secret in etcd is under this version of the key, and that a census confirmed it. */
  async isVerified(number: number): Promise<void> {
    const { kmsKeyId } = await eventually(
      `version ${number} is verified`,
      async () => {
        const { status } = await this.masterKey();
        const found = status?.reencryption;
        if (status?.currentVersion?.number === number && found?.phase === "Complete" && found.verified)
          return found.kmsKeyId === status.currentVersion.kmsKeyId && found;
        throw new Error(JSON.stringify([found, status?.conditions]));
      },
      LONG,
    );
    const entries = await this.cluster.plane.etcd.get("/registry/secrets/");
    expect(entries.length).toBeGreaterThanOrEqual(SEEDS);
    const keyIds = entries.map(({ value }) => storedValue(value)).map((one) => "keyId" in one && one.keyId);
    expect(new Set(keyIds)).toEqual(new Set([kmsKeyId]));
  }

  /**
   * Expects that this user cannot read any Secret in any namespace: neither by trying, nor according to the
   * API server's report of its rights.
   */
  async readsNoSecret(user: string): Promise<void> {
    const list = await this.server.request("GET", "/api/v1/namespaces");
    const { items } = list.body as {
      readonly items: readonly { readonly metadata: { readonly name: string } }[];
    };
    const namespaces = items.map(({ metadata }) => metadata.name);
    expect(namespaces).toContain("kube-system");
    const paths = namespaces.map((name) => `/api/v1/namespaces/${name}/secrets`);
    for (const path of ["/api/v1/secrets", ...paths]) {
      for (const query of ["", "?watch=true", "?limit=1"])
        expect([path, (await this.as(user, "GET", path + query)).status]).toEqual([path, 403]);
    }
    for (const path of paths) {
      expect((await this.as(user, "GET", `${path}/seed-0`)).status).toBe(403);
      expect((await this.as(user, "PATCH", `${path}/seed-0`, {})).status).toBe(403);
      expect((await this.as(user, "DELETE", path)).status).toBe(403);
    }
    for (const namespace of ["", ...namespaces]) {
      for (const verb of ["get", "list", "watch", "patch", "update", "delete", "deletecollection"])
        expect([namespace, verb, await this.may(user, verb, namespace)]).toEqual([namespace, verb, false]);
    }
  }

  async may(user: string, verb: string, namespace: string): Promise<boolean> {
    const { body } = await this.as(user, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { group: "", resource: "secrets", verb, namespace } },
    });
    return (body as { readonly status: { readonly allowed: boolean } }).status.allowed;
  }

  async doctor(config = this.node.configPath) {
    const { stdout, stderr } = await run(process.execPath, [
      CLAVIGER,
      "doctor",
      "--config",
      config,
      "-o",
      "json",
    ]);
    if (stdout === "") throw new Error(stderr);
    const { findings }: Diagnosis = JSON.parse(stdout);
    return findings;
  }
}

/** Returns the requests of users, one line each, from the API server's audit log. */
async function asked(log: AuditLog, user: string): Promise<ReadonlySet<string>> {
  return new Set(
    (await log.of(user)).map(({ verb, objectRef }) =>
      [verb, [objectRef?.resource ?? "discovery", objectRef?.apiGroup].filter(Boolean).join(".")].join(" "),
    ),
  );
}

describe.skipIf(binaries === undefined)("the documented installation with a rewriter of its own", () => {
  let cluster: Cluster;
  let probes: Probes;
  let site: Site;
  const audit = new AuditLog();
  let kubeconfig: string;

  beforeAll(async () => {
    cluster = await startCluster({
      environment: ENVIRONMENT,
      flags: (_, dir) => audit.flags(dir),
    });
    site = new Site(cluster);
    probes = new Probes(cluster.plane.apiServers);
    kubeconfig = parse(await readFile(site.node.configPath, "utf8")).rewriter.kubeconfig;
    await applyKey(cluster);
    await createSecrets(site.server, SEEDS);
  });
  afterAll(async () => {
    await probes?.stop();
    await cluster?.stop();
  });

  it("a rotation is re-encrypted and verified, while the nodes' identity is refused every Secret", async () => {
    await site.readsNoSecret(NODE_USER);
    await site.rotate();
    await site.isVerified(2);
    await site.readsNoSecret(NODE_USER);
    expect(await site.doctor()).not.toContainEqual(expect.objectContaining({ check: "NodeMayReadSecrets" }));
  });

  it("the rewriter's identity was used to list, patch and look for what is stored, and for nothing else", async () => {
    const rewriter = [...(await asked(audit, REWRITER_USER))].filter((one) => !/reviews\b/.test(one));
    const may = ["list secrets", "patch secrets", "get secrets", "get discovery"];
    may.push("list apiservices.apiregistration.k8s.io");
    expect(rewriter).toEqual(expect.arrayContaining(["list secrets", "patch secrets"]));
    expect(rewriter.filter((one) => !may.includes(one))).toEqual([]);
  });

  it("Kubernetes gives whole contents to whoever may list or patch, whatever claviger asks for", async () => {
    const listed = await site.as(REWRITER_USER, "GET", SECRETS);
    expect(JSON.stringify(listed.body)).toContain(TEXT);
    const patched = await site.as(REWRITER_USER, "PATCH", `${SECRETS}/seed-0`, {});
    expect([patched.status, JSON.stringify(patched.body)]).toEqual([200, expect.stringContaining(TEXT)]);
    // Also with nothing but the right to patch.
    await cluster.kubectl(["delete", "clusterrolebinding", "claviger-rewriter"]);
    const patching = [{ apiGroups: [""], resources: ["secrets"], verbs: ["patch"] }];
    await cluster.kubectl(["apply", "-f", "-"], roleOfRewriters("patch-only", patching));
    await eventually("it may patch only", async () => {
      const { status } = await site.as(REWRITER_USER, "GET", SECRETS);
      return status === 403 && (await site.may(REWRITER_USER, "patch", ""));
    });
    const bare = await site.as(REWRITER_USER, "PATCH", `${SECRETS}/seed-0`, {});
    expect([bare.status, JSON.stringify(bare.body)]).toEqual([200, expect.stringContaining(TEXT)]);
    await cluster.kubectl(["delete", "clusterrole,clusterrolebinding", "patch-only"]);
    await cluster.kubectl(["apply", "-f", deployed("rewriter.yaml")]);
  });

  it("the rewriter's identity changes no object: neither its data, nor its labels, nor its owners", async () => {
    await eventually("its rights are back", () => site.may(REWRITER_USER, "list", ""));
    const changes = [
      { data: { text: "b3RoZXI=" } },
      { metadata: { labels: { a: "b" } } },
      { metadata: { annotations: { a: "b" } } },
      {
        metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "x", uid: "no-such-uid" }] },
      },
    ];
    // With the rights of a wildcard, which RBAC extends to subresources.
    await cluster.kubectl(
      ["apply", "-f", "-"],
      roleOfRewriters("wildcard", [{ apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "patch"] }]),
    );
    const masterKey = "/apis/kms.claviger.dev/v1alpha1/namespaces/claviger-system/masterkeys/secrets";
    await eventually("it may patch all", async () => {
      return (await site.as(REWRITER_USER, "PATCH", masterKey, {})).status === 200;
    });
    const attempts = [
      ...changes.map((change) => [`${SECRETS}/seed-0`, change] as const),
      [
        "/api/v1/namespaces/default/status",
        { status: { conditions: [{ type: "Made", status: "True" }] } },
      ] as const,
      [masterKey, { spec: { enabled: false } }] as const,
      [`${masterKey}/status`, { status: { keyState: "Disabled" } }] as const,
    ];
    const answers = await Promise.all(
      attempts.map(([path, change]) => site.as(REWRITER_USER, "PATCH", path, change)),
    );
    await cluster.kubectl(["delete", "clusterrole,clusterrolebinding", "wildcard"]);
    const refusal = [403, expect.stringContaining("rewriter writes objects back as they are")];
    expect(answers.map(({ status, body }) => [status, JSON.stringify(body)])).toEqual(
      attempts.map(() => refusal),
    );
  });

  it("a kubeconfig that is missing, refused or without rights => a condition with file and remedy, and the node goes on", async () => {
    await rename(kubeconfig, `${kubeconfig}.away`);
    await site.rotate();
    const says = (what: string, message: RegExp) =>
      eventually(
        what,
        async () => {
          const found = await site.condition("Reencrypted");
          if (found?.status === "False" && message.test(found.message)) return found;
          throw new Error(JSON.stringify(found));
        },
        LONG,
      );
    const file = kubeconfig.replaceAll(".", "\\.");
    const missing = await says("it is missing", new RegExp(`^kubeconfig ${file} cannot be used: ENOENT`));
    expect(missing).toMatchObject({ reason: "RewriteFailed" });
    expect(missing.message).toContain("docs/install/by-hand.md, step 3");
    expect(await site.condition("Ready")).toMatchObject({ status: "True" });
    const wrong = (await readFile(`${kubeconfig}.away`, "utf8")).replace(
      tokenOf(site.server, REWRITER_USER),
      "another-token",
    );
    await writeFile(kubeconfig, wrong, { mode: 0o600 });
    await says("its token is refused", new RegExp(`renew the credentials in rewriter\\.kubeconfig ${file}`));
    await cluster.kubectl(["delete", "clusterrolebinding", "claviger-rewriter"]);
    await rename(`${kubeconfig}.away`, kubeconfig);
    await says(
      "it has no rights",
      new RegExp(`apply deploy/rewriter\\.yaml.* rewriter\\.kubeconfig ${file} `),
    );
    expect((await site.server.request("GET", `${SECRETS}/seed-0`)).status).toBe(200);
    const keyServer = await cluster.kubectl([
      "get",
      "ks",
      "-o",
      "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}",
    ]);
    expect(keyServer).toBe("True");
    await cluster.kubectl(["apply", "-f", deployed("rewriter.yaml")]);
    await site.isVerified(3);
  });

  it("the installation of before, without a rewriter and with the rights bound to the nodes, goes on, and doctor warns", async () => {
    const binding = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "claviger-rewriter" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "claviger-rewriter" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "claviger:nodes" }],
    };
    await cluster.kubectl(["apply", "-f", "-"], manifests(binding));
    const { rewriter: _, ...config } = parse(await readFile(site.node.configPath, "utf8"));
    await writeFile(site.node.configPath, stringify(config));
    await site.node.stop("operator");
    await site.node.start("operator");
    await site.rotate();
    await site.isVerified(4);
    const warning = (await site.doctor()).find(({ check }) => check === "NodeMayReadSecrets");
    expect(warning).toMatchObject({
      severity: "warning",
      message: expect.stringContaining("may get, list, patch Secrets of every namespace"),
    });
    // The remedy in docs/operations/conditions.md.
    await writeFile(site.node.configPath, stringify({ ...config, rewriter: { kubeconfig } }));
    await site.node.stop("operator");
    await site.node.start("operator");
    await cluster.kubectl(["apply", "-f", deployed("rewriter.yaml")]);
    await eventually("the nodes' rights are gone", async () => !(await site.may(NODE_USER, "list", "")));
    await site.readsNoSecret(NODE_USER);
    await site.rotate();
    await site.isVerified(5);
  });
});

describe.skipIf(binaries === undefined)(
  "the documented installation with the engine StorageVersionMigration",
  () => {
    let cluster: Cluster;
    let probes: Probes;
    let site: Site;

    beforeAll(async () => {
      cluster = await startCluster({
        environment: ENVIRONMENT,
        withoutRewriter: true,
        controllers: [...USUAL_CONTROLLERS, "storage-version-migrator-controller"],
        install: async (plane) => {
          const files = ["rbac.yaml", "admission.yaml", "storage-version-migration.yaml"].map(deployed);
          const args = [CRDS, ...files].flatMap((path) => ["-f", path]);
          expect(await plane.kubectl(["apply", ...args])).toMatchObject({ code: 0 });
        },
      });
      site = new Site(cluster);
      probes = new Probes(cluster.plane.apiServers);
      await applyKey(
        cluster,
        manifests(claviger("MasterKey", "secrets", { reencryption: { engine: "StorageVersionMigration" } })),
      );
      await createSecrets(site.server, SEEDS);
    });
    afterAll(async () => {
      await probes?.stop();
      await cluster?.stop();
    });

    it("a rotation is re-encrypted and verified, and no identity of claviger reads a Secret", async () => {
      for (const user of [NODE_USER, REWRITER_USER]) await site.readsNoSecret(user);
      await site.rotate();
      // Kubernetes' controller waits until its caches are as new as the migration, which takes a minute for
      // an idle resource.
      const stirring = setInterval(() => {
        cluster
          .kubectl(
            ["apply", "-f", "-"],
            manifests(object("Secret", "stir", { stringData: { at: String(performance.now()) } })),
          )
          .catch(() => undefined);
      }, 2_000);
      try {
        await site.isVerified(2);
      } finally {
        clearInterval(stirring);
      }
      for (const user of [NODE_USER, REWRITER_USER]) await site.readsNoSecret(user);
      const findings = (await site.doctor()).map(({ check }) => check);
      expect(findings).not.toContain("NodeMayReadSecrets");
      expect(findings).not.toContain("RewriterRights");
    });
  },
);
