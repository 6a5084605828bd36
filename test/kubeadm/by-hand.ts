import { resolve } from "node:path";
import { eventually } from "../controlplane/wait.ts";
import { CLAVIGER, clavigerArchive } from "./claviger-image.ts";
import type { KubeadmCluster } from "./cluster.ts";
import { processOf } from "./containers.ts";
import type { Machine } from "./machine.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const CONFIG = "--config /etc/claviger/claviger.yaml";

/** Runs a claviger command in the operator's pod of a node, and returns what it printed. */
export const claviger = ({ kubectl }: KubeadmCluster, node: Machine, command: string): Promise<string> =>
  kubectl(`-n kube-system exec claviger-operator-${node.name} -- claviger ${command} ${CONFIG}`);

/** Runs a claviger command of this checkout with the cluster admin's kubeconfig, as on a workstation. */
export const clavigerAsAdmin = ({ node }: KubeadmCluster, command: string): Promise<string> =>
  node.must(`${process.execPath} ${REPOSITORY}/bin/claviger.js ${command}`);

/** Imports claviger's image, built from the Dockerfile, into a machine's containerd. */
async function importImage(node: Machine): Promise<void> {
  await node.must(`ctr -n k8s.io images import ${await clavigerArchive()} > /dev/null`);
  await node.must(`ctr -n k8s.io images ls -q | grep -x ${CLAVIGER}`);
}

/** Installs claviger on the first node of a cluster, by hand, until its key is Ready. */
export async function installByHand(cluster: KubeadmCluster): Promise<void> {
  const { node, kubectl } = cluster;
  await importImage(node);
  await node.must("umask 077; mkdir -p /etc/claviger; head -c 32 /dev/urandom > /etc/claviger/root.key");
  await kubectl(
    `apply -f ${REPOSITORY}/crds -f ${REPOSITORY}/deploy/rbac.yaml -f ${REPOSITORY}/deploy/rewriter.yaml`,
  );
  await kubectl(`apply -f ${REPOSITORY}/deploy/admission.yaml`);
  await kubectl(`wait --for=condition=Established --timeout=120s -f ${REPOSITORY}/crds`);
  await writeFolders(node);
  await writeIdentities(node);
  await startPods(node);
  await eventually(
    "the node has a KeyServer",
    async () => (await node.sh(`kubectl get ks ${node.name}`)).code === 0,
  );
  await kubectl(`apply -f ${REPOSITORY}/examples/keys`);
  await kubectl(`wait --for=condition=Ready --timeout=300s -f ${REPOSITORY}/examples/keys`);
}

/** Creates the folders of a node, now and at every boot, with the two configurations. */
async function writeFolders(node: Machine): Promise<void> {
  await node.must("install -d -m 700 /etc/claviger /var/lib/claviger /etc/kubernetes/enc");
  await node.must("echo 'd /run/claviger 0700 root root -' > /etc/tmpfiles.d/claviger.conf");
  await node.must("systemd-tmpfiles --create claviger.conf");
  await node.must("umask 077; cat > /etc/kubernetes/enc/enc.yaml", ENCRYPTION);
  await node.must(`umask 077; cat ${REPOSITORY}/deploy/claviger.yaml > /etc/claviger/claviger.yaml`);
}

/** Makes the kubeconfigs of a node's operator and rewriter. */
async function writeIdentities(node: Machine): Promise<void> {
  const user = (name: string, group: string) =>
    `kubeadm kubeconfig user --client-name claviger-${name}:${node.name} --org claviger:${group}`;
  await node.must(`umask 077; ${user("node", "nodes")} > /etc/claviger/kubeconfig`);
  await node.must(`umask 077; ${user("rewriter", "rewriters")} > /etc/claviger/rewriter.kubeconfig`);
}

/** Copies the static pods of deploy/ into the kubelet's folder. */
async function startPods(node: Machine): Promise<void> {
  await node.must("mkdir -p /etc/kubernetes/manifests");
  for (const name of ["plugin", "operator"]) {
    await node.must(
      `cp ${REPOSITORY}/deploy/static-pod-${name}.yaml /etc/kubernetes/manifests/claviger-${name}.yaml`,
    );
  }
}

const ENCRYPTION = `
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: ["*.kms.claviger.dev"]
    providers:
      - identity: {}
  - resources: [secrets]
    providers:
      - kms: { apiVersion: v2, name: secrets, endpoint: "unix:///var/run/claviger/secrets.sock", timeout: 3s }
      - identity: {}
`;

/** The API server's part of kubeadm's ClusterConfiguration that makes it use the EncryptionConfiguration. */
const API_SERVER = `apiServer:
  extraArgs:
    - { name: encryption-provider-config, value: /etc/kubernetes/enc/enc.yaml }
  extraVolumes:
    - { name: enc, hostPath: /etc/kubernetes/enc, mountPath: /etc/kubernetes/enc, readOnly: true, pathType: Directory }
    - { name: claviger, hostPath: /var/run/claviger, mountPath: /var/run/claviger, pathType: Directory }`;

/**
 * Gives the API server the EncryptionConfiguration by kubeadm's own means, the ConfigMap kubeadm-config, so that
 * an upgrade keeps it. Resolves when the new API server is ready.
 */
