import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyVersion } from "../../src/testing/objects.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type ControlPlane, startControlPlane } from "../controlplane/controlplane.ts";
import { eventually } from "../controlplane/wait.ts";

const binaries = await controlPlaneBinaries();
const ROOT = join(import.meta.dirname, "..", "..");
const OWN = "kms.claviger.dev/material";
const AS_NODE = ["--as=claviger-node", "--as-group=claviger:nodes"];

describe.skipIf(binaries === undefined)("KeyVersions under deploy/admission.yaml", () => {
  let plane: ControlPlane;
  const { apiVersion, kind, spec } = keyVersion(1);
  const absentOwner = [
    { apiVersion: "v1", kind: "Namespace", name: "absent", uid: "11111111-1111-4111-8111-111111111111" },
  ];

  beforeAll(async () => {
    plane = await startControlPlane({ controllers: true });
    await kubectl("apply", "-f", join(ROOT, "crds"), "-f", join(ROOT, "deploy", "rbac.yaml"));
    await kubectl("wait", "--for=condition=Established", "--timeout=120s", "-f", join(ROOT, "crds"));
  });
  afterAll(() => plane?.stop());

  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await plane.kubectl(args);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const create = (name: string, metadata: object = {}, who: readonly string[] = AS_NODE) =>
    plane.kubectl(["create", "-f", "-", ...who], {
      stdin: JSON.stringify({ apiVersion, kind, metadata: { ...metadata, name }, spec }),
    });
  const patch = (name: string, change: object, more: readonly string[] = AS_NODE) =>
    plane.kubectl(["patch", "kv", name, "--type=merge", "-p", JSON.stringify(change), ...more]);
  const exists = async (name: string): Promise<boolean> =>
    (await kubectl("get", "kv", name, "--ignore-not-found", "-o", "name")) !== "";

  it("without the guard, a node that may not delete them names an owner that is not there, and one is deleted", async () => {
    expect((await create("unguarded")).code).toBe(0);
    expect((await plane.kubectl(["delete", "kv", "unguarded", ...AS_NODE])).stderr).toMatch(/cannot delete/);
    expect((await patch("unguarded", { metadata: { ownerReferences: absentOwner } })).code).toBe(0);
    await eventually("the garbage collector has deleted it", async () => !(await exists("unguarded")));
  });

  describe("with the guard", () => {
    beforeAll(async () => {
      for (const name of ["v1", "owned"]) expect((await create(name)).code).toBe(0);
      await kubectl("apply", "-f", join(ROOT, "deploy", "admission.yaml"));
      await eventually("the guard is heeded", async () => {
        const change = { metadata: { finalizers: ["example.com/a"] } };
        return (await patch("v1", change, ["--dry-run=server"])).code !== 0;
      });
    });

    it.each([
      ["an owner that is not there", { ownerReferences: absentOwner }, /has no owner/],
      ["a finalizer", { finalizers: ["example.com/a"] }, /has no finalizers/],
      ["a label", { labels: { "example.com/part-of": "x" } }, /does not label/],
      ["an annotation", { annotations: { "example.com/tracking": "x" } }, /does not annotate/],
    ])(
      "a node gives one %s => refused, on creation too, and nothing changes",
      async (_, metadata, reason) => {
        const before = await kubectl("get", "kv", "v1", "-o", "json");
        expect((await patch("v1", { metadata })).stderr).toMatch(reason);
        expect((await create("another", metadata)).stderr).toMatch(reason);
        expect(await kubectl("get", "kv", "v1", "-o", "json")).toBe(before);
        expect(await exists("another")).toBe(false);
      },
    );

    it("an administrator gives one an owner or a finalizer => refused; labels => are theirs to give", async () => {
      const admin: readonly string[] = [];
      const owner = await patch("v1", { metadata: { ownerReferences: absentOwner } }, admin);
      expect(owner.stderr).toMatch(/has no owner/);
      const finalizer = await patch("v1", { metadata: { finalizers: ["example.com/a"] } }, admin);
      expect(finalizer.stderr).toMatch(/has no finalizers/);
      expect((await patch("v1", { metadata: { labels: { backup: "x" } } }, admin)).code).toBe(0);
    });

    it("a node makes one, replaces its seal and says its state => it may, labelled by others or not", async () => {
      expect((await create("v2")).code).toBe(0);
      const seal = { ...spec.seal, sealed: "b3RoZXI=" };
      for (const name of ["v1", "v2"]) {
        expect((await patch(name, { spec: { seal } })).stderr).toBe("");
        const state = await patch(name, { status: { state: "Retired" } }, [
          ...AS_NODE,
          "--subresource=status",
        ]);
        expect(state.stderr).toBe("");
      }
    });

    it("a node gives a MasterKey another finalizer than claviger's, or takes one out => refused", async () => {
      const foreign = "example.com/held";
      const key = { apiVersion, kind: "MasterKey", metadata: { name: "held", finalizers: [foreign] } };
      const made = await plane.kubectl(["create", "-f", "-"], { stdin: JSON.stringify(key) });
      expect(made.stderr).toBe("");
      const set = (finalizers: readonly string[]) =>
        plane.kubectl([
          ...["patch", "mk", "held", "--type=merge", "-p", JSON.stringify({ metadata: { finalizers } })],
          ...AS_NODE,
        ]);
      await eventually("the guard of MasterKeys is heeded", async () => (await set([])).code !== 0);
      for (const finalizers of [[], [foreign, "example.com/a"], [OWN], [OWN, "example.com/a", foreign]]) {
        expect((await set(finalizers)).stderr).toMatch(/no finalizer of a MasterKey but/);
      }
      for (const finalizers of [[foreign, OWN], [foreign]]) expect((await set(finalizers)).stderr).toBe("");
      await kubectl("patch", "mk", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
    });

    it.each([
      ["an owner that is not there", { ownerReferences: absentOwner }, /no owner/],
      ["a finalizer", { finalizers: ["example.com/a"] }, /no finalizer/],
      ["a label", { labels: { "example.com/part-of": "x" } }, /does not label/],
      ["an annotation", { annotations: { "example.com/tracking": "x" } }, /does not annotate/],
    ])(
      "a node gives a KeyServer %s => refused, on creation too; without it => it may",
      async (_, metadata, reason) => {
        const server = (more: object) =>
          plane.kubectl(["create", "-f", "-", ...AS_NODE], {
            stdin: JSON.stringify({ apiVersion, kind: "KeyServer", metadata: { ...more, name: "node-1" } }),
          });
        const patched = (more: object, subresource: readonly string[] = []) =>
          plane.kubectl([
            "patch",
            "ks",
            "node-1",
            "--type=merge",
            "-p",
            JSON.stringify(more),
            ...AS_NODE,
            ...subresource,
          ]);
        await eventually("the guard of KeyServers is heeded", async () => {
          const { stderr } = await server(metadata);
          if (stderr === "")
            await kubectl("patch", "ks", "node-1", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
          if (stderr === "") await kubectl("delete", "ks", "node-1", "--ignore-not-found");
          return reason.test(stderr);
        });
        expect((await server({})).stderr).toBe("");
        expect((await patched({ metadata })).stderr).toMatch(reason);
        expect((await patched({ status: { versions: 1 } }, ["--subresource=status"])).stderr).toBe("");
        expect((await plane.kubectl(["delete", "ks", "node-1", ...AS_NODE])).stderr).toBe("");
      },
    );

    it("an administrator deletes one, in the foreground too => it is gone", async () => {
      await kubectl("delete", "kv", "owned", "--cascade=foreground", "--timeout=120s");
      expect(await exists("owned")).toBe(false);
    });
  });
});
