import { expect, test } from "vitest";
import { condition, keyServer, keyVersion, masterKey, statusWith } from "../testing/objects.ts";
import { loadOperatorMetrics } from "./metrics.ts";

test("the operator's metrics count keys and nodes by their Ready condition, and say who leads", async () => {
  const waiting = { conditions: [condition("Ready", { status: "False", reason: "WaitingForNodes" })] };
  const ready = {
    ...statusWith(keyVersion(1)),
    conditions: [condition("Ready", { reason: "VersionCurrent" })],
  };
  const view = {
    masterKeys: [masterKey({ status: ready }), masterKey({ status: waiting }), masterKey()],
    keyVersions: [keyVersion(1), keyVersion(2, { spec: { validTo: "2026-02-03T04:05:06Z" } })],
    keyAliases: [],
    keyServers: [keyServer("a", { conditions: [condition("Ready", { reason: "InStep" })] })],
    keyVersionsUpTo: "1",
    heardOf: new Map(),
  };
  const certificates = () => [{ path: "/etc/claviger/kubeconfig", expiresAt: 1_770_091_506_000 }];
  const counts = { failures: () => 3, conflicts: () => 4, waiting: () => 5, certificates };
  const render = await loadOperatorMetrics({ leading: () => true, view: () => view, ...counts });
  for (const text of [await render(), await render()]) {
    expect(text).toContain("claviger_operator_leading 1");
    expect(text).toContain("claviger_operator_failures_total 3");
    expect(text).toContain("claviger_operator_conflicts_total 4");
    expect(text).toContain("claviger_operator_queue_length 5");
    expect(text).toContain('claviger_master_keys{ready="True",reason="VersionCurrent"} 1');
    expect(text).toContain('claviger_master_keys{ready="False",reason="WaitingForNodes"} 1');
    expect(text).toContain('claviger_master_keys{ready="Unknown",reason="NoStatus"} 1');
    expect(text.match(/^claviger_key_material_expiry.+/gm)).toEqual([
      'claviger_key_material_expiry_timestamp_seconds{namespace="apps",name="secrets",version="2"} 1770091506',
    ]);
    expect(text.match(/^claviger_client_certificate.+/gm)).toEqual([
      'claviger_client_certificate_expiry_timestamp_seconds{file="/etc/claviger/kubeconfig"} 1770091506',
    ]);
    expect(text).toContain('claviger_key_servers{ready="True",reason="InStep"} 1');
  }
});

test("each key says when it rotates, whether it is late, and how far its data has followed", async () => {
  const status = {
    ...statusWith(keyVersion(2)),
    rotation: {
      nextRotationTime: "2026-04-01T00:00:00Z",
      running: { trigger: "Automatic", number: 2, startedAt: "2026-01-02T00:00:00Z", phase: "Reencrypting" },
    },
    reencryption: {
      kmsKeyId: "k",
      phase: "Reencrypting",
      verified: false,
      resources: ["secrets"],
      startedAt: "2026-01-02T00:00:00Z",
      round: 1,
      done: 40,
      total: 100,
      failed: 2,
      remaining: 3,
      straysFoundTime: "2026-01-02T00:00:00Z",
      lastCensusTime: "2026-01-02T00:00:00Z",
    },
    conditions: [
      condition("RotationOnTime", { status: "False", reason: "Overdue" }),
      condition("Reencrypted", { status: "Unknown", reason: "NotManaged" }),
    ],
  } as const;
  const view = {
    masterKeys: [masterKey({ status }), masterKey({ metadata: { name: "quiet" } })],
    keyVersions: [],
    keyAliases: [],
    keyServers: [],
    keyVersionsUpTo: "1",
    heardOf: new Map(),
  };
  const counts = { failures: () => 0, conflicts: () => 0, waiting: () => 0, certificates: () => [] };
  const render = await loadOperatorMetrics({ leading: () => true, view: () => view, ...counts });
  const labels = 'namespace="apps",name="secrets"';
  expect((await render()).match(/^claviger_key_[rsc].+/gm)).toEqual([
    `claviger_key_rotation_next_timestamp_seconds{${labels}} 1775001600`,
    `claviger_key_rotation_running_since_timestamp_seconds{${labels}} 1767312000`,
    `claviger_key_rotation_on_time{${labels}} 0`,
    `claviger_key_reencryption_verified{${labels}} 0`,
    `claviger_key_strays{${labels}} 3`,
    `claviger_key_strays_found_timestamp_seconds{${labels}} 1767312000`,
    `claviger_key_census_timestamp_seconds{${labels}} 1767312000`,
    `claviger_key_reencryption_objects_done{${labels}} 40`,
    `claviger_key_reencryption_objects{${labels}} 100`,
    `claviger_key_reencryption_objects_failed{${labels}} 2`,
  ]);
});