export async function encryptByKubeadm({ node, kubectl }: KubeadmCluster): Promise<void> {
  const before = await kubectl(
    "-n kube-system get cm kubeadm-config -o jsonpath={.data.ClusterConfiguration}",
  );
  const after = before.replace(/^apiServer: \{\}$/m, API_SERVER);
  if (after === before) throw new Error(`kubeadm-config has another apiServer:\n${before}`);
  await node.must("cat > /etc/kubernetes/cluster.yaml", after);
  await node.must(
    "kubectl -n kube-system create cm kubeadm-config --from-file=ClusterConfiguration=/etc/kubernetes/cluster.yaml --dry-run=client -o yaml | kubectl replace -f -",
  );
  const local = `apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nlocalAPIEndpoint: { advertiseAddress: ${node.address} }\n`;
  await node.must("cat > /etc/kubernetes/api-server.yaml", `${after}\n---\n${local}`);
  await node.must("kubeadm init phase control-plane apiserver --config /etc/kubernetes/api-server.yaml");
  await eventually("the API server asks claviger, and is ready", async () => {
    return (await node.sh("kubectl get --raw /readyz/kms-providers && kubectl get --raw /readyz")).code === 0;
  });
}

/** Gives a static pod of a node another image, as an upgrade does: by an edit of its file. */
export async function changeImage(node: Machine, pod: "plugin" | "operator", image: string): Promise<void> {
  await node.must(`ctr -n k8s.io images tag --force ${CLAVIGER} docker.io/library/${image} > /dev/null`);
  const file = `/etc/kubernetes/manifests/claviger-${pod}.yaml`;
  // Written beside it and renamed: the kubelet may read a file that is only half written.
  await node.must(
    `sed 's|image: .*|image: ${image}|' ${file} > /etc/kubernetes/edited.yaml && mv /etc/kubernetes/edited.yaml ${file}`,
  );
}

/**
 * Upgrades the plugin without the kubelet's pause between two static pods of one name: a second pod with another
 * name and image stands by, then the file of the first one is removed.
 */
export async function handOver(node: Machine, image: string): Promise<void> {
  await node.must(`ctr -n k8s.io images tag --force ${CLAVIGER} docker.io/library/${image} > /dev/null`);
  const folder = "/etc/kubernetes/manifests";
  await node.must(
    `sed -e 's|^  name: claviger-plugin$|  name: claviger-plugin-b|' -e 's|image: .*|image: ${image}|' ${folder}/claviger-plugin.yaml > /etc/kubernetes/edited.yaml && mv /etc/kubernetes/edited.yaml ${folder}/claviger-plugin-b.yaml`,
  );
  await logs(node, "claviger-plugin-b", STANDS_BY);
  await node.must(`rm ${folder}/claviger-plugin.yaml`);
  await eventually("the first plugin's pod is gone", async () => {
    const { stdout } = await node.sh("kubectl -n kube-system get pods -o name");
    return stdout.includes("claviger-plugin-b") && !stdout.includes(`claviger-plugin-${node.name}`);
  });
}

const STANDS_BY = "standby: another claviger plugin serves /var/run/claviger/secrets.sock";

/** Resolves when a static pod of a node has logged a text. */
const logs = (node: Machine, pod: string, text: string): Promise<boolean> =>
  eventually(`${pod} logs: ${text}`, async () => {
    const { stdout } = await node.sh(`kubectl -n kube-system logs ${pod}-${node.name}`);
    return stdout.includes(text);
  });

/** Starts the plugin's pod of deploy/ again beside the second one of `handOver`. Resolves when it stands by. */
export async function standBeside(node: Machine): Promise<void> {
  await node.must(
    "cd /etc/kubernetes/manifests && sed 's/claviger-plugin-b$/claviger-plugin/' claviger-plugin-b.yaml > ../edited.yaml && mv ../edited.yaml claviger-plugin.yaml",
  );
  await logs(node, "claviger-plugin", STANDS_BY);
}

/** Kills the second plugin. Resolves when the one that stood by serves. */
export async function crash(node: Machine, second: string | undefined): Promise<void> {
  await node.must(`kill -9 ${second}`);
  await logs(node, "claviger-plugin", "provider secrets listens");
}

/** Stops a static pod of a node by moving its file away; the kubelet ends its container. Resolves when it has ended. */
export async function stopPod(node: Machine, pod: "plugin" | "operator"): Promise<void> {
  await node.must(`mv /etc/kubernetes/manifests/claviger-${pod}.yaml /etc/kubernetes/`);
  await eventually(`the ${pod} has ended`, async () => (await processOf(node, pod)) === undefined, {
    deadline: 300_000,
  });
}

/** Starts a static pod again that `stopPod` stopped. */
export async function startPod(node: Machine, pod: "plugin" | "operator"): Promise<void> {
  await node.must(`mv /etc/kubernetes/claviger-${pod}.yaml /etc/kubernetes/manifests/`);
  await eventually(`the ${pod} runs`, async () => (await processOf(node, pod)) !== undefined, {
    deadline: 300_000,
  });
}

/** Runs a claviger command in a container of its own, without kubelet or API server. */
export const clavigerWithoutPod = (node: Machine, command: string): Promise<string> =>
  node.must(
    `ctr -n k8s.io run --rm --mount type=bind,src=/etc/claviger,dst=/etc/claviger,options=rbind:ro \
      --mount type=bind,src=/var/lib/claviger,dst=/var/lib/claviger,options=rbind:rw \
      --mount type=bind,src=/opt/backup,dst=/opt/backup,options=rbind:ro \
      ${CLAVIGER} claviger-by-hand prlimit --core=1 claviger ${command} ${CONFIG}`,
  );
