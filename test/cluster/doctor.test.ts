import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import type { Finding } from "../../src/cli/doctor/check.ts";
import type { Diagnosis } from "../../src/cli/doctor/diagnose.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, exampleKey, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const SECRET = "/registry/secrets/default/";

describe.skipIf(binaries === undefined)("claviger doctor on a real control plane", () => {
  let cluster: Cluster;
  let leaseBefore: Awaited<ReturnType<typeof readLease>>;

  beforeAll(async () => {
    cluster = await startCluster();
    const rotating = "spec: { rotation: { enabled: true, periodInDays: 90 } }";
    await applyKey(cluster, exampleKey().replace("spec: {}", rotating));
    await cluster.kubectl(["create", "secret", "generic", "a", "--from-literal=text=secret"]);
    leaseBefore = await readLease();
  });
  afterAll(() => cluster?.stop());

  const node = (): ClavigerNode => {
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error("the cluster has no node");
    return first;
  };
  const command = (config: string, ...more: string[]) =>
    run(process.execPath, [CLAVIGER, "doctor", "--config", config, ...more]);
  const doctor = async (config = node().configPath) => {
    const { stdout, stderr, code } = await command(config, "-o", "json");
    if (stdout === "") throw new Error(stderr);
    const report: Diagnosis = JSON.parse(stdout);
    return { ...report, code, found: report.findings.map(({ severity, check }) => `${severity} ${check}`) };
  };
  /** Returns the first report that is as expected. */
  const until = async (what: string, holds: (report: Awaited<ReturnType<typeof doctor>>) => boolean) => {
    let report = await doctor();
    await eventually(what, async () => {
      if (!holds(report)) report = await doctor();
      return holds(report);
    });
    return report;
  };
  const messageOf = (findings: readonly Finding[], check: string): string =>
    findings.find((finding) => finding.check === check)?.message ?? "";
  const readLease = async () => {
    const path = ["get", "lease", "-n", "claviger-system", "-l", "kms.claviger.dev/node"];
    const { items } = JSON.parse(await cluster.kubectl([...path, "--show-managed-fields", "-o", "json"]));
    const [{ metadata, spec }] = items;
    const times = metadata.managedFields.map(({ time }: { readonly time: string }) => Date.parse(time));
    return { renewed: Date.parse(spec.renewTime), written: Math.max(...times) };
  };
  /** Writes a configuration of the same node with some fields changed. */
  const changed = async (name: string, changes: object): Promise<string> => {
    const path = join(node().dir, name);
    await writeFile(path, stringify({ ...parse(await readFile(node().configPath, "utf8")), ...changes }));
    return path;
  };
  const put = async (key: string, value: Buffer) => {
    const body = { key: Buffer.from(key).toString("base64"), value: value.toString("base64") };
    const url = `${cluster.plane.etcd.endpoint}/v3/kv/put`;
    expect((await fetch(url, { method: "POST", body: JSON.stringify(body) })).status).toBe(200);
  };

  it("finds no error where all is well, makes every check, and says what nobody can check", async () => {
    // The first reports of the Leases and the sockets take some seconds.
    const { found, made, unchecked } = await until("the node is well", ({ code }) => code === 0);
    // Perhaps not all of the API server's entries have asked for the new key_id yet.
    expect(found.filter((name) => name !== "warning NotSwitched")).toEqual([]);
    expect(made).toEqual(expect.arrayContaining(["PlainValues", "ClockSkew", "RewriterRights"]));
    expect(unchecked.map(({ what }) => what)).toContain("whether the root key has a backup");
    const { stdout, code } = await command(node().configPath);
    expect(code).toBe(0);
    const [, done, all] =
      /\n0 errors, (?:0 warnings|1 warning); (\d+) of (\d+) checks were made\n$/.exec(stdout) ?? [];
    // This control plane was not made by kubeadm, so there is no configuration of kubeadm to look at.
    expect(stdout.match(/not made: .*/g)).toEqual(["not made: KubeadmConfig"]);
    expect(Number(all) - Number(done), stdout).toBe(1);
  });

  it("can tell a node's clock by its Lease: managedFields follow each renewal", async () => {
    // A busy API server may take longer for one of the renewals.
    await eventually("a renewal is written when it is made", async () => {
      const after = await readLease();
      expect(after.renewed).toBeGreaterThan(leaseBefore.renewed);
      expect(after.written).toBeGreaterThan(leaseBefore.written);
      expect(Math.abs(after.renewed - after.written)).toBeLessThan(5_000);
      return true;
    });
  });

  it("finds values that are plain, damaged or under a lost key_id, and missing rights", async () => {
    const [value] = await cluster.plane.etcd.get(`${SECRET}a`);
    const bytes = value?.value ?? Buffer.alloc(0);
    const keyId = await cluster.kubectl([
      ...["get", "mk", "-n", "claviger-system", "secrets"],
      ...["-o", "jsonpath={.status.currentVersion.kmsKeyId}"],
    ]);
    const lost = Buffer.from(bytes);
    lost.write("0".repeat(32), lost.indexOf(keyId));
    await put(`${SECRET}lost`, lost);
    await put(`${SECRET}half`, bytes.subarray(0, 60));
    await put(`${SECRET}plain`, Buffer.from("{}"));
    await cluster.kubectl(["delete", "clusterrolebinding", "claviger-rewriter"]);
    await eventually("the right is gone", async () =>
      (await doctor()).found.includes("error RewriterRights"),
    );
    const { found, findings, code } = await doctor();
    expect(code).toBe(1);
    expect(found).toEqual(
      expect.arrayContaining(["error DamagedValues", "error UnknownKeyId", "warning PlainValues"]),
    );
    expect(messageOf(findings, "UnknownKeyId")).toContain("default/lost");
    expect(messageOf(findings, "RewriterRights")).toContain("may not list");
  });

  it("finds what is wrong in the files, with the same node running", async () => {
    const socket = node().socket("secrets");
    const kms = (changes: object) => ({
      kms: { apiVersion: "v2", endpoint: `unix://${socket}`, ...changes },
    });
    const bad = join(node().dir, "bad.yaml");
    const resources = [
      { resources: ["configmaps"], providers: [kms({ name: "x", endpoint: "unix:///run/no.sock" })] },
      { resources: ["secrets"], providers: [{ identity: {} }, kms({ name: "other", timeout: "500ms" })] },
      { resources: ["*.*"], providers: [kms({ name: "all" })] },
    ];
    await writeFile(
      bad,
      stringify({ apiVersion: "apiserver.config.k8s.io/v1", kind: "EncryptionConfiguration", resources }),
    );
    await chmod(node().rootKeyPath, 0o644);
    const { found, code } = await doctor(await changed("bad-config.yaml", { encryptionConfig: bad }));
    await chmod(node().rootKeyPath, 0o600);
    expect(code).toBe(1);
    expect(found).toEqual(
      expect.arrayContaining([
        ...["error IdentityFirst", "error OwnResourcesEncrypted", "warning SocketWithoutProvider"],
        ...["error TimeoutShort", "error RootKeyUnsafe", "error MissingProvider"],
      ]),
    );
  });

  it("says what it cannot check without etcd and encryptionConfig, and refuses wrong usage", async () => {
    const bare = await changed("bare.yaml", { etcd: null, encryptionConfig: null });
    const [{ found, unchecked }, wrong] = await Promise.all([doctor(bare), command(bare, "-o", "xml")]);
    expect(found).toEqual(expect.arrayContaining(["warning NoEtcd", "warning NoEncryptionConfig"]));
    expect(unchecked.find(({ what }) => what === "what etcd holds")?.checks).toContain("DamagedValues");
    expect(wrong.code).toBe(2);
  });

  it("goes on where the API server, the plugin and then etcd are down", async () => {
    await cluster.plane.apiServers[0]?.kill9();
    await node().kill9("plugin");
    const { found, findings, made } = await doctor();
    expect(found).toEqual(expect.arrayContaining(["error CouldNotLook", "error SocketSilent"]));
    expect(found.filter((name) => name === "error CouldNotLook")).toHaveLength(1);
    expect(messageOf(findings, "CouldNotLook")).toContain("ECONNREFUSED");
    expect(made).toEqual(expect.arrayContaining(["PlainValues", "IdentityFirst", "RootKeyUnsafe"]));
    await cluster.plane.etcd.kill9();
    const without = await doctor();
    expect(without.found.filter((name) => name === "error CouldNotLook")).toHaveLength(2);
    expect(without.made).toEqual(expect.arrayContaining(["IdentityFirst", "RootKeyWrong"]));
  });
});
