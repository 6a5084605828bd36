import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { controlPlaneBinaries } from "./binaries.ts";
import { type ControlPlane, startControlPlane } from "./controlplane.ts";
import { eventually } from "./wait.ts";

const binaries = await controlPlaneBinaries();

const IDENTITY = `
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources: [{ resources: [secrets], providers: [{ identity: {} }] }]
`;

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const SECRETS = "/api/v1/namespaces/default/secrets";

function named(name: string, data: Record<string, string> = {}) {
  return { metadata: { name }, data };
}

/** Returns the nth API server, which the test has started. */
function server(plane: ControlPlane, index: number) {
  const found = plane.apiServers[index];
  if (found === undefined) throw new Error(`no API server ${index}`);
  return found;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(binaries === undefined)("three API servers on one etcd", () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    plane = await startControlPlane({
      apiServers: 3,
      controllers: true,
      users: [{ name: "mallory", token: "mallorys-token", groups: ["nobodies"] }],
      encryptionConfig: async (index, dir) => {
        const path = join(dir, `encryption${index}.yaml`);
        await writeFile(path, IDENTITY);
        return path;
      },
    });
  });

  afterAll(() => plane?.stop());

  it("each see the ConfigMaps that the others write", async () => {
    for (const index of [0, 1, 2]) {
      const written = await server(plane, index).request("POST", CONFIG_MAPS, {
        body: named(`from-${index}`),
      });
      expect(written.status).toBe(201);
    }
    const names = ["from-0", "from-1", "from-2"];
    for (const [reader, name] of [0, 1, 2].flatMap((i) => names.map((n) => [i, n] as const))) {
      await eventually(`server ${reader} has ${name}`, async () => {
        return (await server(plane, reader).request("GET", `${CONFIG_MAPS}/${name}`)).status === 200;
      });
    }
  });

  it("store a Secret raw under the identity provider, where etcdGet finds it", async () => {
    const data = { password: Buffer.from("correct horse").toString("base64") };
    const written = await server(plane, 1).request("POST", SECRETS, { body: named("raw", data) });
    expect(written.status).toBe(201);
    const [entry, ...others] = await plane.etcd.get("/registry/secrets/default/raw");
    expect(others).toEqual([]);
    expect(entry?.value.includes("correct horse")).toBe(true);
    expect(entry?.value.includes("k8s:enc:")).toBe(false);
  });

  it("are read by etcdGet over many pages, each key once", async () => {
    const count = 300;
    for (let i = 0; i < count; i += 1) {
      const written = await server(plane, i % 3).request("POST", CONFIG_MAPS, { body: named(`page-${i}`) });
      expect(written.status).toBe(201);
    }
    const entries = await plane.etcd.get("/registry/configmaps/default/page-");
    expect(new Set(entries.map((entry) => entry.key)).size).toBe(count);
    expect(entries).toHaveLength(count);
    expect((await plane.etcd.get("")).length).toBeGreaterThan(count);
  });

  it("let the admin do everything and another user nothing, by token and by kubectl", async () => {
    expect((await server(plane, 2).request("GET", SECRETS, { token: "mallorys-token" })).status).toBe(403);
    expect((await server(plane, 2).request("GET", SECRETS, { token: "unknown" })).status).toBe(401);
    const kubeconfig = await server(plane, 2).kubeconfig("mallory");
    const denied = await plane.kubectl(["get", "secrets"], { kubeconfig });
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain('User "mallory" cannot list resource "secrets"');
    const stdin = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", ...named("by-kubectl") });
    expect(await plane.kubectl(["apply", "-f", "-"], { stdin })).toMatchObject({
      code: 0,
      stdout: "configmap/by-kubectl created\n",
    });
  });

  it("accept one another's service-account tokens", async () => {
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await eventually("the default account exists", async () => {
      return (await server(plane, 0).request("GET", account)).status === 200;
    });
    const made = await plane.kubectl(["create", "token", "default"]);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const token = made.stdout.trim();
    // 403 and not 401: the user is known, but not allowed.
    expect((await server(plane, 1).request("GET", SECRETS, { token })).status).toBe(403);
  });

  it("serve the same data after a kill -9 of one, and after a kill -9 of etcd", async () => {
    const first = server(plane, 0);
    await first.request("POST", CONFIG_MAPS, { body: named("survivor", { a: "b" }) });
    const before = first.pid;
    await first.kill9();
    await expect(first.request("GET", "/livez")).rejects.toThrow("ECONNREFUSED");
    await first.start();
    await first.ready();
    expect(first.pid).not.toBe(before);
    const path = `${CONFIG_MAPS}/survivor`;
    expect(await first.request("GET", path)).toMatchObject({ status: 200, body: { data: { a: "b" } } });

    await plane.etcd.kill9();
    await plane.etcd.start();
    await first.ready();
    await eventually("the data is there", async () => (await first.request("GET", path)).status === 200);
  });

  it("have a namespace's objects removed with it by the controllers, which are started again when they end", async () => {
    const first = server(plane, 0);
    process.kill(Number(plane.controllers?.pid), "SIGKILL");
    expect((await plane.kubectl(["create", "namespace", "gone"])).code).toBe(0);
    await first.request("POST", "/api/v1/namespaces/gone/configmaps", { body: named("inside") });
    expect((await plane.kubectl(["delete", "namespace", "gone", "--wait=false"])).code).toBe(0);
    await eventually("etcd has no trace of the namespace", async () => {
      const entries = await plane.etcd.get("/registry/");
      return !entries.some(({ key }) => key.includes("/gone"));
    });
  });
});

describe.skipIf(binaries === undefined)("a control plane", () => {
  it("leaves no process and no folder behind when it is stopped", async () => {
    const plane = await startControlPlane({ controllers: true });
    const pids = [plane.etcd.pid, server(plane, 0).pid, plane.controllers?.pid].map(Number);
    expect(pids.every(isAlive)).toBe(true);
    await plane.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(plane.dir)).toBe(false);
  });

  it("serves its data again from a folder that the caller named", async () => {
    const dir = await mkdtemp(join(tmpdir(), "clv-"));
    try {
      const before = await startControlPlane({ dir });
      await server(before, 0).request("POST", CONFIG_MAPS, { body: named("kept") });
      await before.stop();
      await using after = await startControlPlane({ dir });
      expect((await server(after, 0).request("GET", `${CONFIG_MAPS}/kept`)).status).toBe(200);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("leaves nothing behind either, and says why, when an API server cannot start", async () => {
    let dir = "";
    const failed = startControlPlane({
      flags: (_index, folder) => {
        dir = folder;
        return ["--no-such-flag"];
      },
    });
    await expect(failed).rejects.toThrow("unknown flag: --no-such-flag");
    expect(existsSync(dir)).toBe(false);
  });

  it("has the same binaries for concurrent callers", async () => {
    const found = await Promise.all([controlPlaneBinaries(), controlPlaneBinaries(), controlPlaneBinaries()]);
    expect(found).toEqual([binaries, binaries, binaries]);
  });
});
