import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { clavigerArchive } from "./claviger-image.ts";
import { type KubeadmCluster, kubeadmParts, startKubeadmCluster } from "./cluster.ts";
import { processOf } from "./containers.ts";
import type { Machine } from "./machine.ts";
import { storedBelow } from "./stored.ts";
import {
  clavigerFiles,
  processesOf,
  releaseBefore,
  renewAndRestart,
  signForAnHour,
  upgradeCluster,
} from "./upgrade.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const parts = await kubeadmParts();

/** The command of the checkout, as an administrator would run the installed package's. */
const CLAVIGER = `${process.execPath} ${join(REPOSITORY, "bin", "claviger.js")}`;

/** A row of the census. */
interface Row {
  readonly resource: string;
  readonly stored: { readonly kind: string };
}

describe.skipIf(parts === undefined)("claviger on a cluster of kubeadm, in order", () => {
  let cluster: KubeadmCluster;
  let first: Machine;
  let second: Machine;
  let booting: Promise<Machine>;
  const claviger = (node: Machine, args: string) => node.must(`${CLAVIGER} ${args}`);
  const secret = async (node: Machine, name: string) =>
    await node.must(`kubectl get secret ${name} -o jsonpath={.data.text} | base64 -d`);
  const put = (name: string) => cluster.kubectl(`create secret generic ${name} --from-literal=text=${name}`);
  /** Returns the ways in which Secrets are stored in etcd. */
  const storedAs = async (): Promise<string[]> => {
    const { rows } = JSON.parse(await claviger(first, "census --all -o json"));
    return rows.flatMap((row: Row) => (row.resource === "secrets" ? [row.stored.kind] : []));
  };

  /** Prints how long an action took: the figures are for people. */
  const timed = async <T>(what: string, action: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const result = await action();
    console.log(`${what}: ${Math.round((performance.now() - started) / 1000)} s`);
    return result;
  };
  const expectEveryOneEncrypted = async () => {
    for (const value of (await storedBelow(first, "/registry/secrets/")).values())
      expect(value).toMatch(/^k8s:enc:kms:v2:secrets:/);
  };
  /** Expects that Secrets of before are read, and that a new one is read and lies encrypted in etcd. */
  const expectEncryption = async (name: string) => {
    await eventually(
      "the Secret of before is read",
      async () => (await secret(first, "before")) === "before",
    );
    await put(name);
    expect(await secret(first, name)).toBe(name);
    await expectEveryOneEncrypted();
  };
  /** Returns the files of claviger on the first node, and the processes of its pods. */
  const installed = async () => ({
    files: await clavigerFiles(first),
    processes: await processesOf(first, ["plugin", "operator"]),
  });

  /** Boots the second node, which needs half a minute. */
  const bootSecond = async () => {
    const machine = await cluster.addMachine();
    await machine.must(`ctr -n k8s.io images import ${await clavigerArchive()}`);
    return machine;
  };

  beforeAll(async () => {
    if (parts === undefined) throw new Error("there are no parts");
    // Without this flag each restart of an API server waits half a minute for clients that watch.
    const apiServer = { "shutdown-send-retry-after": "true" };
    cluster = await startKubeadmCluster(parts, { release: releaseBefore(parts.version), apiServer });
    first = cluster.node;
    await first.must(`ctr -n k8s.io images import ${await clavigerArchive()}`);
    await put("before");
  });
  afterAll(() => cluster?.stop());

  it("init --diff => shows the lines that change, and changes nothing", async () => {
    const text = await claviger(first, "init --diff");
    expect(text).toContain("+    - --encryption-provider-config=/etc/kubernetes/enc/enc.yaml");
    expect((await first.sh("ls /etc/claviger")).code).not.toBe(0);
  });

  it("init --wait => every Secret is encrypted, the ones from before too, by one command", async () => {
    const installing = timed("init --wait", () => claviger(first, "init --wait"));
    booting = bootSecond();
    booting.catch(() => undefined);
    await installing;
    expect(await secret(first, "before")).toBe("before");
    expect(await storedAs()).toEqual(["kms-v2"]);
  });

  it("init again => changes nothing", async () => {
    const text = await claviger(first, "init --dry-run");
    expect(
      text.split("\n").filter((line) => line.startsWith("[") && !line.includes("nothing to do")),
    ).toEqual([]);
  });

  it("kubeadm upgrade diff => an upgrade changes nothing of claviger", async () => {
    const diff = await first.must(`kubeadm upgrade diff v${cluster.parts.version}`);
    expect(diff.split("\n").filter((line) => /^[-+].*(encryption|claviger|enc\b)/.test(line))).toEqual([]);
  });

  it("kubeadm upgrade apply => the API server keeps its flags and mounts, and claviger's files and pods stay as they are", async () => {
    const manifest = () => first.must("cat /etc/kubernetes/manifests/kube-apiserver.yaml");
    const [text, process, before] = [
      await manifest(),
      await processOf(first, "kube-apiserver"),
      await installed(),
    ];
    const { version } = cluster.parts;
    await timed("kubeadm upgrade apply", () => upgradeCluster(first, version));
    expect(await manifest()).toBe(text.replace(`:v${releaseBefore(version)}`, `:v${version}`));
    expect(await processOf(first, "kube-apiserver")).not.toBe(process);
    await expectEncryption("upgraded");
    expect(await installed()).toEqual(before);
  });

  it("kubeadm certs renew all, and a restart of the control plane => Secrets are read and encrypted, and claviger's files and pods stay as they are", async () => {
    const before = await installed();
    await timed("kubeadm certs renew all, and the restart", () => renewAndRestart(first));
    await expectEncryption("renewed");
    expect(await installed()).toEqual(before);
  });

  it("a certificate of claviger's own expires within an hour => doctor says so, init has it signed again, and the operator continues with it", async () => {
    const doctor = async () => (await first.sh(`${CLAVIGER} doctor`)).stdout;
    const { processes } = await installed();
    await signForAnHour(first);
    expect(await doctor()).toContain("CertificateExpires");
    await timed("init again", () => claviger(first, "init"));
    expect(await doctor()).not.toContain("CertificateExpires");
    expect((await installed()).processes).toEqual(processes);
  });

  it("join, then kubeadm join => claviger serves the new node's API server from its start", async () => {
    second = await booting;
    const code = (text: string) => /code: (\S+)/.exec(text)?.[1];
    const asked = await claviger(second, "join --request /tmp/request.txt");
    const request = await second.must("cat /tmp/request.txt");
    await first.must("cat > /root/request.txt", request);
    const answered = await claviger(
      first,
      `join --answer /root/request.txt --code ${code(asked)} --out /root/answer.txt`,
    );
    await second.must("cat > /root/answer.txt", await first.must("cat /root/answer.txt"));
    await claviger(second, `join --open /root/answer.txt --code ${code(answered)}`);
    const command = (await first.must("kubeadm token create --print-join-command")).trim();
    const uploaded = await first.must("kubeadm init phase upload-certs --upload-certs");
    const key = uploaded.trim().split("\n").at(-1);
    await timed("kubeadm join", () =>
      second.must(
        `${command} --control-plane --certificate-key ${key} --apiserver-advertise-address ${second.address} --ignore-preflight-errors=SystemVerification`,
      ),
    );
    await claviger(second, "init");
    expect(await secret(second, "before")).toBe("before");
    await second.must("kubectl create secret generic second --from-literal=text=second");
    expect(await secret(first, "second")).toBe("second");
    await expectEveryOneEncrypted();
  });

  it("init --undo on both nodes => every Secret is plain and readable, and nothing of claviger is left", async () => {
    expect((await first.sh(`${CLAVIGER} init --undo --forget`)).stderr).toContain(
      "still write under claviger: cp-2",
    );
    expect((await second.sh(`${CLAVIGER} init --undo --forget`)).stderr).toContain(
      "still has claviger's entry: cp-1",
    );
    await timed("the last undo of the first node", () => claviger(first, "init --undo --forget"));
    await timed("the last undo of the second node", () => claviger(second, "init --undo --forget"));
    for (const node of [first, second]) {
      for (const name of ["before", "second"]) expect(await secret(node, name)).toBe(name);
      const left = await node.sh(
        // kubeadm upgrade keeps copies of former manifests in tmp.
        "ls -d /etc/claviger /var/lib/claviger /run/claviger /etc/kubernetes/enc /etc/tmpfiles.d/claviger.conf; grep -rl --exclude-dir=tmp claviger /etc/kubernetes",
      );
      expect(left.stdout).toBe("");
    }
    await eventually(
      "no pod of claviger is left",
      async () => !(await cluster.kubectl("get pods -A")).includes("claviger"),
    );
    expect(
      await cluster.kubectl("get crd,clusterrole,clusterrolebinding,ns,validatingadmissionpolicy -o name"),
    ).not.toContain("claviger");
    expect(await cluster.kubectl("-n kube-system get cm kubeadm-config -o yaml")).not.toContain("claviger");
  });
});
