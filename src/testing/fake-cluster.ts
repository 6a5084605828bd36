import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { FLAGS } from "../install/kubeadm/cluster-configuration.ts";
import { PATHS } from "../install/paths.ts";
import type { Run, Site } from "../install/site.ts";
import { KubeError } from "../kube/kube-error.ts";
import type { KubeRequest } from "../kube/request.ts";
import { fileRootKey } from "../seal/file-root-key.ts";

const CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";
const KMS = "/apis/kms.claviger.dev/v1alpha1";
const PODS = "/api/v1/namespaces/kube-system/pods";
const KEY = `${KMS}/namespaces/claviger-system/masterkeys/secrets`;
const DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/masterkeys.kms.claviger.dev";
const CLUSTER = `apiServer: {}
apiVersion: kubeadm.k8s.io/v1beta4
controlPlaneEndpoint: lb.example:6443
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
`;

type Stored = Record<string, unknown> & { metadata: Record<string, unknown> };

/**
 * A cluster of kubeadm in memory, as far as an installation sees it: the API server keeps objects by their
 * paths, and each node's operator and API server follow the node's files at once.
 */
export class FakeCluster {
  readonly objects = new Map<string, Stored>();
  readonly nodes: FakeNode[] = [];
  /** The Secrets that are stored under claviger. */
  encrypted = 0;

  constructor() {
    this.objects.set(CONFIG_MAP, { metadata: {}, data: { ClusterConfiguration: CLUSTER } });
  }

  get clusterConfiguration(): string {
    return (this.objects.get(CONFIG_MAP) as unknown as { data: { ClusterConfiguration: string } }).data
      .ClusterConfiguration;
  }

  addNode(root: string, name: string): FakeNode {
    const node = new FakeNode(this, root, name);
    this.nodes.push(node);
    return node;
  }

  request = async (call: KubeRequest): Promise<unknown> => {
    const { pathname } = new URL(call.path, "https://api");
    switch (call.method) {
      case "GET":
        return this.#get(pathname);
      case "DELETE":
        if (!this.objects.delete(pathname)) throw new KubeError(404, `${pathname} is not there`);
        if (pathname === DEFINITION) this.#dropAll(KMS);
        return {};
      case "PATCH":
        return this.#patch(pathname, call);
      default:
        throw new Error(`${call.method} is not known here`);
    }
  };

  apply = async ({ path, object }: { readonly path: string; readonly object: object }): Promise<unknown> => {
    if (path.startsWith(KMS) && !this.objects.has(DEFINITION))
      throw new KubeError(404, `${path} is not there`);
    const { metadata, ...rest } = object as Stored;
    const status = path.includes("/customresourcedefinitions/")
      ? { status: { conditions: [{ type: "Established", status: "True" }] } }
      : {};
    const stored = { ...rest, metadata: { ...metadata, uid: path }, ...status };
    this.objects.set(path, stored);
    return stored;
  };

  #patch(path: string, { query, body }: KubeRequest): unknown {
    if (query?.dryRun === "All") {
      const { metadata, ...rest } = body as Stored;
      return { ...rest, metadata: { ...metadata, uid: path } };
    }
    if (path !== CONFIG_MAP) return this.#rewrite();
    const [test, replace] = body as readonly { readonly value: string }[];
    if (test?.value !== this.clusterConfiguration) throw new KubeError(422, "the test failed");
    this.objects.set(CONFIG_MAP, { metadata: {}, data: { ClusterConfiguration: replace?.value } });
    return {};
  }

  /** Somebody writes a Secret back. */
  #rewrite(): object {
    this.encrypted = this.nodes.some((node) => node.writes) ? this.encrypted : 0;
    return {};
  }

  #get(path: string): unknown {
    const object = this.objects.get(path) ?? this.#made(path);
    if (object === undefined) throw new KubeError(404, `${path} is not there`);
    return object;
  }

  /** What others than the installation keep in the API server. */
  #made(path: string): unknown {
    const node = this.nodes.find(({ name }) => path === `${KMS}/keyservers/${name}`);
    if (node !== undefined) return node.keyServer();
    const served = this.nodes.find(({ name }) => path === `${PODS}/claviger-api-${name}`);
    if (served !== undefined) return served.apiPod();
    switch (path) {
      case "/version":
        return { minor: "37" };
      case "/api/v1/secrets":
        return { items: [{ metadata: { namespace: "default", name: "one" } }] };
      case "/api/v1/nodes":
        return { items: this.nodes.map(({ name }) => ({ metadata: { name } })) };
      case "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases":
        return { items: this.nodes.map((each) => each.lease()) };
      case `${KMS}/keyservers`:
        return { items: this.nodes.flatMap((each) => each.keyServer() ?? []) };
      case `${KMS}/masterkeys`:
        return { items: this.#keys() };
      default:
        return undefined;
    }
  }

  #keys(): unknown[] {
    const key = this.objects.get(KEY);
    if (key === undefined) return [];
    const used = this.nodes.some((node) => node.loaded);
    const conditions = [
      { type: "Ready", status: "True", reason: "VersionCurrent", message: "" },
      { type: "InUse", status: used ? "True" : "False", reason: "", message: "" },
    ];
    return [{ ...key, status: { conditions } }];
  }

  #dropAll(prefix: string): void {
    for (const path of this.objects.keys()) if (path.startsWith(prefix)) this.objects.delete(path);
  }
}

