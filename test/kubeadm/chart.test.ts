import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { helmBinary } from "../controlplane/helm.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT } from "../docs/markdown.ts";
import { AWS, CA, ENDPOINT, prepareApplication, runApplication } from "./application.ts";
import { clavigerArchive } from "./claviger-image.ts";
import { type KubeadmCluster, kubeadmParts, startKubeadmCluster } from "./cluster.ts";

const parts = await kubeadmParts();
const helm = await helmBinary();

const CHART = join(ROOT, "charts", "claviger");
const CLAVIGER = `${process.execPath} ${join(ROOT, "bin", "claviger.js")}`;
const LONG = { deadline: 300_000, every: 1_000 };

/** The chart's pods, which only a kubelet runs. */
describe.skipIf(parts === undefined || helm === undefined)("the chart on a cluster of kubeadm", () => {
  let cluster: KubeadmCluster;

  beforeAll(async () => {
    if (parts === undefined || helm === undefined) throw new Error("there are no parts");
    cluster = await startKubeadmCluster({ ...parts, path: [...parts.path, dirname(helm)] });
    await cluster.node.must(`ctr -n k8s.io images import ${await clavigerArchive()}`);
    await cluster.node.must("install -d -m 700 /etc/claviger");
    const config = await readFile(join(ROOT, "deploy", "claviger.yaml"), "utf8");
    await cluster.node.must("umask 077; cat > /etc/claviger/claviger.yaml", `${config}${AWS}`);
    await cluster.node.must(`${CLAVIGER} init`);
    await cluster.kubectl("create secret generic one --from-literal=text=first");
  });
  afterAll(() => cluster?.stop());

  const release = (command: string, args = "") =>
    cluster.node.must(`helm ${command} claviger ${args} --namespace claviger-system`);
  const isReady = async () =>
    (await cluster.kubectl(
      "get ks -o jsonpath='{.items[*].status.conditions[?(@.type==\"Ready\")].status}'",
    )) === "True";
  const pods = () => cluster.kubectl("get pods -A -l app.kubernetes.io/component=operator -o name");
  const leader = () =>
    cluster.kubectl("get lease -n claviger-system claviger-operator -o jsonpath='{.spec.renewTime}'");

  it("the operator's DaemonSet takes over from its static pod, and reports and leads", async () => {
    await cluster.node.must("rm /etc/kubernetes/manifests/claviger-operator.yaml");
    await eventually("the static pod is gone", async () => (await pods()) === "", LONG);
    await release(
      "upgrade --install",
      `${CHART} --set operator.enabled=true --take-ownership --force-conflicts --wait --timeout 5m`,
    );
    expect(await pods()).toMatch(/^pod\/claviger-operator-\w+\n$/);
    const renewed = await leader();
    await eventually("it leads", async () => (await leader()) !== renewed, LONG);
    await eventually("it reports", isReady, LONG);
  });

  it("a key that is applied afterwards becomes Ready", async () => {
    const key = {
      ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind: "MasterKey" },
      metadata: { namespace: "claviger-system", name: "second" },
    };
    await cluster.kubectl("apply -f -", JSON.stringify(key));
    await cluster.kubectl("wait --for=condition=Ready --timeout=200s -n claviger-system mk/second");
  });

  it("a pod with a labelled ServiceAccount and no secret encrypts and decrypts by the AWS SDK, through the API's DaemonSet", async () => {
    await prepareApplication(cluster);
    const values = `api.tls.secret=claviger-api-tls,api.podEnvironment.caConfigMap=${CA},api.podEnvironment.endpoint=${ENDPOINT}`;
    await release(
      "upgrade",
      `${CHART} --reuse-values --set api.enabled=true,${values} --wait --timeout 5m --take-ownership --force-conflicts`,
    );
    expect(await runApplication(cluster)).toMatch(
      /^arn:aws:kms:us-local-1:\d{12}:key\/[0-9a-f-]{36} paid\n$/,
    );
  });

  it("helm test runs claviger doctor, which finds no error", async () => {
    const shown = await release("test", "--logs --timeout 5m");
    expect(shown).toMatch(/Phase:\s+Succeeded/);
    expect(shown).toMatch(/^(0 errors|.*checks were made)/m);
  });

  it("uninstalled: the operator is gone, every Secret can be read and written, and the keys are there", async () => {
    const before = await cluster.kubectl("get mk,kv -A -o jsonpath='{.items[*].metadata.uid}'");
    await release("uninstall", "--wait");
    await eventually("the operator is gone", async () => (await pods()) === "", LONG);
    expect(await cluster.kubectl("get mk,kv -A -o jsonpath='{.items[*].metadata.uid}'")).toBe(before);
    expect(await cluster.kubectl("get secret one -o jsonpath='{.data.text}'")).toBe(
      Buffer.from("first").toString("base64"),
    );
    await cluster.kubectl("create secret generic two --from-literal=text=second");
  });

  it("init --api => the API runs as a static pod, with the certificate in the node's folder", async () => {
    const config = "/etc/claviger/claviger.yaml";
    await cluster.node.must(`install -m 600 /root/tls.crt /root/tls.key /etc/claviger`);
    await cluster.node.must(`sed -i s:/etc/claviger-tls/:/etc/claviger/:g ${config}`);
    expect(await cluster.node.must(`${CLAVIGER} init --api`)).toContain("claviger-api.yaml is there");
    const pod = `-n kube-system get pod claviger-api-${cluster.node.name}`;
    expect(await cluster.kubectl(`${pod} -o jsonpath='{.status.containerStatuses[0].ready}'`)).toBe("true");
  });
});
