import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { type Rule, rules } from "../alerts/rules.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import type { ControlPlane } from "../controlplane/controlplane.ts";
import { createHelm, type Helm, helmBinary } from "../controlplane/helm.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, CRDS, startCluster } from "./cluster.ts";

const binaries = await controlPlaneBinaries();
const helmPath = await helmBinary();

const ROOT = join(import.meta.dirname, "..", "..");
const CHART = join(ROOT, "charts", "claviger");
/** The chart before it could bring pods, metrics and the dashboard. */
const FORMER_CHART = join(ROOT, "test", "upgrade", "chart-without-pods.tgz");
const OTHERS_CRDS = ["prometheus-operator", "cert-manager"].map((name) =>
  join(ROOT, "test", "cluster", name),
);
/** Every switch that is off by default. */
const ALL_ON = [
  ...[
    "storageVersionMigration",
    "roles",
    "alerts",
    "operator",
    "api",
    "podMonitor",
    "dashboard",
    "networkPolicy",
  ].map((switched) => `--set=${switched}.enabled=true`),
  "--set=image.pullSecrets={registry},podMonitor.labels.release=prometheus,api.tls.certManager.issuerRef.name=ca,dashboard.annotations.folder=Security",
];
const RELEASE = "claviger";
const IN_OWN_NAMESPACE = ["--namespace=claviger-system"];
const KEEP = { "helm.sh/resource-policy": "keep" };

interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly rules?: unknown;
  readonly spec?: Readonly<Record<string, unknown>> & {
    readonly groups?: readonly { readonly rules: readonly Rule[] }[];
  };
}

const manifests = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document): Manifest | null => document.toJS())
    .filter((manifest) => manifest !== null);

const deployed = async (...names: string[]): Promise<Manifest[]> => {
  const texts = await Promise.all(names.map((name) => readFile(join(ROOT, "deploy", name), "utf8")));
  return texts.flatMap(manifests);
};

const crds = async (): Promise<Manifest[]> => {
  const names = await readdir(CRDS);
  const texts = await Promise.all(names.map((name) => readFile(join(CRDS, name), "utf8")));
  return texts.flatMap(manifests);
};

/** Marks a manifest that outlives the release, as the chart does. */
const kept = (manifest: Manifest): Manifest =>
  ["CustomResourceDefinition", "Namespace"].includes(manifest.kind)
    ? { ...manifest, metadata: { ...manifest.metadata, annotations: KEEP } }
    : manifest;

const id = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
const inOrder = (all: readonly Manifest[]): Manifest[] => all.toSorted((a, b) => id(a).localeCompare(id(b)));

/** Expects Helm's exit code 0, otherwise shows its output. */
async function succeeds(helm: Helm, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await helm(args);
  expect(code, `helm ${args.join(" ")}\n${stderr}${stdout}`).toBe(0);
  return stdout;
}

