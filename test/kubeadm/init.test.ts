import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { clavigerArchive } from "./claviger-image.ts";
import { type KubeadmCluster, kubeadmParts, startKubeadmCluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";

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
  const claviger = (node: Machine, args: string) => node.must(`${CLAVIGER} ${args}`);
  const secret = async (node: Machine, name: string) =>
    await node.must(`kubectl get secret ${name} -o jsonpath={.data.text} | base64 -d`);
  const put = (name: string) => cluster.kubectl(`create secret generic ${name} --from-literal=text=${name}`);
  /** Returns the ways in which Secrets are stored in etcd. */
  const storedAs = async (): Promise<string[]> => {
    const { rows } = JSON.parse(await claviger(first, "census --all -o json"));
    return rows.flatMap((row: Row) => (row.resource === "secrets" ? [row.stored.kind] : []));
  };

  beforeAll(async () => {
    if (parts === undefined) throw new Error("there are no parts");
    cluster = await startKubeadmCluster(parts);
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
    const started = performance.now();
    await claviger(first, "init --wait");
    console.log(`init --wait: ${Math.round((performance.now() - started) / 1000)} s`);
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

  it("join, then kubeadm join => claviger serves the new node's API server from its start", async () => {
    second = await cluster.addMachine();
    await second.must(`ctr -n k8s.io images import ${await clavigerArchive()}`);
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
    const started = performance.now();
    await second.must(
      `${command} --control-plane --certificate-key ${uploaded.trim().split("\n").at(-1)} --apiserver-advertise-address ${second.address} --ignore-preflight-errors=SystemVerification`,
    );
    console.log(`kubeadm join: ${Math.round((performance.now() - started) / 1000)} s`);
    await claviger(second, "init");
    expect(await secret(second, "before")).toBe("before");
    await second.must("kubectl create secret generic second --from-literal=text=second");
    expect(await secret(first, "second")).toBe("second");
    expect(await storedAs()).toEqual(["kms-v2"]);
  });

  it("init --undo on both nodes => every Secret is plain and readable, and nothing of claviger is left", async () => {
    const started = performance.now();
    expect((await first.sh(`${CLAVIGER} init --undo --forget`)).stderr).toContain(
      "still write under claviger: cp-2",
    );
    expect((await second.sh(`${CLAVIGER} init --undo --forget`)).stderr).toContain(
      "still has claviger's entry: cp-1",
    );
    await claviger(first, "init --undo --forget");
    await claviger(second, "init --undo --forget");
    console.log(`undo: ${Math.round((performance.now() - started) / 1000)} s`);
    for (const node of [first, second]) {
      for (const name of ["before", "second"]) expect(await secret(node, name)).toBe(name);
      const left = await node.sh(
        "ls -d /etc/claviger /var/lib/claviger /run/claviger /etc/kubernetes/enc /etc/tmpfiles.d/claviger.conf; grep -rl claviger /etc/kubernetes",
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
