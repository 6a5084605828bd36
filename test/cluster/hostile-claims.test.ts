import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kmsKeyId, parseKeyId, parseVersionId } from "../../src/crypto/ids.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import { objectPath } from "../../src/kube/paths.ts";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import { resources } from "../../src/resources/definitions.ts";
import type { KeyServer, KeyVersion, Kind, MasterKey } from "../../src/resources/resources.ts";
import type { JsonSchema } from "../../src/resources/schemas/schema.ts";
import { hasMaterial } from "../../src/resources/versions.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import { leaves, sample } from "./schema-samples.ts";

const binaries = await controlPlaneBinaries();
const SYSTEM = "claviger-system";
const TENANT = "tenant";
const LONG = "x".repeat(40_000);
const ESCAPES = "\u001b[2J\u009b31m\u202eevil\nline";

/** The true values of a victim's objects, and the values of another namespace's objects. */
interface Targets {
  readonly victim: { readonly key: MasterKey; readonly version: KeyVersion };
  readonly other: { readonly key: MasterKey; readonly version: KeyVersion };
}

describe.skipIf(binaries === undefined)(
  "every field that a node's kubeconfig may write, set to another key's and to hostile values",
  () => {
    let cluster: Cluster;
    let asNode: KubeClient;
    let kms: KmsClient;
    let targets: Targets;

    beforeAll(async () => {
      cluster = await startCluster();
      await applyKey(cluster);
      await cluster.kubectl(["create", "namespace", TENANT]);
      await create(TENANT, "other");
      await apply("KeyAlias", TENANT, "main", { masterKey: "other" });
      await apply("KeyGrant", TENANT, "main", {
        ...{
          masterKey: "other",
          granteePrincipal: "arn:aws:iam::000000000000:root",
          operations: ["Decrypt"],
        },
        grantedBy: { user: "admin", groups: ["system:masters"] },
      });
      await cluster.kubectl(["create", "secret", "generic", "before", "--from-literal=a=b"]);
      const [server] = cluster.plane.apiServers;
      const [node] = cluster.nodes;
      if (server === undefined || node === undefined) throw new Error("the cluster has a node");
      asNode = new KubeClient(await server.kubeconfig("claviger-node"));
      kms = new KmsClient(node.socket(PROVIDER));
      targets = { victim: await known(SYSTEM, "secrets"), other: await known(TENANT, "other") };
    });
    afterAll(async () => {
      kms?.close();
      await cluster?.stop();
    });

    const apply = (kind: Kind, namespace: string, name: string, spec: object) =>
      cluster.kubectl(
        ["apply", "-f", "-"],
        JSON.stringify({
          apiVersion: "kms.claviger.dev/v1alpha1",
          kind,
          metadata: { namespace, name },
          spec,
        }),
      );
    const getJson = async <T>(...args: readonly string[]): Promise<T> =>
      JSON.parse(await cluster.kubectl(["get", ...args, "-o", "json"]));
    const masterKey = (namespace: string, name: string) => getJson<MasterKey>("mk", "-n", namespace, name);
    const versions = async () => (await getJson<{ readonly items: readonly KeyVersion[] }>("kv")).items;
    /** Creates a MasterKey. If this returns, the MasterKey works, so no operator has stopped. */
    async function create(namespace: string, name: string): Promise<void> {
      await apply("MasterKey", namespace, name, {});
      await eventually(`${namespace}/${name} is ready`, async () => {
        const { status } = await masterKey(namespace, name);
        return conditionOf(status?.conditions, "Ready")?.status === "True";
      });
    }
    async function known(namespace: string, name: string) {
      const key = await masterKey(namespace, name);
      const version = (await versions()).find(
        ({ spec }) => spec.versionId === key.status?.currentVersion?.versionId,
      );
      if (version === undefined) throw new Error(`${namespace}/${name} has no version`);
      return { key, version };
    }

    /** Returns hostile values for a field, among them another key's. */
    function hostile({ type, enum: allowed }: JsonSchema): unknown[] {
      const { key, version } = targets.other;
      if (type === "boolean") return [true, false];
      if (type === "integer") return [1, 2, 1_000_000_000];
      if (allowed !== undefined) return [...allowed];
      const { keyId, versionId, seal, ownership } = version.spec;
      const ids = [keyId, versionId, key.status?.currentVersion?.kmsKeyId, key.metadata.name];
      return [
        "",
        LONG,
        ESCAPES,
        "2001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        ...ids,
        seal?.sealed,
        ownership?.sealed,
      ];
    }

    /** Writes a value. The operators must bear every write that the API server accepts. */
    async function write(kind: Kind, part: "spec" | "status", value: unknown): Promise<void> {
      const { victim } = targets;
      const objects = {
        MasterKey: victim.key.metadata,
        KeyVersion: victim.version.metadata,
        KeyAlias: { namespace: TENANT, name: "main" },
        KeyGrant: { namespace: TENANT, name: "main" },
        KeyServer: { name: "node-1" },
      };
      const path = objectPath(kind, objects[kind]) + (part === "status" ? "/status" : "");
      try {
        const contentType = "application/merge-patch+json";
        await asNode.request({ method: "PATCH", path, contentType, body: { [part]: value } });
      } catch (error) {
        if (!(error instanceof KubeError) || error.httpStatus >= 500) throw error;
      }
    }

    async function writeAll(kind: Kind, part: "spec" | "status", schema: JsonSchema): Promise<void> {
      for (const leaf of leaves(schema)) {
        for (const value of hostile(leaf.schema)) {
          // The object already has a spec, so the patch contains only the field. A status may be empty, so
          // the patch contains everything that the field needs.
          const patch = part === "spec" ? nested(leaf.path, value) : sample(schema, leaf.path, value);
          await write(kind, part, patch);
        }
      }
    }

    /** Returns the key_ids of the victim's versions. */
    async function ownKmsKeyIds(): Promise<string[]> {
      const { keyId } = targets.victim.version.spec;
      return (await versions())
        .filter(({ spec }) => spec.keyId === keyId)
        .map(({ spec }) => kmsKeyId(parseKeyId(spec.keyId), parseVersionId(spec.versionId)));
    }

    async function expectNothingLost(after: string): Promise<void> {
      const { victim, other } = targets;
      await create(SYSTEM, after);
      // A status that says that a rotation runs may begin one: the key then encrypts under its own next version.
      expect(await ownKmsKeyIds()).toContain((await kms.status()).keyId);
      await cluster.kubectl(["create", "secret", "generic", after, "--from-literal=a=b"]);
      const [entry] = await cluster.plane.etcd.get(`/registry/secrets/default/${after}`);
      expect((await ownKmsKeyIds()).some((own) => entry?.value.includes(own))).toBe(true);
      await eventually("every version has its own material, owner and end", async () => {
        const found = await versions();
        return [victim.version, other.version].every((before) => {
          const now = found.find(({ metadata }) => metadata.uid === before.metadata.uid);
          return now !== undefined && hasMaterial(now) && same(now.spec, before.spec);
        });
      });
      for (const { key } of [victim, other]) {
        await eventually(`MasterKey ${key.metadata.name} is as it was`, async () => {
          const { status } = await masterKey(key.metadata.namespace ?? "", key.metadata.name);
          return (
            status?.keyState === "Enabled" &&
            status.keyId === key.status?.keyId &&
            status.deletion === undefined &&
            (await versions()).some(
              ({ spec }) =>
                spec.keyId === key.status?.keyId && spec.versionId === status.currentVersion?.versionId,
            )
          );
        });
      }
      await eventually("the node says that it is well", async () => {
        const { status } = await getJson<KeyServer>("ks", "node-1");
        return conditionOf(status?.conditions, "Ready")?.status === "True";
      });
      for (const part of ["operator", "plugin"] as const) {
        const log = (await cluster.nodes[0]?.log(part)) ?? "";
        for (const mark of ["\u001b", "\u009b", "\u202e"]) expect(log.includes(mark)).toBe(false);
      }
    }

    it.each(["MasterKey", "KeyAlias", "KeyGrant", "KeyServer", "KeyVersion"] as const)(
      "in the status of a %s => no key changes hands or state, none is destroyed, and no operator stops",
      async (kind) => {
        await writeAll(kind, "status", resources[kind].status.json);
        await expectNothingLost(`after-${kind.toLowerCase()}`);
      },
    );

    it("in the spec of a KeyVersion => no key changes hands or state, none is destroyed, and no operator stops", async () => {
      const { spec } = resources.KeyVersion;
      if (spec === undefined) throw new Error("a KeyVersion has a spec");
      await writeAll("KeyVersion", "spec", spec.json);
      // Removes the seal and adds a tombstone in one write, as the API server requires.
      const { ownership } = targets.other.version.spec;
      const proof = { provider: "file", rootKeyId: ownership?.rootKeyId, sealed: ownership?.sealed };
      await write("KeyVersion", "spec", {
        seal: null,
        destroyed: { at: "2026-01-02T03:04:05Z", reason: "forged", proof },
      });
      await expectNothingLost("after-spec");
    });
  },
);

/** Returns an object with `value` at the end of a path of fields. */
function nested([step, ...rest]: readonly string[], value: unknown): unknown {
  return step === undefined ? value : { [step]: nested(rest, value) };
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
