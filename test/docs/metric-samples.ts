import { exposition } from "../../src/aws/telemetry/exposition.ts";
import { Telemetry } from "../../src/aws/telemetry/telemetry.ts";
import { Totals } from "../../src/aws/telemetry/totals.ts";
import type { Observation } from "../../src/plugin/metrics.ts";
import type { View } from "../../src/store/view.ts";
import {
  condition,
  keyAlias,
  keyServer,
  keyVersion,
  masterKey,
  NOW_TEXT,
  statusWith,
} from "../../src/testing/objects.ts";

/** A provider that has a value for every gauge. */
export const servedProvider = {
  name: "secrets",
  keyId: "key-id",
  lastStatusAt: 1,
  isSilent: false,
  unrecorded: 0,
};

export const observedCall: Observation = {
  provider: "secrets",
  operation: "Decrypt",
  outcome: "InvalidCiphertext",
  seconds: 0.001,
};

const status = {
  ...statusWith(keyVersion(2)),
  keyState: "PendingDeletion",
  deletion: { scheduledAt: NOW_TEXT, deletionDate: NOW_TEXT },
  rotation: {
    nextRotationTime: NOW_TEXT,
    running: { trigger: "Automatic", number: 2, startedAt: NOW_TEXT, phase: "Reencrypting" },
  },
  reencryption: {
    kmsKeyId: "k",
    phase: "Reencrypting",
    verified: false,
    resources: ["secrets"],
    startedAt: NOW_TEXT,
    round: 1,
    done: 40,
    total: 100,
    failed: 2,
    remaining: 3,
    straysFoundTime: NOW_TEXT,
    lastCensusTime: NOW_TEXT,
  },
  conditions: ["Ready", "RotationOnTime", "Reencrypted", "DeletionBlocked"].map((type) => condition(type)),
} as const;

/** A view whose objects have a value for every gauge. */
export const everyStatus: View = {
  masterKeys: [masterKey({ status })],
  keyVersions: [keyVersion(2, { spec: { validTo: NOW_TEXT } })],
  keyAliases: [keyAlias({ status: { conditions: [condition("Ready")] } })],
  keyServers: [keyServer("a", { conditions: ["Ready", "ApiServerInStep"].map((type) => condition(type)) })],
  keyVersionsUpTo: "1",
  heardOf: new Map(),
};

/** Returns the metrics of an AWS KMS API with a series of each. */
export function everyAwsMetric(): string {
  const telemetry = new Telemetry();
  telemetry.answered({ operation: "Encrypt", error: "DisabledException", status: 400 }, performance.now());
  const totals = new Totals(1);
  const state = { isReady: true, follows: true, inFlight: 0, connections: 0, grants: 0 };
  totals.take(0, { ...state, events: telemetry.take(), cpuSeconds: 1, memoryBytes: 1 }, 0);
  return exposition({ totals, certificateExpiresAt: 0, now: 0 });
}
