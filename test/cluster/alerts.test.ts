import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rows } from "../../scripts/dashboard-panels.ts";
import { type Drawn, drawDashboard } from "../../scripts/draw-dashboard.ts";
import { objectPath } from "../../src/kube/paths.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { freeAddress } from "../../src/testing/free-address.ts";
import { prometheusPrograms } from "../alerts/programs.ts";
import { rules } from "../alerts/rules.ts";
import { PrometheusServer, type Series } from "../alerts/server.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { freePort } from "../controlplane/ports.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT } from "../docs/markdown.ts";
import { KmsTestClient } from "../standalone/kms.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import { DoomedApi } from "./doomed-api.ts";
import { claviger, encryptionRules, identity, kms, manifests } from "./manifests.ts";
import type { NodeMetrics } from "./node.ts";
import { withShortCertificate } from "./short-certificate.ts";
import { createSecrets } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const programs = await prometheusPrograms();

const LONG = { deadline: 400_000, every: 500 };
const DAY = 86_400;

/** Each alert is provoked on a real cluster that a real Prometheus scrapes. */
describe.skipIf(binaries === undefined || programs === undefined)("the alerts on a cluster", () => {
  let folder: string;
  let prometheus: PrometheusServer;
  let cluster: Cluster;
  let begun: number;
  /** The address of the metrics of the AWS KMS API. */
  let ofApi: string;
  let api: DoomedApi | undefined;
  const fired = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-alerts-"));
    const metrics = [await addresses(), await addresses()];
    ofApi = await freeAddress();
    begun = Date.now() / 1000;
    prometheus = await PrometheusServer.start(programs ?? { prometheus: "", promtool: "" }, folder, {
      plugin: metrics.map(({ listen }) => listen),
      operator: metrics.map(({ operatorListen }) => operatorListen),
      api: [ofApi],
    });
    await fires("ClavigerProcessIsDown");
    await fires("ClavigerMetricsAreMissing");
    await fires("ClavigerAWSAPIIsDown");
    await fires("ClavigerNobodyLeads");
    cluster = await startCluster({
      nodes: 2,
      metrics,
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: "5", CLAVIGER_TEST_SILENCE_SECONDS: "120" },
      providers: {
        secrets: { key: "claviger-system/secrets" },
        other: { key: "claviger-system/left" },
        spare: { key: "claviger-system/spare" },
      },
      encryption: ({ name, socket }) =>
        encryptionRules({ resources: ["secrets"], providers: [kms(name, socket), identity] }),
      censusIntervalMinutes: 1,
      rewriterKubeconfig: (kubeconfig) => withShortCertificate(kubeconfig, 20),
    });
  });
  afterAll(async () => {
    await api?.stop();
    await cluster?.stop();
    await prometheus?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const node = (number: number) => at(cluster.nodes, number);
  const server = (number: number) => at(cluster.plane.apiServers, number);
  const apply = (...objects: readonly object[]) =>
    cluster.kubectl(["apply", "-f", "-"], manifests(...objects));
  const status = async (name: string) =>
    (await cluster.read<MasterKey>(objectPath("MasterKey", { namespace: "claviger-system", name }))).status;
  const isProven = async () => (await status("secrets"))?.reencryption?.verified === true;

  /** Waits until Prometheus has an alert with these labels firing. */
  const fires = async (alert: string, labels: Series["metric"] = {}) => {
    const wanted = Object.entries({ ...labels, alertname: alert });
    await eventually(
      `${alert} fires`,
      async () =>
        (await prometheus.firing()).some((found) => wanted.every(([name, value]) => found[name] === value)),
      LONG,
    );
    fired.add(alert);
  };
  const isOver = (alert: string, labels: Series["metric"] = {}) =>
    eventually(
      `${alert} is over`,
      async () =>
        !(await prometheus.firing()).some(
          (found) =>
            found.alertname === alert &&
            Object.entries(labels).every(([name, value]) => found[name] === value),
        ),
      LONG,
    );
  /** Waits until an alert's expression is true at a later time if nothing changes, and not now. */
  const firesLater = async (alert: string, seconds: number, labels: Series["metric"]) => {
    const { expr } = rules.find((rule) => rule.alert === alert) ?? { expr: "" };
    await eventually(
      `${alert} fires after ${seconds} seconds`,
      async () => {
        const found = await prometheus.query(expr, seconds);
        return found.some(({ metric }) =>
          Object.entries(labels).every(([name, value]) => metric[name] === value),
        );
      },
      LONG,
    );
    expect((await prometheus.firing()).map(({ alertname }) => alertname)).not.toContain(alert);
    fired.add(alert);
  };

  it("no process, no metrics, no leader: over once both nodes run", async () => {
    await isOver("ClavigerProcessIsDown");
    await isOver("ClavigerMetricsAreMissing");
    await isOver("ClavigerNobodyLeads");
  });

  it("a client certificate that expires within 30 days is told of, with its file", async () => {
    await fires("ClavigerClientCertificateExpires");
    const [alert] = (await prometheus.firing()).filter(
      ({ alertname }) => alertname === "ClavigerClientCertificateExpires",
    );
    expect(alert?.file).toMatch(/rewriter.*\.kubeconfig$/);
  });

  it("a provider without its key serves nothing, and its node is not Ready", async () => {
    await fires("ClavigerProviderServesNothing", { provider: "secrets" });
    await fires("ClavigerNodeIsNotReady", { reason: "ProviderWithoutKey" });
    const rotates = { rotation: { enabled: true, periodInDays: 90 } };
    await apply(
      ...["left", "spare"].map((name) => claviger("MasterKey", name)),
      claviger("MasterKey", "right", rotates),
    );
    await applyKey(cluster);
    await isOver("ClavigerProviderServesNothing");
    await isOver("ClavigerNodeIsNotReady");
  });

  it("an EXTERNAL key without material is not Ready; material that expires within 30 days is told of", async () => {
    await apply(claviger("MasterKey", "external", { origin: "EXTERNAL" }));
    await fires("ClavigerKeyIsNotReady", { reason: "PendingImport" });
    const material = join(folder, "material.bin");
    await writeFile(material, randomBytes(32));
    const expires = new Date(Date.now() + 10 * DAY * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    const kubeconfig = await server(1).kubeconfig();
    const imported = await run(process.execPath, [
      ...[join(ROOT, "bin", "claviger.js"), "import", "claviger-system/external"],
      ...["--material", material, "--expires", expires, "--kubeconfig", kubeconfig],
    ]);
    expect(imported, imported.stderr).toMatchObject({ code: 0 });
    await fires("ClavigerImportedMaterialExpires", { name: "external", version: "1" });
    await firesLater("ClavigerImportedMaterialExpiresWithinThreeDays", 8 * DAY, { name: "external" });
    await isOver("ClavigerKeyIsNotReady", { reason: "PendingImport" });
  });

  it("a certificate of the AWS KMS API that expires within 14 days is told of", async () => {
    const kubeconfig = await server(1).kubeconfig();
    api = await DoomedApi.start({ node: node(1), folder, metrics: ofApi, kubeconfig });
    await isOver("ClavigerAWSAPIIsDown");
    await fires("ClavigerAWSAPICertificateExpires", { instance: ofApi });
    for (let round = 1; round <= 3; round += 1) {
      expect(await api.send("GenerateRandom", { NumberOfBytes: 32 })).toBe(200);
      expect(await api.send("DescribeKey", { KeyId: "alias/claviger-system/none" })).toBe(400);
      await eventually(`Prometheus has round ${round}`, async () => {
        const [refused] = await prometheus.query('claviger_aws_requests_total{result="refused"}');
        return refused?.values.some(([, value]) => value >= round);
      });
    }
  });

  it("a rotation whose window never comes is blocked", async () => {
    const rotation = {
      ...{ enabled: true, periodInDays: 90 },
      window: { schedule: "0 2 30 2 *", timeZone: "UTC", durationMinutes: 60 },
    };
    await apply(claviger("MasterKey", "left", { rotation }));
    await fires("ClavigerRotationIsOverdueOrBlocked", { namespace: "claviger-system", name: "left" });
  });

  it("a key that is pending deletion is told of three days before", async () => {
    await apply(claviger("MasterKey", "old"));
    await eventually("it has a version", async () => (await status("old"))?.currentVersion);
    await apply(claviger("MasterKey", "old", { deletion: { pendingWindowInDays: 7 } }));
    await firesLater("ClavigerKeyIsDestroyedWithinThreeDays", 5 * DAY, { name: "old" });
  });

  it("a Decrypt that fails fires at the first failure, for its provider alone", async () => {
    using client = new KmsTestClient(node(1).socket("secrets"));
    const sealed = await client.encrypt(randomBytes(32));
    const altered = Buffer.from(sealed.ciphertext);
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    await expect(client.decrypt({ ...sealed, ciphertext: altered })).rejects.toThrow(/not valid/);
    await fires("ClavigerDecryptFails", { provider: "secrets" });
    const firing = await prometheus.firing();
    expect(firing.filter(({ alertname }) => alertname === "ClavigerDecryptFails")).toHaveLength(1);
  });

  it("a census of long ago, and an object that somebody wrote past claviger", async () => {
    await createSecrets(server(1), 20);
    await eventually("everything is proven", isProven, LONG);
    await firesLater("ClavigerWhatIsStoredWasNotCountedForADay", DAY + 600, { name: "secrets" });
    const stray = {
      ...{ kind: "Secret", apiVersion: "v1", type: "Opaque", data: {} },
      metadata: {
        ...{ name: "stray", namespace: "default", uid: "11111111-2222-4333-8444-555555555555" },
        creationTimestamp: "2026-01-01T00:00:00Z",
      },
    };
    await cluster.plane.etcd.put("/registry/secrets/default/stray", Buffer.from(JSON.stringify(stray)));
    await fires("ClavigerObjectsUnderAProvenKeyAreStoredOtherwise", { name: "secrets" });
  });

  it("an object that the API server refuses keeps a rotation from its end", async () => {
    await eventually("everything is proven", isProven, LONG);
    await apply(...refusesUpdatesOf("seed-7"));
    const requested = { rotation: { requestToken: "now" } };
    await apply(claviger("MasterKey", "secrets", requested));
    await fires("ClavigerObjectsCouldNotBeWrittenAgain", { name: "secrets" });
    await fires("ClavigerStoredDataIsNotProvenToBeEncrypted", { name: "secrets" });
    await firesLater("ClavigerRotationTakesMoreThanADay", DAY + 600, { name: "secrets" });
  });

  it("an edit of the EncryptionConfiguration that the API server refuses, because a provider of it does not answer", async () => {
    const edited = encryptionRules({
      resources: ["secrets"],
      providers: [kms("secrets", node(2).socket("secrets")), kms("dead", node(2).socket("dead")), identity],
    });
    await writeFile(node(2).encryptionConfigPath, edited);
    await fires("ClavigerAPIServerIsNotInStep", { node: "node-2" });
  });

  it("nodes whose configurations name different keys", async () => {
    const text = await readFile(node(2).configPath, "utf8");
    await writeFile(node(2).configPath, text.replace("claviger-system/left", "claviger-system/right"));
    await fires("ClavigerNodesServeDifferentKeyIds", { provider: "other" });
  });

  it("a provider that no API server has asked for minutes", async () => {
    await fires("ClavigerAPIServerDoesNotUseClaviger", { provider: "spare" });
  });

  it("an AWS KMS API that cannot write the audit log says so, and answers if it shall continue", async () => {
    await fires("ClavigerAWSAPICannotWriteTheAuditLog", { instance: ofApi });
  });

  it("an AWS KMS API whose API server does not answer fails, says so, and sheds what is too much", async () => {
    expect((await prometheus.firing()).map(({ alertname }) => alertname)).not.toContain(
      "ClavigerAWSAPIFails",
    );
    api?.hangReviews();
    await Promise.all(Array.from({ length: 300 }, () => api?.send("ListAliases")));
    await fires("ClavigerAWSAPIFails", { instance: ofApi });
    await fires("ClavigerAWSAPICannotAskTheAPIServer", { instance: ofApi });
    await fires("ClavigerAWSAPIShedsLoad", { instance: ofApi });
  });

  it("an AWS KMS API that has lost its keyring does not follow, and is not ready", async () => {
    await api?.loseKeyring();
    await fires("ClavigerAWSAPIDoesNotFollowTheKeyring", { worker: "0" });
    await fires("ClavigerAWSAPIIsNotReady", { worker: "0" });
  });

  it("every alert has fired", () => {
    expect([...fired].sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  it("every panel of the dashboard shows something of this run", async () => {
    const ended = Date.now() / 1000;
    const step = Math.max(2, Math.ceil((ended - begun) / 150));
    const panels = rows.flatMap((row) => row.panels);
    const drawn: Drawn[] = [];
    for (const panel of panels) {
      const expr = panel.expr.replaceAll("$__rate_interval", "30s");
      drawn.push({ panel, series: await prometheus.range(expr, begun, ended, step) });
    }
    const empty = drawn.filter(({ series }) => series.length === 0).map(({ panel }) => panel.title);
    expect(empty).toEqual([]);
    const picture = drawDashboard(drawn, { begun, ended });
    expect(picture).toContain("</svg>");
    const wanted = process.env.CLAVIGER_DASHBOARD_PICTURE;
    if (wanted !== undefined) await writeFile(wanted, picture);
  });
});

async function addresses(): Promise<NodeMetrics> {
  return {
    listen: `127.0.0.1:${await freePort()}`,
    operatorListen: `127.0.0.1:${await freePort()}`,
  };
}

function at<T>(list: readonly T[], number: number): T {
  const found = list[number - 1];
  if (found === undefined) throw new Error(`there is no number ${number}`);
  return found;
}

/** A policy by which the API server refuses every update of a Secret of this name. */
const refusesUpdatesOf = (name: string) => [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "refuses-updates" },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["secrets"] },
        ],
      },
      validations: [{ expression: `object.metadata.name != "${name}"`, message: "nobody updates it" }],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "refuses-updates" },
    spec: { policyName: "refuses-updates", validationActions: ["Deny"] },
  },
];
