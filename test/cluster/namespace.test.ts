import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT } from "../docs/markdown.ts";
import { applyKey, type Cluster, CRDS, startCluster } from "./cluster.ts";
import { Manual } from "./manual.ts";

const binaries = await controlPlaneBinaries();
const NAMESPACE = "claviger-system";
const RBAC = join(ROOT, "deploy", "rbac.yaml");

describe.skipIf(binaries === undefined)(
  "the namespace in which operators lead and the key lies that Secrets use",
  () => {
    let cluster: Cluster;
    let manual: Manual;

    beforeAll(async () => {
      cluster = await startCluster({ nodes: 2, controllers: true });
      await applyKey(cluster);
      manual = await Manual.open(cluster);
      await cluster.kubectl(["create", "secret", "generic", "kept", "--from-literal=text=kept"]);
    });
    afterAll(async () => {
      await cluster?.stop();
      await manual?.close();
    });

    const deleteNamespace = (...more: readonly string[]) =>
      cluster.plane.kubectl(["delete", "namespace", NAMESPACE, "--wait=false", ...more]);
    const jsonPath = async (path: string, ...what: readonly string[]) =>
      cluster.kubectl(["get", ...what, "-o", `jsonpath=${path}`]);
    const keyId = () => jsonPath("{.status.keyId}", "mk", "-n", NAMESPACE, "secrets");
    const READY = '{.items[*].status.conditions[?(@.type=="Ready")].reason}';
    const nodesSay = (reason: string) =>
      eventually(`both nodes say ${reason}`, async () => {
        const said = await jsonPath(READY, "ks");
        if (said === `${reason} ${reason}`) return true;
        throw new Error(said);
      });
    const readable = async () => {
      for (const server of cluster.plane.apiServers) {
        const { status } = await server.request("GET", "/api/v1/namespaces/default/secrets/kept");
        expect(status).toBe(200);
      }
    };
    const rotates = async (token: string, number: string) => {
      const patch = JSON.stringify({ spec: { rotation: { requestToken: token } } });
      await cluster.kubectl(["patch", "mk", "-n", NAMESPACE, "secrets", "--type=merge", "-p", patch]);
      await eventually(`version ${number} is current`, async () => {
        const current = await jsonPath("{.status.currentVersion.number}", "mk", "-n", NAMESPACE, "secrets");
        return current === number;
      });
    };
    const comesBack = async (before: string) => {
      await nodesSay("LeaseRefused");
      await readable();
      await manual.follow("namespace deleted");
      await applyKey(cluster);
      expect(await keyId()).toBe(before);
      await nodesSay("InStep");
      await readable();
    };

    it("is not deleted by mistake: the API server says what would stop, and how to do it all the same", async () => {
      const refused = await eventually("the deletion is refused", async () => {
        const { code, stderr } = await deleteNamespace("--dry-run=server");
        return code !== 0 && stderr;
      });
      expect(refused).toMatch(/lead and report by Leases in this Namespace.*allow-deletion=yes/s);
      const [, annotate = ""] = /kubectl (annotate namespace \S+ \S+)/.exec(refused) ?? [];
      await cluster.kubectl(annotate.split(" "));
    });

    it("and is deleted after that => it ends, every KeyServer says so, and with its rights and key applied again all goes on", async () => {
      const before = await keyId();
      expect((await deleteNamespace()).code).toBe(0);
      await comesBack(before);
      await rotates("after the namespace", "2");
    });

    it("and is deleted without any admission policy => the same", async () => {
      await cluster.kubectl(["delete", "validatingadmissionpolicybinding", "--all"]);
      const before = await keyId();
      await eventually(
        "the policies are not heeded any more",
        async () => (await deleteNamespace()).code === 0,
      );
      await comesBack(before);
      await rotates("after the namespace, again", "3");
    });

    it("keeps its objects and loses the rights to its Leases => every KeyServer says so until they are back", async () => {
      await cluster.kubectl(["delete", "rolebinding", "-n", NAMESPACE, "claviger-leases"]);
      await nodesSay("LeaseRefused");
      await readable();
      await cluster.kubectl(["apply", "-f", RBAC]);
      await nodesSay("InStep");
      await rotates("after the rights", "4");
    });

    it("loses its CRDs while no operator runs => their deletion waits for the key, ends as the manual says, and the key is the same again", async () => {
      const before = await keyId();
      await Promise.all(cluster.nodes.map((node) => node.stop("operator")));
      await cluster.kubectl(["delete", "-f", CRDS, "--wait=false"]);
      await eventually("the KeyVersions are gone", async () => {
        const left = await cluster.kubectl(["get", "crd", "-o", "name"]);
        return !left.includes("keyversions.kms") && left.includes("masterkeys.kms");
      });
      await readable();
      await manual.follow("crds deleted, stuck");
      await manual.follow("crds deleted");
      await Promise.all(cluster.nodes.map((node) => node.start("operator")));
      await applyKey(cluster);
      expect(await keyId()).toBe(before);
      await readable();
      await rotates("after the CRDs", "5");
    });
  },
);
