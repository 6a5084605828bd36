import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { run } from "../controlplane/run.ts";
import { prometheusPrograms } from "./programs.ts";
import { RULES, rules } from "./rules.ts";

const programs = await prometheusPrograms();

/** One alert on made-up series of a sample a minute, from time 0 on. */
interface Case {
  readonly alert: string;
  readonly series: Readonly<Record<string, string>>;
  /** The last minute at which it is silent, and the first at which it fires. */
  readonly silent: number;
  readonly fires: number;
  /** The minute at which it is silent again. */
  readonly over?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly description: string;
}

const node = { instance: "node-1:9440" };
const api = { instance: "node-1:9442" };
const ofApi = 'instance="node-1:9442"';
const key = { namespace: "apps", name: "secrets" };
const ofKey = 'namespace="apps",name="secrets"';
const DAY = 1440;

const cases: readonly Case[] = [
  {
    alert: "ClavigerProcessIsDown",
    series: {
      'up{job="claviger-system/claviger-plugin",instance="node-1:9440"}': "1 1 0x10",
      'up{job="claviger-operator",instance="node-1:9441"}': "1x20",
      'up{job="another",instance="node-1:9100"}': "0x20",
    },
    silent: 3,
    fires: 4,
    labels: { job: "claviger-system/claviger-plugin", ...node },
    description:
      "claviger-system/claviger-plugin on node-1:9440 has not answered Prometheus for two minutes. Without its plugin the API server cannot read encrypted objects after its next restart.",
  },
  {
    alert: "ClavigerMetricsAreMissing",
    series: {
      'claviger_kms_provider_serving{provider="secrets",key_id="a"}': "1 1 1 stale",
      claviger_operator_leading: "1x30",
    },
    silent: 12,
    fires: 13,
    description:
      "Prometheus has no metrics of any plugin, or of any operator, so no other alert of claviger can fire.",
  },
  {
    alert: "ClavigerProviderServesNothing",
    series: {
      'claviger_kms_provider_serving{instance="node-1:9440",provider="secrets",key_id=""}': "0x5",
      'claviger_kms_provider_serving{instance="node-1:9440",provider="other",key_id="a"}': "1x5",
    },
    silent: 0,
    fires: 1,
    labels: { ...node, provider: "secrets" },
    description:
      "The plugin on node-1:9440 has no usable key for provider secrets: its API server can neither write nor, after a restart, read what this provider encrypts.",
  },
  {
    alert: "ClavigerAPIServerDoesNotUseClaviger",
    series: { 'claviger_kms_api_server_silent{instance="node-1:9440",provider="secrets"}': "0 1 1 1" },
    silent: 1,
    fires: 2,
    labels: { ...node, provider: "secrets" },
    description:
      "No API server has asked provider secrets on node-1:9440 for its Status for three minutes: it is down, or it runs without claviger and may store objects plain.",
  },
  {
    alert: "ClavigerAPIServerIsNotInStep",
    series: {
      'claviger_api_server_in_step{instance="node-1:9441",node="node-2"}': "1 0x10",
      'claviger_api_server_in_step{instance="node-2:9441",node="node-2"}': "1 0x10",
    },
    silent: 5,
    fires: 6,
    labels: { node: "node-2" },
    description:
      "The API server of node node-2 does not use the EncryptionConfiguration that is on its disk, or does not ask the plugin: it may store objects plain or under another key.",
  },
  {
    alert: "ClavigerNodesServeDifferentKeyIds",
    series: {
      'claviger_kms_provider_serving{instance="node-1:9440",provider="secrets",key_id="a"}': "1x20",
      'claviger_kms_provider_serving{instance="node-2:9440",provider="secrets",key_id="a"}': "1 stale",
      'claviger_kms_provider_serving{instance="node-2:9440",provider="secrets",key_id="b"}': "_ 1x20",
    },
    silent: 10,
    fires: 11,
    labels: { provider: "secrets" },
    description:
      "Provider secrets serves 2 key_ids on different nodes for ten minutes. A rotation takes seconds: a node does not follow, or its configuration names another key.",
  },
  {
    alert: "ClavigerDecryptFails",
    series: {
      'claviger_kms_failures_total{instance="node-1:9440",provider="secrets",operation="Decrypt"}':
        "0 0 1 1x20",
      'claviger_kms_failures_total{instance="node-1:9440",provider="secrets",operation="Status"}': "0+1x20",
    },
    silent: 1,
    fires: 2,
    over: 8,
    labels: { ...node, provider: "secrets" },
    description:
      "The plugin on node-1:9440 refused Decrypts of provider secrets within the last five minutes: there are objects that its API server cannot read.",
  },
  {
    alert: "ClavigerNobodyLeads",
    series: {
      'claviger_operator_leading{instance="node-1:9441"}': "1 1 stale",
      'claviger_operator_leading{instance="node-2:9441"}': "0 0 stale",
    },
    silent: 3,
    fires: 4,
    description:
      "0 operators lead. Plugins continue to serve; no key is created, rotated, re-encrypted or destroyed until exactly one operator leads.",
  },
  {
    alert: "ClavigerNodeIsNotReady",
    series: {
      'claviger_key_servers{ready="Unknown",reason="NodeNotHeardOf"}': "1x20",
      'claviger_key_servers{ready="True",reason="InStep"}': "2x20",
    },
    silent: 4,
    fires: 5,
    labels: { reason: "NodeNotHeardOf" },
    description:
      "1 KeyServers are not Ready, with the reason NodeNotHeardOf. Rotations may wait for these nodes.",
  },
  {
    alert: "ClavigerClientCertificateExpires",
    series: {
      'claviger_client_certificate_expiry_timestamp_seconds{instance="a:9441",file="/etc/claviger/kubeconfig"}': `${30 * 86400 + 60}x10`,
    },
    silent: 1,
    fires: 2,
    labels: { instance: "a:9441", file: "/etc/claviger/kubeconfig" },
    description:
      "The client certificate in /etc/claviger/kubeconfig on a:9441 expires in 29d 23h 59m 0s, or has expired. Then the API server or etcd refuses it: this node's operator stops, or nothing is re-encrypted or counted. Encrypted objects can be read all the time.",
  },
  {
    alert: "ClavigerKeyIsNotReady",
    series: {
      'claviger_master_keys{ready="False",reason="WaitingForNodes"}': "3x20",
      'claviger_master_keys{ready="False",reason="Disabled"}': "3x20",
      'claviger_master_keys{ready="False",reason="PendingDeletion"}': "3x20",
    },
    silent: 4,
    fires: 5,
    labels: { reason: "WaitingForNodes" },
    description:
      "3 MasterKeys are not Ready, with the reason WaitingForNodes. Keys that somebody disabled or deleted are not counted.",
  },
  {
    alert: "ClavigerRotationIsOverdueOrBlocked",
    series: { [`claviger_key_rotation_on_time{${ofKey}}`]: "1 0x10" },
    silent: 5,
    fires: 6,
    labels: key,
    description:
      "MasterKey apps/secrets should have rotated, or cannot begin to: its condition RotationOnTime says why.",
  },
  {
    alert: "ClavigerRotationTakesMoreThanADay",
    series: { [`claviger_key_rotation_running_since_timestamp_seconds{${ofKey}}`]: "0x1500" },
    silent: DAY,
    fires: DAY + 1,
    labels: key,
    description: "The rotation of MasterKey apps/secrets began 1d 0h 1m 0s ago and is not finished.",
  },
  {
    alert: "ClavigerObjectsCouldNotBeWrittenAgain",
    series: { [`claviger_key_reencryption_objects_failed{${ofKey}}`]: "0 7x10" },
    silent: 5,
    fires: 6,
    labels: key,
    description:
      "7 objects under MasterKey apps/secrets could not be written again under its current version: the API server refused the writes.",
  },
  {
    alert: "ClavigerStoredDataIsNotProvenToBeEncrypted",
    series: { [`claviger_key_reencrypted{${ofKey}}`]: "0x400" },
    silent: 359,
    fires: 360,
    labels: key,
    description:
      "For six hours it has not been proven that all objects under MasterKey apps/secrets are encrypted under its current version: its condition Reencrypted says why.",
  },
  {
    alert: "ClavigerObjectsUnderAProvenKeyAreStoredOtherwise",
    series: { [`claviger_key_strays_found_timestamp_seconds{${ofKey}}`]: "_ 60x1500" },
    silent: 0,
    fires: 1,
    over: DAY + 1,
    labels: key,
    description:
      "A census found objects of MasterKey apps/secrets plain or under another key_id, after an earlier census had found none: something wrote them past claviger.",
  },
  {
    alert: "ClavigerWhatIsStoredWasNotCountedForADay",
    series: { [`claviger_key_census_timestamp_seconds{${ofKey}}`]: "0x1500" },
    silent: DAY,
    fires: DAY + 1,
    labels: key,
    description:
      "The last census of the objects under MasterKey apps/secrets was 1d 0h 1m 0s ago: nobody would notice objects that are stored otherwise.",
  },
  {
    alert: "ClavigerImportedMaterialExpires",
    series: {
      [`claviger_key_material_expiry_timestamp_seconds{${ofKey},version="3"}`]: `${30 * 86400 + 60}x10`,
    },
    silent: 1,
    fires: 2,
    labels: { ...key, version: "3" },
    description:
      "The material of version 3 of MasterKey apps/secrets expires in 29d 23h 59m 0s. Afterwards nothing under this version can be read until the same material is imported again.",
  },
  {
    alert: "ClavigerImportedMaterialExpiresWithinThreeDays",
    series: {
      [`claviger_key_material_expiry_timestamp_seconds{${ofKey},version="3"}`]: `${3 * 86400 + 60}x10`,
    },
    silent: 1,
    fires: 2,
    labels: { ...key, version: "3" },
    description:
      "The material of version 3 of MasterKey apps/secrets expires in 2d 23h 59m 0s, or has expired. Afterwards nothing under this version can be read until the same material is imported again.",
  },
  {
    alert: "ClavigerKeyIsDestroyedWithinThreeDays",
    series: { [`claviger_key_deletion_timestamp_seconds{${ofKey}}`]: `${3 * 86400 + 60}x10` },
    silent: 1,
    fires: 2,
    labels: key,
    description:
      "MasterKey apps/secrets is pending deletion and may be destroyed in 2d 23h 59m 0s. Nothing under it can be read afterwards. This is the last time to cancel.",
  },
  {
    alert: "ClavigerAWSAPIIsDown",
    series: {
      'up{job="claviger-system/claviger-api",instance="node-1:9442"}': "1 1 0x10",
      'up{job="claviger-operator",instance="node-1:9441"}': "1x20",
    },
    silent: 3,
    fires: 4,
    labels: { job: "claviger-system/claviger-api", ...api },
    description:
      "claviger-system/claviger-api on node-1:9442 has not answered Prometheus for two minutes. Applications that reach no other node cannot use their keys; API servers do not need it.",
  },
  {
    alert: "ClavigerAWSAPIIsNotReady",
    series: {
      [`claviger_aws_worker_ready{${ofApi},worker="0"}`]: "1x20",
      [`claviger_aws_worker_ready{${ofApi},worker="1"}`]: "1 0x10",
    },
    silent: 2,
    fires: 3,
    labels: { ...api, worker: "1" },
    description:
      "Worker 1 of the AWS KMS API on node-1:9442 does not run, is stuck, cannot read the keyring, or waits for the node's operator to record all keys and grants. Workers that are ready answer, and other nodes.",
  },
  {
    alert: "ClavigerAWSAPIFails",
    series: {
      [`claviger_aws_requests_total{${ofApi},result="ok"}`]: "0+10x20",
      [`claviger_aws_requests_total{${ofApi},result="failed"}`]: "0 0 0+1x20",
    },
    silent: 6,
    fires: 7,
    labels: api,
    description:
      "9.091% of the requests to the AWS KMS API on node-1:9442 failed within five minutes, through no fault of their callers.",
  },
  {
    alert: "ClavigerAWSAPIShedsLoad",
    series: {
      [`claviger_aws_requests_total{${ofApi},result="ok"}`]: "0+10x20",
      [`claviger_aws_shed_total{${ofApi},reason="load"}`]: "0 0 0+1x20",
    },
    silent: 7,
    fires: 8,
    labels: api,
    description:
      "The AWS KMS API on node-1:9442 has sent requests away for minutes, because more came than it can answer. Applications wait and retry.",
  },
  {
    alert: "ClavigerAWSAPICannotAskTheAPIServer",
    series: {
      [`claviger_aws_api_server_question_duration_seconds_count{${ofApi},question="TokenReview",outcome="failed"}`]:
        "0 0 0+1x20",
      [`claviger_aws_api_server_question_duration_seconds_count{${ofApi},question="TokenReview",outcome="answered"}`]:
        "0+1x20",
    },
    silent: 5,
    fires: 6,
    labels: api,
    description:
      "The AWS KMS API on node-1:9442 could not ask the API server who may do what, or whose a token is. What no KeyGrant allows is refused, and no pod gets a new session.",
  },
  {
    alert: "ClavigerAWSAPICannotWriteTheAuditLog",
    series: {
      [`claviger_aws_audit_write_duration_seconds_count{${ofApi},outcome="failed"}`]: "0 0 0+1x20",
      [`claviger_aws_audit_write_duration_seconds_count{${ofApi},outcome="written"}`]: "0+1x20",
    },
    silent: 3,
    fires: 4,
    labels: api,
    description:
      "The AWS KMS API on node-1:9442 could not write records to the audit log. It refuses every call meanwhile, or answers without records if audit.unavailable is continue.",
  },
  {
    alert: "ClavigerAWSAPIDoesNotFollowTheKeyring",
    series: { [`claviger_aws_worker_follows_keyring{${ofApi},worker="0"}`]: "1 0x10" },
    silent: 2,
    fires: 3,
    labels: { ...api, worker: "0" },
    description:
      "Worker 0 of the AWS KMS API on node-1:9442 cannot read keyring.db. It answers from memory: keys that are disabled and grants that are revoked still count there.",
  },
  {
    alert: "ClavigerAWSAPICertificateExpires",
    series: {
      [`claviger_aws_certificate_expiry_timestamp_seconds{${ofApi}}`]: `${14 * 86400 + 60}x10`,
    },
    silent: 1,
    fires: 2,
    labels: api,
    description:
      "The certificate of the AWS KMS API on node-1:9442 expires in 13d 23h 59m 0s, or has expired. Then every application refuses to connect.",
  },
];