/** A node of it. Its files are real, below `root`. */
export class FakeNode {
  readonly name: string;
  readonly root: string;
  readonly #cluster: FakeCluster;

  constructor(cluster: FakeCluster, root: string, name: string) {
    this.#cluster = cluster;
    this.root = root;
    this.name = name;
    mkdirSync(join(root, PATHS.manifests), { recursive: true });
    writeFileSync(join(root, PATHS.apiServer), MANIFEST);
  }

  get site(): Site {
    return {
      root: this.root,
      nodeName: this.name,
      run: this.#run,
      kube: { request: this.#cluster.request, apply: this.#cluster.apply },
      count: async () => ({
        objects: 1,
        unlisted: 0,
        rows:
          this.#cluster.encrypted === 0
            ? []
            : [
                {
                  resource: "secrets",
                  stored: { kind: "kms-v2", provider: "secrets", keyId: "id" },
                  objects: this.#cluster.encrypted,
                  examples: [],
                },
              ],
      }),
      signal: new AbortController().signal,
    };
  }

  text(path: string): string | undefined {
    const place = join(this.root, path);
    return existsSync(place) ? readFileSync(place, "utf8") : undefined;
  }

  /** True if its API server has an EncryptionConfiguration with claviger's entry. */
  get loaded(): boolean {
    const flagged = this.text(PATHS.apiServer)?.includes("--encryption-provider-config=") === true;
    return flagged && this.#encryption.includes("kms:");
  }

  get reads(): boolean {
    return this.loaded && this.#runs;
  }

  /** True if its API server writes Secrets under claviger. */
  get writes(): boolean {
    const text = this.#encryption;
    const rule = text.slice(text.indexOf("[secrets]"));
    return this.loaded && rule.indexOf("kms:") < rule.indexOf("identity:");
  }

  get #encryption(): string {
    return this.text(PATHS.encryptionConfig) ?? "";
  }

  /** True if plugin and operator can run: the kubelet starts them as soon as all of their files are there. */
  get #runs(): boolean {
    const needed = [PATHS.rootKey, PATHS.config, PATHS.kubeconfig];
    const served = this.systemctl.at(-1)?.startsWith("enable") === true;
    const pods = [`${PATHS.manifests}/claviger-plugin.yaml`, `${PATHS.manifests}/claviger-operator.yaml`];
    return [...needed, ...(served ? [] : pods)].every((path) => existsSync(join(this.root, path)));
  }

  lease(): unknown {
    return { metadata: { name: `apiserver-${this.name}`, labels: { "kubernetes.io/hostname": this.name } } };
  }

  /** The kubelet's mirror pod of the AWS KMS API. */
  apiPod(): unknown {
    const runs = existsSync(join(this.root, PATHS.manifests, "claviger-api.yaml"));
    return runs ? { status: { conditions: [{ type: "Ready", status: "True" }] } } : undefined;
  }

  keyServer(): unknown {
    if (!this.#runs || !this.#cluster.objects.has(DEFINITION)) return undefined;
    const has = this.#cluster.objects.has(KEY);
    const entries = this.#encryption.includes("kms:") ? 1 : 0;
    return {
      metadata: { name: this.name },
      status: {
        seal: { provider: "file", rootKeyId: fileRootKey(join(this.root, PATHS.rootKey)).identify(true) },
        apiServer: {
          id: `apiserver-${this.name}`,
          encryptionConfig: this.loaded ? "Loaded" : "NotConfigured",
        },
        providers: [
          {
            name: "secrets",
            socket: "/var/run/claviger/secrets.sock",
            serves: "claviger-system/secrets",
            ...(has && { version: 1 }),
            entries,
            ...(entries > 0 && { reads: ["secrets"], resources: this.writes ? ["secrets"] : [] }),
            ...(this.loaded ? {} : { notAskedSince: "2026-11-30T12:00:00Z" }),
          },
        ],
      },
    };
  }

  /** The calls of systemctl, but for those that only ask. */
  readonly systemctl: string[] = [];

  readonly #run: Run = async (command, args) => {
    if (command === "systemctl") {
      const active = this.systemctl.at(-1)?.startsWith("enable") === true;
      if (args[0] !== "is-active") this.systemctl.push(args.join(" "));
      return { code: args[0] === "is-active" && !active ? 3 : 0, stdout: "", stderr: "" };
    }
    const config = readFileSync(args[args.indexOf("--config") + 1] ?? "", "utf8");
    const [cluster, init] = parseAllDocuments(config).map((document) => document.toJS());
    const local = `${init.localAPIEndpoint.advertiseAddress}:${init.localAPIEndpoint.bindPort}`;
    return { code: 0, stdout: `    server: https://${cluster.controlPlaneEndpoint ?? local}\n`, stderr: "" };
  };
}

const MANIFEST = `apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.0.0.1
    - --etcd-servers=https://127.0.0.1:2379
    - --secure-port=6443
    volumeMounts:
    - mountPath: /etc/ssl/certs
      name: ca-certs
      readOnly: true
  volumes:
  - hostPath:
      path: /etc/ssl/certs
      type: DirectoryOrCreate
    name: ca-certs
`;

export const ALL_FLAGS = Object.entries(FLAGS).map(([name, value]) => `--${name}=${value}`);
