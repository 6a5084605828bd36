import { readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { KeyringReader } from "../../src/keyring/reader.ts";
import type { KeyVersion } from "../../src/resources/resources.ts";
import { KubeStore } from "../../src/store/kube/kube-store.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, CRDS, exampleKey, startCluster } from "./cluster.ts";
import { claviger, manifests } from "./manifests.ts";
import { Manual } from "./manual.ts";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)(
  "three API servers on one etcd, each with its own claviger node",
  () => {
    let cluster: Cluster;
    let manual: Manual;

    beforeAll(async () => {
      cluster = await startCluster({ nodes: 3 });
      manual = await Manual.open(cluster);
      await applyKey(cluster);
    });
    afterAll(async () => {
      await cluster?.stop();
      await manual?.close();
    });

    const node = (number: number) => {
      const found = cluster.nodes[number - 1];
      if (found === undefined) throw new Error(`there is no node ${number}`);
      return found;
    };
    const applyMasterKey = (name: string) =>
      cluster.kubectl(["apply", "-f", "-"], manifests(claviger("MasterKey", name)));
    const becomesReady = (name: string) =>
      cluster.kubectl([
        ...["wait", "--for=condition=Ready", "--timeout=180s", "-n", "claviger-system", `masterkey/${name}`],
      ]);
    const said = (type: string, ...object: readonly string[]) => {
      const condition = `{.status.conditions[?(@.type=="${type}")]`;
      const path = `${condition}.status} ${condition}.reason} ${condition}.message}`;
      return cluster.kubectl(["get", ...object, "-o", `jsonpath=${path}`]);
    };
    const distributed = (name: string) => said("Distributed", "mk", "-n", "claviger-system", name);
    const readinessOf = (node: string) => said("Ready", "ks", node);
    const keyVersions = async (): Promise<readonly KeyVersion[]> =>
      JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])).items;
    const held = (number: number): Set<string> => {
      const reader = KeyringReader.open(node(number).keyringPath);
      try {
        return new Set(reader.versionsAfter(0, 1000).map(({ version }) => version.versionId));
      } finally {
        reader.close();
      }
    };
    const secretPath = (name: string) => `/api/v1/namespaces/default/secrets/${name}`;
    const readFromEveryServer = async (name: string): Promise<string[]> =>
      Promise.all(
        cluster.plane.apiServers.map(async (server) => {
          const { status, body } = await server.request("GET", secretPath(name));
          expect(status).toBe(200);
          const { data } = body as { readonly data: { readonly from: string } };
          return Buffer.from(data.from, "base64").toString("utf8");
        }),
      );

    it("each reads the Secrets that the others wrote", async () => {
      for (const [index, server] of cluster.plane.apiServers.entries()) {
        const body = {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: `from-${index}` },
          stringData: { from: `server ${index}` },
        };
        const { status } = await server.request("POST", "/api/v1/namespaces/default/secrets", { body });
        expect(status).toBe(201);
      }
      for (const index of cluster.plane.apiServers.keys()) {
        expect(await readFromEveryServer(`from-${index}`)).toEqual(Array(3).fill(`server ${index}`));
      }
    });

    it("every node serves the same key_id, and its KeyServer says so", async () => {
      await eventually("three KeyServers report one key_id", async () => {
        const path = "{range .items[*]}{.status.providers[0].kmsKeyId}{'\\n'}{end}";
        const keyIds = (await cluster.kubectl(["get", "ks", "-o", `jsonpath=${path}`])).trim().split("\n");
        return keyIds.length === 3 && new Set(keyIds).size === 1 && keyIds[0] !== "";
      });
    });

    it("a version waits for the node whose operator is stopped, with its name in the condition, and no longer", async () => {
      await node(3).kill9("operator");
      await applyMasterKey("blocked");
      const blocked = await eventually("the condition names the node", async () => {
        const text = await distributed("blocked");
        return text.includes("2 of 3 nodes") && text;
      });
      expect(blocked).toMatch(
        /^False (WaitingForNodes|NodeNotHeardOf) version 1 is on 2 of 3 nodes; waiting for node-3/,
      );
      expect(await cluster.kubectl(["get", "ks", "node-3", "-o", "name"])).toContain("node-3");
      const silent = await eventually("the condition says since when", async () => {
        const text = await distributed("blocked");
        return text.includes("NodeNotHeardOf") && text;
      });
      expect(silent).toMatch(
        /node-3 \(its operator has not been heard of since \d{4}-.*Z: start it or its API server, or delete KeyServer node-3 and Lease claviger-node-node-3 if the node is gone/,
      );
      const unknown = await eventually("the KeyServer says that it is the last word", async () => {
        const text = await readinessOf("node-3");
        return text.startsWith("Unknown") && text;
      });
      expect(unknown).toMatch(
        /^Unknown NodeNotHeardOf waiting for node-3 \(its operator has not been heard of/,
      );
      const version = "{.status.currentVersion.number}";
      expect(
        await cluster.kubectl(["get", "mk", "-n", "claviger-system", "blocked", "-o", `jsonpath=${version}`]),
      ).toBe("");
      await node(3).start("operator");
      await becomesReady("blocked");
      await eventually("node-3 takes it back", async () =>
        (await readinessOf("node-3")).startsWith("True InStep"),
      );
    });

    it("a node whose KeyServer somebody deletes is waited for by its Lease; with both deleted it is not, and comes back by itself", async () => {
      await node(2).kill9("operator");
      await applyMasterKey("without-node-2");
      await eventually("the key waits for node-2", async () =>
        (await distributed("without-node-2")).includes("node-2"),
      );
      await cluster.kubectl(["delete", "ks", "node-2"]);
      await eventually("it waits on by node-2's Lease, with what to do", async () =>
        /^False NodeNotHeardOf .* on 2 of 3 nodes; .*delete KeyServer node-2 and Lease claviger-node-node-2/.test(
          await distributed("without-node-2"),
        ),
      );
      expect(await cluster.kubectl(["get", "ks", "-o", "name"])).not.toContain("node-2");
      await manual.follow("node removed", { NAME: "node-2" });
      await becomesReady("without-node-2");
      await node(2).start("operator");
      await eventually("node-2 is back, with every version", async () => {
        const versions = await cluster.kubectl(["get", "ks", "node-2", "-o", "jsonpath={.status.versions}"]);
        return Number(versions) === (await keyVersions()).length;
      });
    });

    it("an operator's Lease is not renewed before it has reported what it holds", async () => {
      const { resources, ...config } = readConfig(node(1).configPath);
      if (resources.kind !== "kubeconfig") throw new Error("a node of a cluster has a kubeconfig");
      const named = { ...config, resources, nodeName: "late" };
      const store = new KubeStore(named, resources.path, () => undefined);
      const stop = new AbortController();
      const ended = store.run(stop.signal, { onChange: () => undefined, onBegin: () => undefined });
      await eventually("the view is complete", async () => store.view() !== undefined);
      await store.reportKeyServer("late", { prepared: [] });
      const get = async (...what: readonly string[]): Promise<number> =>
        Number(await cluster.kubectl(["get", ...what, "-o", "jsonpath={.metadata.resourceVersion}"]));
      const lease = ["lease", "-n", "claviger-system", "claviger-node-late"];
      // One etcd numbers all its writes, so the later write has the higher number.
      const reported = await get("ks", "late");
      expect(await eventually("the Lease is there", () => get(...lease))).toBeGreaterThan(reported);
      stop.abort();
      await ended;
      await cluster.kubectl(["delete", "ks", "late"]);
      await cluster.kubectl(["delete", ...lease]);
    });

    it("the leader's death moves the lead, and keys are made on", async () => {
      const leader = await cluster.kubectl([
        ...[
          "get",
          "lease",
          "-n",
          "claviger-system",
          "claviger-operator",
          "-o",
          "jsonpath={.spec.holderIdentity}",
        ],
      ]);
      const dead = cluster.nodes.find(({ name }) => name === leader);
      expect(dead).toBeDefined();
      await dead?.kill9("operator");
      await eventually("another operator leads", async () => {
        const holder = await cluster.kubectl([
          ...[
            "get",
            "lease",
            "-n",
            "claviger-system",
            "claviger-operator",
            "-o",
            "jsonpath={.spec.holderIdentity}",
          ],
        ]);
        return holder !== "" && holder !== leader;
      });
      await dead?.start("operator");
      await applyMasterKey("after-the-leader");
      await becomesReady("after-the-leader");
    });

    it("KeyVersions deleted by hand are handed back by the nodes, the same as before", async () => {
      const before = await keyVersions();
      await cluster.kubectl(["delete", "kv", "--all"]);
      await eventually("all KeyVersions are back", async () => {
        const now = await keyVersions();
        const ids = (versions: readonly KeyVersion[]) =>
          versions.map(({ spec }) => JSON.stringify(spec)).sort();
        return JSON.stringify(ids(now)) === JSON.stringify(ids(before));
      });
    });

    it("the CRDs are deleted and applied again while node-2's operator is down, as docs/operations.md says => no version is current without node-2, by name, and the key is the same again with it", async () => {
      const secrets = (path: string) =>
        cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", `jsonpath=${path}`]);
      const keyId = await secrets("{.status.keyId}");
      await node(2).kill9("operator");
      await cluster.kubectl(["delete", "-f", CRDS, "--wait=false"]);
      await manual.follow("crds deleted");
      await cluster.kubectl(["apply", "-f", "-"], exampleKey());
      const rotation = { spec: { rotation: { requestToken: "after-the-crds" } } };
      await cluster.kubectl([
        ...[
          "patch",
          "mk",
          "-n",
          "claviger-system",
          "secrets",
          "--type=merge",
          "-p",
          JSON.stringify(rotation),
        ],
      ]);
      await eventually("the key waits for node-2 alone", async () =>
        /version 1 is on 2 of 3 nodes; waiting for node-2 \(its operator has not been heard of/.test(
          await distributed("secrets"),
        ),
      );
      expect(await secrets("{.status.currentVersion}")).toBe("");
      expect(await readFromEveryServer("from-0")).toEqual(Array(3).fill("server 0"));
      await node(2).start("operator");
      await becomesReady("secrets");
      expect(await secrets("{.status.keyId}")).toBe(keyId);
      expect(await readFromEveryServer("from-0")).toEqual(Array(3).fill("server 0"));
    });

    it("a node that is removed for good: its Node object is gone => its KeyServer and its Lease go, and nothing waits for it", async () => {
      await cluster.kubectl(
        ["apply", "-f", "-"],
        manifests({ apiVersion: "v1", kind: "Node", metadata: { name: "node-3" } }),
      );
      const uid = "{.status.nodeUid}";
      await eventually("node-3 reports its Node", async () => {
        await cluster.kubectl([
          "annotate",
          "mk",
          "-n",
          "claviger-system",
          "secrets",
          "--overwrite",
          `looked=${Date.now()}`,
        ]);
        return (await cluster.kubectl(["get", "ks", "node-3", "-o", `jsonpath=${uid}`])) !== "";
      });
      const marked = "{.metadata.annotations.kms\\.claviger\\.dev/node-uid}";
      await eventually("its Lease tells of the Node", async () => {
        const lease = [
          "get",
          "lease",
          "-n",
          "claviger-system",
          "claviger-node-node-3",
          "-o",
          `jsonpath=${marked}`,
        ];
        return (await cluster.kubectl(lease)) !== "";
      });
      await node(3).kill9("operator");
      await cluster.kubectl(["delete", "ks", "node-3"]);
      await cluster.kubectl(["delete", "node", "node-3"]);
      await eventually("the Lease is gone", async () => {
        const all = await cluster.kubectl(["get", "lease", "-n", "claviger-system", "-o", "name"]);
        return !all.includes("claviger-node-node-3");
      });
      await applyMasterKey("without-node-3");
      await becomesReady("without-node-3");
      await node(3).start("operator");
      await eventually("node-3 is back", async () => (await readinessOf("node-3")).startsWith("True InStep"));
    });

    it("a node whose state folder is lost gets every version back and serves again", async () => {
      await node(1).killAll();
      await rm(node(1).stateDir, { recursive: true });
      await node(1).startBoth();
      await eventually("node-1 holds what node-2 holds", async () => {
        const wanted = held(2);
        return wanted.size === held(1).size && [...wanted].every((id) => held(1).has(id));
      });
      await cluster.plane.apiServers[0]?.restart();
      await cluster.ready();
      expect(await readFromEveryServer("from-1")).toEqual(Array(3).fill("server 1"));
    });

    it("seals swapped between two KeyVersions reach no keyring, and are put right", async () => {
      const [one, other] = await keyVersions();
      if (one === undefined || other === undefined) throw new Error("two versions are needed");
      const swap = async (target: KeyVersion, source: KeyVersion) => {
        const patch = JSON.stringify({ spec: { seal: source.spec.seal } });
        await cluster.kubectl(["patch", "kv", target.metadata.name, "--type=merge", "-p", patch]);
      };
      await swap(one, other);
      await swap(other, one);
      await eventually("both KeyVersions have their own seals again", async () => {
        const now = await keyVersions();
        return [one, other].every((version) =>
          now.some(
            ({ metadata, spec }) =>
              metadata.name === version.metadata.name && spec.seal?.sealed === version.spec.seal?.sealed,
          ),
        );
      });
      for (const number of [1, 2, 3]) {
        const reader = KeyringReader.open(node(number).keyringPath);
        const stored = reader.version(one.spec.versionId);
        reader.close();
        expect(Buffer.from(stored?.sealed.blob ?? []).toString("base64")).toBe(one.spec.seal?.sealed);
      }
      await Promise.all(cluster.plane.apiServers.map((server) => server.restart()));
      await cluster.ready();
      expect(await readFromEveryServer("from-0")).toEqual(Array(3).fill("server 0"));
    });

    it("a version sealed under another root key than a node's waits for that node, which says why", async () => {
      const right = await readFile(node(3).rootKeyPath);
      await node(3).kill9("operator");
      await applyMasterKey("wrong-root");
      await eventually("the version waits for node-3", async () =>
        (await distributed("wrong-root")).includes("node-3"),
      );
      await writeFile(node(3).rootKeyPath, Buffer.alloc(32, 7), { mode: 0o600 });
      await node(3).start("operator");
      // The API server was restarted, so node-3 may first say that it could not be asked.
      const expected =
        /NodeNotReady.*node-3 \(KeyVersion \S+: version 1 of key .* is sealed under root key file:[0-9a-f]{32} and .* holds [0-9a-f]{32}/;
      await eventually("the condition names the node and its reason", async () => {
        const current = await distributed("wrong-root");
        if (!expected.test(current)) throw new Error(current);
        return true;
      });

      await applyMasterKey("not-made");
      const reason = await eventually("no version is made while root keys differ", async () => {
        const current = await distributed("not-made");
        return current.includes("RootKeysDiffer") && current;
      });
      expect(reason).toMatch(/node-3 has [0-9a-f]{32}\): give every node the same one/);
      expect((await keyVersions()).filter(({ spec }) => spec.masterKey.name === "not-made")).toEqual([]);

      await writeFile(node(3).rootKeyPath, right, { mode: 0o600 });
      await becomesReady("wrong-root");
      await becomesReady("not-made");
    });
  },
);