/** Returns a test file of promtool for one alert. */
function promtoolTest({ alert, series, silent, fires, over, labels, description }: Case): object {
  const rule = rules.find((one) => one.alert === alert);
  const alerting = {
    exp_labels: { ...rule?.labels, ...labels },
    exp_annotations: { ...rule?.annotations, description },
  };
  const at = (minute: number, exp_alerts: readonly object[]) => ({
    eval_time: `${minute}m`,
    alertname: alert,
    exp_alerts,
  });
  return {
    rule_files: [RULES],
    evaluation_interval: "1m",
    tests: [
      {
        interval: "1m",
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [
          at(silent, []),
          at(fires, [alerting]),
          ...(over === undefined ? [] : [at(over, [])]),
        ],
      },
    ],
  };
}

it("each alert has a case, and each case an alert", () => {
  expect(cases.map(({ alert }) => alert)).toEqual(rules.map(({ alert }) => alert));
});

describe.skipIf(programs === undefined)("the alerts on made-up series", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-alerts-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const promtool = (...args: string[]) => run(programs?.promtool ?? "", args, { cwd: folder });

  it("promtool accepts the rule file", async () => {
    const { code, stdout, stderr } = await promtool("check", "rules", RULES);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  it.each(cases)("$alert is silent at minute $silent and fires at minute $fires", async (one) => {
    const file = join(folder, `${one.alert}.yaml`);
    await writeFile(file, stringify(promtoolTest(one)));
    const { code, stdout, stderr } = await promtool("test", "rules", file);
    expect(code, `${stdout}${stderr}`).toBe(0);
  });
});
