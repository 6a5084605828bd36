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
export const servedProvider = { name: "secrets", keyId: "key-id", lastStatusAt: 1, isSilent: false };

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
