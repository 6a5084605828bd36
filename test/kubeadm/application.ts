import { join } from "node:path";
import { manifests } from "../cluster/manifests.ts";
import { ROOT } from "../docs/markdown.ts";
import type { KubeadmCluster } from "./cluster.ts";

const SHOP = "shop";
const SERVICE = "claviger-api.claviger-system.svc";
/** Without kube-proxy no Service has an address: the application goes to the port of the pods behind it. */
export const ENDPOINT = `https://${SERVICE}:8443`;
export const CA = "claviger-ca";

/** The section `aws` of docs/aws.md, with one worker. */
export const AWS = `
aws:
  listen: 0.0.0.0:8443
  tls: { cert: /etc/claviger-tls/tls.crt, key: /etc/claviger-tls/tls.key }
  kubeconfig: /etc/claviger/api.kubeconfig
  sessions: { key: claviger-system/aws-sessions }
  workers: 1
`;

/** The application: the AWS SDK as its authors ship it, with nothing but the environment. */
const PROGRAM = `
import { DecryptCommand, EncryptCommand, KMSClient } from "@aws-sdk/client-kms";
const client = new KMSClient({});
const EncryptionContext = { order: "1" };
const sealed = await client.send(
  new EncryptCommand({ KeyId: "alias/orders", Plaintext: Buffer.from("paid"), EncryptionContext }),
);
const { CiphertextBlob } = sealed;
const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
console.log(sealed.KeyId, Buffer.from(opened.Plaintext).toString());
`;

const object = (apiVersion: string, kind: string, name: string, more: object) => ({
  ...{ apiVersion, kind, metadata: { namespace: SHOP, name } },
  ...more,
});
const kms = (kind: string, name: string, spec: object) =>
  object("kms.claviger.dev/v1alpha1", kind, name, { spec });
const RBAC = "rbac.authorization.k8s.io";

/** The application's namespace: its key, its ServiceAccount and what that may do. */
const objects = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: SHOP } },
  {
    ...kms("MasterKey", "aws-sessions", {}),
    metadata: { namespace: "claviger-system", name: "aws-sessions" },
  },
  kms("MasterKey", "orders", {}),
  kms("KeyAlias", "orders", { masterKey: "orders" }),
  {
    ...{ apiVersion: "v1", kind: "ServiceAccount" },
    metadata: { namespace: SHOP, name: "web", labels: { "kms.claviger.dev/aws": "true" } },
  },
  object(`${RBAC}/v1`, "Role", "orders", {
    rules: [
      {
        ...{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys"], resourceNames: ["orders"] },
        verbs: ["encrypt", "decrypt"],
      },
    ],
  }),
  object(`${RBAC}/v1`, "RoleBinding", "orders", {
    roleRef: { apiGroup: RBAC, kind: "Role", name: "orders" },
    subjects: [{ kind: "ServiceAccount", namespace: SHOP, name: "web" }],
  }),
];

/** Creates the application's objects, and the API's certificate as a Secret and for the application. */
export async function prepareApplication({ kubectl, node }: KubeadmCluster): Promise<void> {
  await node.must(
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${SERVICE} \
       -addext subjectAltName=DNS:${SERVICE} -keyout /root/tls.key -out /root/tls.crt 2> /dev/null`,
  );
  await kubectl("apply -f -", manifests(...objects));
  await kubectl(
    "-n claviger-system create secret tls claviger-api-tls --cert=/root/tls.crt --key=/root/tls.key",
  );
  await kubectl(`-n ${SHOP} create configmap ${CA} --from-file=ca.crt=/root/tls.crt`);
  const ready = "wait --for=condition=Ready --timeout=200s";
  await kubectl(`${ready} -n claviger-system mk/aws-sessions`);
  await kubectl(`${ready} -n ${SHOP} mk/orders keyalias/orders`);
}

/**
 * Runs the application in a pod of its own, which has no right, no secret and no variable of its own: the program of
 * the image is Node.js, and the packages are the node's folder. Returns what it printed.
 */
export async function runApplication({ kubectl }: KubeadmCluster): Promise<string> {
  const slices = `-n claviger-system get endpointslices -l kubernetes.io/service-name=claviger-api`;
  const ip = await kubectl(
    `${slices} -o jsonpath='{.items[*].endpoints[?(@.conditions.ready)].addresses[0]}'`,
  );
  const container = {
    ...{ name: "app", image: "claviger:0.1.0", imagePullPolicy: "Never", workingDir: "/app" },
    command: ["node", "--input-type=module", "--eval", PROGRAM],
    volumeMounts: [{ name: "packages", mountPath: "/app/node_modules", readOnly: true }],
  };
  const pod = object("v1", "Pod", "web", {
    spec: {
      ...{ serviceAccountName: "web", automountServiceAccountToken: false, restartPolicy: "Never" },
      securityContext: { runAsNonRoot: true, runAsUser: 1000 },
      // There is no DNS either.
      hostAliases: [{ ip, hostnames: [SERVICE] }],
      tolerations: [{ operator: "Exists" }],
      containers: [container],
      volumes: [{ name: "packages", hostPath: { path: join(ROOT, "node_modules"), type: "Directory" } }],
    },
  });
  await kubectl("create -f -", manifests(pod));
  const ended = "jsonpath='{.status.containerStatuses[0].state.terminated.reason}'";
  await kubectl(`-n ${SHOP} wait --for=${ended} --timeout=300s pod/web`);
  return kubectl(`-n ${SHOP} logs web`);
}