describe.skipIf(helmPath === undefined)("the chart", () => {
  let folder: string;
  let helm: Helm;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-"));
    helm = await createHelm(helmPath ?? "", folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const template = async (...args: string[]): Promise<Manifest[]> =>
    manifests(await succeeds(helm, "template", "claviger", CHART, "--skip-tests", ...args));
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await helm(["template", "claviger", CHART, ...args]);
    expect(code, stdout).not.toBe(0);
    return stderr;
  };
  const found = (all: readonly Manifest[], wanted: string): Manifest => {
    const manifest = all.find((one) => id(one) === wanted);
    if (manifest === undefined) throw new Error(`no ${wanted} among ${all.map(id).join(", ")}`);
    return manifest;
  };

  it("passes helm lint", async () => {
    expect(await succeeds(helm, "lint", "--strict", CHART)).toContain("0 chart(s) failed");
  });

  it("brings crds/ and deploy/{rbac,admission,rewriter}.yaml, object by object, and has the CRDs and the namespace kept", async () => {
    const expected = [...(await crds()), ...(await deployed("rbac.yaml", "admission.yaml", "rewriter.yaml"))];
    expect(inOrder(await template())).toEqual(inOrder(expected.map(kept)));
  });

  it("with all that is off by default => also deploy/{storage-version-migration,roles}.yaml and the alerts", async () => {
    const all = await template(
      "--set=storageVersionMigration.enabled=true,roles.enabled=true,alerts.enabled=true,alerts.labels.release=prometheus",
    );
    const expected = [
      ...(await crds()),
      ...(await deployed(
        "rbac.yaml",
        "admission.yaml",
        "rewriter.yaml",
        "storage-version-migration.yaml",
        "roles.yaml",
      )),
    ];
    const alerts = found(all, "PrometheusRule claviger");
    expect(inOrder(all.filter((one) => one !== alerts))).toEqual(inOrder(expected.map(kept)));
    expect(alerts.metadata).toMatchObject({ labels: { release: "prometheus" } });
    expect(alerts.spec).toEqual(parse(await readFile(join(ROOT, "deploy", "prometheus-rules.yaml"), "utf8")));
  });

  it("alerts.runbookUrl => the annotation runbook_url of every alert begins with it", async () => {
    const all = await template(
      "--set=alerts.enabled=true,alerts.runbookUrl=https://wiki.example.com/claviger/",
    );
    const urls = found(all, "PrometheusRule claviger").spec?.groups?.flatMap(({ rules }) =>
      rules.map(({ alert, annotations }) => [alert, annotations.runbook_url]),
    );
    expect(urls).toEqual(rules.map(({ alert }) => [alert, `https://wiki.example.com/claviger/${alert}.md`]));
  });

  it("operator.enabled => the operator's static pod as a DaemonSet of the control-plane nodes, without an identity of the API server", async () => {
    const all = await template(
      "--set=operator.enabled=true,image.repository=registry.example.com/claviger,image.tag=1.2.3",
    );
    const pod = parse(await readFile(join(ROOT, "deploy", "static-pod-operator.yaml"), "utf8"));
    const { priority: _, containers, ...rest } = pod.spec;
    expect(found(all, "DaemonSet claviger-operator").spec).toEqual({
      selector: { matchLabels: pod.metadata.labels },
      updateStrategy: { rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: pod.metadata.labels },
        spec: {
          ...rest,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          nodeSelector: { "node-role.kubernetes.io/control-plane": "" },
          tolerations: [{ operator: "Exists" }],
          containers: [{ ...containers[0], image: "registry.example.com/claviger:1.2.3" }],
        },
      },
    });
  });

  it("api.enabled => deploy/api.yaml, the API's static pod as a DaemonSet with the certificate of a Secret, and a Service", async () => {
    const all = await template("--set=api.enabled=true,api.tls.secret=claviger-api-tls");
    for (const right of await deployed("api.yaml")) expect(all).toContainEqual(right);
    const pod = parse(await readFile(join(ROOT, "deploy", "static-pod-api.yaml"), "utf8"));
    const { priority: _, containers, volumes, ...rest } = pod.spec;
    const tls = { name: "tls", mountPath: "/etc/claviger-tls", readOnly: true };
    const [api] = containers;
    expect(found(all, "DaemonSet claviger-api").spec).toMatchObject({
      template: {
        metadata: { labels: pod.metadata.labels },
        spec: {
          ...rest,
          automountServiceAccountToken: false,
          nodeSelector: { "node-role.kubernetes.io/control-plane": "" },
          containers: [{ ...api, volumeMounts: [...api.volumeMounts, tls] }],
          // Mode 0400.
          volumes: [
            ...volumes,
            { name: "tls", secret: { secretName: "claviger-api-tls", defaultMode: 256 } },
          ],
        },
      },
    });
    expect(found(all, "Service claviger-api").spec).toEqual({
      selector: pod.metadata.labels,
      ports: [{ name: "https", port: 443, targetPort: "https" }],
    });
  });

  it("api.enabled without a Secret => the static pod's own volumes, and a NetworkPolicy that lets applications in, and Prometheus if it is named", async () => {
    const scraper = "networkPolicy.scrapers[0].namespaceSelector.matchLabels.name=monitoring";
    const all = await template(`--set=api.enabled=true,networkPolicy.enabled=true,${scraper}`);
    const pod = parse(await readFile(join(ROOT, "deploy", "static-pod-api.yaml"), "utf8"));
    expect(found(all, "DaemonSet claviger-api").spec).toMatchObject({
      template: { spec: { volumes: pod.spec.volumes, containers: pod.spec.containers } },
    });
    expect(found(all, "NetworkPolicy claviger-api").spec).toEqual({
      podSelector: { matchLabels: pod.metadata.labels },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: [{ protocol: "TCP", port: 8443 }] },
        {
          ports: [{ protocol: "TCP", port: 9442 }],
          from: [{ namespaceSelector: { matchLabels: { name: "monitoring" } } }],
        },
      ],
    });
  });

  it("api.tls.certManager.issuerRef => a Certificate for the Service and further names, whose Secret the API has", async () => {
    const issuerRef =
      "api.tls.certManager.issuerRef.name=internal,api.tls.certManager.issuerRef.kind=ClusterIssuer";
    const all = await template(
      `--set=api.enabled=true,${issuerRef},api.tls.certManager.dnsNames={kms.example.com}`,
    );
    expect(found(all, "Certificate claviger-api").spec).toMatchObject({
      secretName: "claviger-api-tls",
      dnsNames: [
        "claviger-api.claviger-system.svc",
        "claviger-api.claviger-system.svc.cluster.local",
        "kms.example.com",
      ],
      issuerRef: { name: "internal", kind: "ClusterIssuer" },
    });
    expect(found(all, "DaemonSet claviger-api").spec).toMatchObject({
      template: {
        spec: {
          volumes: expect.arrayContaining([
            { name: "tls", secret: { secretName: "claviger-api-tls", defaultMode: 256 } },
          ]),
        },
      },
    });
    const named = await template(`--set=api.enabled=true,${issuerRef},api.tls.secret=own`);
    expect(found(named, "Certificate claviger-api").spec).toMatchObject({ secretName: "own" });
  });

  it("api.podEnvironment => deploy/pod-environment.yaml with the values, from Kubernetes 1.36 on", async () => {
    const on = ["--set=api.enabled=true", "--kube-version=1.36.0"];
    const policies = async (...args: string[]) =>
      (await template(...args)).filter(({ kind }) => kind.startsWith("MutatingAdmissionPolicy"));
    expect(inOrder(await policies(...on))).toEqual(inOrder(await deployed("pod-environment.yaml")));
    const values = "endpoint=https://kms.example.com:8443,account=123456789012,caConfigMap=trust";
    const [policy] = await policies(
      ...on,
      `--set-string=api.podEnvironment.${values.replaceAll(",", ",api.podEnvironment.")}`,
    );
    expect(policy?.spec?.variables).toEqual(
      expect.arrayContaining([
        { name: "endpoint", expression: "'https://kms.example.com:8443'" },
        { name: "account", expression: "'123456789012'" },
        { name: "caConfigMap", expression: "'trust'" },
      ]),
    );
    expect(await policies("--set=api.enabled=true", "--kube-version=1.35.4")).toEqual([]);
    expect(await policies(...on, "--set=api.podEnvironment.enabled=false")).toEqual([]);
  });

  it("helm test runs claviger doctor with the volumes of the operator, on a control-plane node", async () => {
    const all = manifests(
      await succeeds(helm, "template", "claviger", CHART, "--show-only=templates/tests/doctor.yaml"),
    );
    const pod = parse(await readFile(join(ROOT, "deploy", "static-pod-operator.yaml"), "utf8"));
    const doctor = found(all, "Pod claviger-doctor");
    expect(doctor.metadata.annotations).toMatchObject({ "helm.sh/hook": "test" });
    expect(doctor.spec).toMatchObject({
      restartPolicy: "Never",
      hostNetwork: true,
      volumes: pod.spec.volumes,
      containers: [{ args: ["doctor", "--config", "/etc/claviger/claviger.yaml"], image: "claviger:0.1.0" }],
    });
  });

  it("podMonitor.enabled => a job each for plugins, operators and APIs, whose alerts know it, with claviger's own label namespace", async () => {
    const all = await template("--set=podMonitor.enabled=true,podMonitor.ports.operator=9999");
    const monitors = all.filter(({ kind }) => kind === "PodMonitor");
    expect(monitors.map(({ metadata }) => metadata.name)).toEqual([
      "claviger-plugin",
      "claviger-operator",
      "claviger-api",
    ]);
    for (const [monitor, port, of] of [
      [monitors[0], 9440, "host_ip"],
      [monitors[1], 9999, "host_ip"],
      // The API's pod has a network of its own.
      [monitors[2], 9442, "ip"],
    ] as const) {
      const name = monitor?.metadata.name ?? "";
      expect(`claviger-system/${name}`).toMatch(/^(.+\/)?claviger-(plugin|operator|api)$/);
      expect(monitor?.spec).toMatchObject({
        namespaceSelector: { matchNames: ["kube-system", "claviger-system"] },
        selector: { matchLabels: { "app.kubernetes.io/component": name.replace("claviger-", "") } },
        podMetricsEndpoints: [
          {
            honorLabels: true,
            relabelings: expect.arrayContaining([
              expect.objectContaining({
                sourceLabels: [`__meta_kubernetes_pod_${of}`],
                replacement: `$1:${port}`,
              }),
            ]),
          },
        ],
      });
    }
  });

  it("dashboard.enabled => the dashboard in a ConfigMap that Grafana's sidecar finds", async () => {
    const all = await template("--set=dashboard.enabled=true,dashboard.namespace=monitoring");
    const map = found(all, "ConfigMap claviger-dashboard");
    expect(map.metadata).toMatchObject({ namespace: "monitoring", labels: { grafana_dashboard: "1" } });
    expect(JSON.parse(map.data?.["claviger.json"] ?? "")).toEqual(
      JSON.parse(await readFile(join(CHART, "files", "dashboard.json"), "utf8")),
    );
  });

  it("with all that is on by default off => the rights of deploy/rbac.yaml", async () => {
    const all = await template("--set=crds.enabled=false,admission.enabled=false,rewriter.enabled=false");
    expect(inOrder(all)).toEqual(inOrder((await deployed("rbac.yaml")).map(kept)));
  });

  it("a release in claviger-system => no namespace: it is there already", async () => {
    const all = await template("--namespace=claviger-system");
    expect(all.map(({ kind }) => kind)).not.toContain("Namespace");
    expect(all).toHaveLength((await template()).length - 1);
  });

  it("rewriter.resources => a rule for each, named as in an EncryptionConfiguration", async () => {
    const all = await template("--set=rewriter.resources={secrets,configmaps,widgets.shop.example.com}");
    const verbs = ["get", "list", "patch"];
    expect(found(all, "ClusterRole claviger-rewriter").rules).toEqual([
      { apiGroups: [""], resources: ["secrets"], verbs },
      { apiGroups: [""], resources: ["configmaps"], verbs },
      { apiGroups: ["shop.example.com"], resources: ["widgets"], verbs },
      { apiGroups: ["apiregistration.k8s.io"], resources: ["apiservices"], verbs: ["list"] },
      { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: ["get"] },
    ]);
  });

  it.each([
    ["an unknown value", "crd.enabled=false", /'crd' not allowed/],
    ["a switch that is no boolean", "crds.enabled=maybe", /\/crds\/enabled'?: got string, want boolean/],
    ["no resource to rewrite", "rewriter.resources=[]", /\/rewriter\/resources'?: minItems: got 0, want 1/],
    [
      "a wildcard of resources",
      'rewriter.resources=["*.*"]',
      /\/rewriter\/resources\/0'?: '\*\.\*' does not match pattern/,
    ],
    ["a resource with a group first", 'rewriter.resources=["apps/deployments"]', /does not match pattern/],
    ["a resource twice", 'rewriter.resources=["secrets","secrets"]', /items at 0 and 1 are equal/],
    [
      "a port that there is not",
      "podMonitor.ports.plugin=70000",
      /\/ports\/plugin'?: maximum: got 70,?000, want 65,?535/,
    ],
    ["an image with a command", "image.tag=latest --privileged", /\/image\/tag'?: .* does not match pattern/],
    [
      "a Secret with another name than a Secret's",
      "api.tls.secret=TLS",
      /\/api\/tls\/secret'?: .* does not match pattern/,
    ],
    [
      "an endpoint that would end a text of the policy",
      "api.podEnvironment.endpoint=https://a'+'",
      /\/api\/podEnvironment\/endpoint'?: .* does not match pattern/,
    ],
    [
      "an issuer without a name",
      "api.tls.certManager.issuerRef.kind=ClusterIssuer",
      /\/issuerRef'?: propert.* 'name' required/,
    ],
    ["an unknown toleration", 'operator.tolerations=[{"keys":"a"}]', /'keys' not allowed/],
    ["memory that is no quantity", "operator.resources.limits.memory=lots", /does not match pattern/],
    ["a folder of runbooks that is no address", "alerts.runbookUrl=wiki", /does not match pattern/],
    ["a label that is no text", "alerts.labels.a=1", /\/alerts\/labels\/a'?: got number, want string/],
  ])("%s => refused: %s", async (_, value, message) => {
    expect(await refused(...asJson(value))).toMatch(message);
  });

  it("admission on Kubernetes 1.29, which has none => refused, and accepted without", async () => {
    const old = ["--kube-version=1.29.3"];
    expect(await refused(...old)).toMatch(/admission\.enabled needs Kubernetes 1\.30 or newer/);
    expect(await template(...old, "--set=admission.enabled=false")).not.toEqual([]);
    expect(await refused("--kube-version=1.28.0")).toMatch(/requires kubeVersion/);
  });
});

/** Passes a value of --set unchanged if it is JSON, so that lists and numbers keep their types. */
function asJson(value: string): string[] {
  const text = value.slice(value.indexOf("=") + 1);
  return [/^[[\d]/.test(text) ? "--set-json" : "--set", value];
}

describe.skipIf(binaries === undefined || helmPath === undefined)("the chart on a cluster", () => {
  let cluster: Cluster;
  let helm: Helm;

  beforeAll(async () => {
    cluster = await startCluster({
      controllers: true,
      // As README.md says for an installation: Secrets, including Helm's own, work before the key exists.
      encryption: identityFirst,
      install: async (plane: ControlPlane) => {
        helm = await createHelm(
          helmPath ?? "",
          join(plane.dir, "helm"),
          await plane.apiServers[0]?.kubeconfig(),
        );
        const shown = await succeeds(
          helm,
          "install",
          RELEASE,
          FORMER_CHART,
          ...IN_OWN_NAMESPACE,
          "--create-namespace",
        );
        expect(shown).toContain("claviger itself is not");
      },
    });
  });
  afterAll(() => cluster?.stop());

  const kubectl = (...args: string[]) => cluster.kubectl(args);
  const upgrade = (...args: string[]) =>
    succeeds(helm, "upgrade", RELEASE, CHART, ...IN_OWN_NAMESPACE, ...args);
  const keys = () => kubectl("get", "mk,kv,ks", "-A", "-o", "jsonpath={.items[*].metadata.uid}");

  it("gives a node what it needs: a MasterKey becomes Ready", async () => {
    await applyKey(cluster);
    await eventually("its KeyServer says what it serves", async () => {
      const serving = await kubectl("get", "ks", "-o", "jsonpath={.items[*].status.serving}");
      return serving.includes("claviger-system/secrets v1");
    });
  });

  it("an upgrade from the former chart changes no key, and says which three commands come next", async () => {
    const before = await keys();
    const notes = await upgrade();
    for (const command of [
      "1. kubectl get ks",
      "2. kubectl apply",
      "3. helm test claviger --namespace claviger-system",
    ])
      expect(notes).toContain(command);
    expect(await keys()).toBe(before);
    await cluster.ready();
  });

  it("every object of every switch is valid for the API server, field by field, and for the Prometheus Operator's and cert-manager's schemas", async () => {
    const others = OTHERS_CRDS.flatMap((folder) => ["-f", folder]);
    await kubectl("apply", ...others);
    await kubectl("wait", "--for=condition=Established", "--timeout=60s", ...others);
    const text = await succeeds(helm, "template", RELEASE, CHART, ...IN_OWN_NAMESPACE, ...ALL_ON);
    const shown = await cluster.kubectl(
      ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"],
      text,
    );
    for (const object of [
      "prometheusrule.*/claviger ",
      "podmonitor.*/claviger-plugin ",
      "daemonset.*/claviger-operator ",
      "daemonset.*/claviger-api ",
      "service/claviger-api ",
      "networkpolicy.*/claviger-api ",
      "certificate.*/claviger-api ",
      "mutatingadmissionpolicy.*/pod-environment.*",
      "mutatingadmissionpolicybinding.*/pod-environment.*",
      "pod/claviger-doctor ",
      "networkpolicy.*/claviger-no-ingress ",
      "configmap/claviger-dashboard ",
    ])
      expect(shown).toMatch(new RegExp(`^${object}`, "m"));
  });

  it("everything on and rolled back: the operator comes and goes, and no key changes", async () => {
    const before = await keys();
    const objects =
      "daemonsets,services,certificates,podmonitors,prometheusrules,networkpolicies,configmaps/claviger-dashboard".split(
        ",",
      );
    const namesOf = (kind: string) =>
      kubectl("get", "-n", "claviger-system", kind, "-o", "name", "--ignore-not-found");
    await upgrade(...ALL_ON);
    for (const kind of objects) expect(await namesOf(kind), kind).toContain("claviger");
    await succeeds(helm, "rollback", RELEASE, "2", ...IN_OWN_NAMESPACE);
    for (const kind of objects) expect(await namesOf(kind), kind).toBe("");
    expect(await keys()).toBe(before);
    await cluster.ready();
  });

  it("an upgrade changes what values say and no key", async () => {
    const before = await keys();
    await upgrade("--set=rewriter.enabled=false,storageVersionMigration.enabled=true");
    const roles = await kubectl("get", "clusterroles", "-o", "name");
    expect(roles).not.toContain("claviger-rewriter");
    expect(roles).toContain("claviger-storage-version-migration");
    expect(await keys()).toBe(before);
  });

  it("an upgrade that turns the CRDs off leaves them", async () => {
    const before = await keys();
    await upgrade("--set=crds.enabled=false");
    expect(await keys()).toBe(before);
  });

  /** Expects the objects that an uninstallation keeps, and no others. */
  const expectUninstalled = async () => {
    expect(await kubectl("get", "-f", CRDS, "-o", "name")).toMatch(/^(customresource.*\n){5}$/);
    const phase = ["get", "namespace", "claviger-system", "-o", "jsonpath={.status.phase}"];
    expect(await kubectl(...phase)).toBe("Active");
    expect(await kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")).not.toContain(
      "/claviger-",
    );
    const policies = "validatingadmissionpolicies,mutatingadmissionpolicies";
    expect(await kubectl("get", policies, "-o", "name")).toBe("");
  };

  it("an uninstallation leaves CRDs, namespace and keys, and takes the rights", async () => {
    const before = await keys();
    await upgrade();
    await succeeds(helm, "uninstall", RELEASE, ...IN_OWN_NAMESPACE);
    expect(await keys()).toBe(before);
    await expectUninstalled();
    await cluster.ready();
  });

  it("an installation takes over what kubectl apply brought, in another namespace too, and leaves the same", async () => {
    const before = await keys();
    const deploy = ["rbac.yaml", "admission.yaml", "rewriter.yaml"].map((name) => join(ROOT, "deploy", name));
    await kubectl("apply", ...[CRDS, ...deploy].flatMap((path) => ["-f", path]));
    const release = ["claviger", CHART, "--namespace=kube-system"];
    const { code, stderr } = await helm(["upgrade", "--install", ...release]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/invalid ownership metadata/);
    await succeeds(helm, "upgrade", "--install", ...release, "--take-ownership", "--force-conflicts");
    expect(await keys()).toBe(before);
    await kubectl("wait", "--for=condition=Ready", "--timeout=110s", "ks", "--all");
    await succeeds(helm, "uninstall", "claviger", "--namespace=kube-system");
    expect(await keys()).toBe(before);
    await expectUninstalled();
  });
});

function identityFirst({ name, socket }: { readonly name: string; readonly socket: string }): string {
  const kms = { apiVersion: "v2", name, endpoint: `unix://${socket}`, timeout: "3s" };
  // JSON is YAML too.
  return JSON.stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: ["secrets"], providers: [{ identity: {} }, { kms }] }],
  });
}
