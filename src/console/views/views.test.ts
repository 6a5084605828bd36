import { describe, expect, test } from "vitest";
import type { KeyServer } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { condition, EARLIER, keyId, masterKey, versionId } from "../../testing/objects.ts";
import { keyRows } from "./key-rows.ts";
import { nodeRows } from "./node-rows.ts";
import { problemsOf } from "./problems.ts";
import { versionRows } from "./version-rows.ts";

const enabled: MasterKeyStatus = {
  keyId: keyId(1),
  keyState: "Enabled",
  currentVersion: { number: 3, versionId: versionId(3), kmsKeyId: "k3", promotedAt: EARLIER },
};
const reencryption = {
  kmsKeyId: "k3",
  verified: false,
  resources: ["secrets"],
  startedAt: EARLIER,
  round: 1,
} as const;
const said = (type: string, status: "True" | "False" | "Unknown", reason: string) =>
  condition(type, { status, reason, message: `${reason} is the reason` });

describe("the row of a key", () => {
  test("no status yet => it is being created", () => {
    expect(keyRows([masterKey()])).toEqual([
      {
        key: "apps/secrets",
        state: { text: "Creating", tone: "moving" },
        version: "-",
        data: { text: "-", tone: "plain" },
        rotation: { text: "on request", tone: "plain" },
      },
    ]);
  });

  test("a key of a spec that does not rotate => it says so", () => {
    const spec = { keySpec: "ECC_NIST_P256", keyUsage: "SIGN_VERIFY" } as const;
    expect(keyRows([masterKey({ spec, status: enabled })])).toMatchObject([
      { rotation: { text: "never", tone: "plain" } },
    ]);
  });

  test("everything is proven => its version, the proof and the time of the next rotation", () => {
    const status: MasterKeyStatus = {
      ...enabled,
      rotation: { nextRotationTime: EARLIER },
      conditions: [said("Reencrypted", "True", "Verified")],
    };
    expect(keyRows([masterKey({ status })])).toMatchObject([
      {
        state: { text: "Enabled", tone: "good" },
        version: "3",
        data: { text: "Verified", tone: "good" },
        rotation: { text: "scheduled" },
        nextRotation: EARLIER,
      },
    ]);
  });

  test("a rotation runs => its phase, and how far stored data are", () => {
    const status: MasterKeyStatus = {
      ...enabled,
      rotation: {
        running: { trigger: "OnDemand", number: 3, startedAt: EARLIER, phase: "Reencrypting" },
      },
      reencryption: { ...reencryption, phase: "Reencrypting", done: 40, total: 100, secondsLeft: 9 },
      conditions: [said("Reencrypted", "False", "Reencrypting")],
    };
    expect(keyRows([masterKey({ status })])).toMatchObject([
      {
        data: { text: "Reencrypting", tone: "moving", progress: { done: 40, total: 100, secondsLeft: 9 } },
        rotation: { text: "to version 3: Reencrypting", tone: "moving" },
      },
    ]);
  });

  test("stored data wait for somebody => red, whatever the condition's status looks like", () => {
    const status = { ...enabled, conditions: [said("Reencrypted", "False", "NodesDiffer")] };
    expect(keyRows([masterKey({ status })])).toMatchObject([{ data: { tone: "bad" } }]);
  });

  test("an invisible character in a name is shown as its code", () => {
    expect(keyRows([masterKey({ metadata: { name: "a\u202eb" } })])).toMatchObject([
      { key: "apps/a\\u202eb" },
    ]);
  });
});

const keyServer = (name: string, status?: KeyServer["status"]): KeyServer => ({
  ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind: "KeyServer" },
  metadata: { name, uid: name, resourceVersion: "1", generation: 1, creationTimestamp: EARLIER },
  ...(status && { status }),
});

test("a node => what it serves, and whether its API server uses the EncryptionConfiguration", () => {
  const status: KeyServer["status"] = {
    providers: [{ name: "secrets", socket: "/s.sock", serves: "apps/secrets", version: 3 }],
    apiServer: { encryptionConfig: "NotLoaded" },
    conditions: [said("Ready", "True", "Reporting")],
  };
  expect(nodeRows([keyServer("cp-1", status), keyServer("cp-2")])).toEqual([
    {
      node: "cp-1",
      ready: { text: "True", tone: "good" },
      serves: ["secrets: apps/secrets v3"],
      apiServer: { text: "NotLoaded", tone: "bad" },
    },
    {
      node: "cp-2",
      ready: { text: "Unknown", tone: "bad" },
      serves: [],
      apiServer: { text: "-", tone: "plain" },
    },
  ]);
});

test("versions => by key, the latest first, by the names of the columns and not by their places", () => {
  const columns = ["Name", "Age", "Namespace", "MasterKey", "Version", "State", "Key_ID"];
  const row = (key: string, number: number, state: string) => ({
    cells: ["n", "5m", "apps", key, number, state, `id-${number}`],
  });
  const rows = versionRows({
    columnDefinitions: columns.map((name) => ({ name })),
    rows: [row("b", 1, "Current"), row("a", 9, "Retired"), row("a", 10, "Current")],
  });
  expect(rows.map(({ key, version, state }) => [key, version, state.tone])).toEqual([
    ["apps/a", "10", "good"],
    ["apps/a", "9", "plain"],
    ["apps/b", "1", "good"],
  ]);
  expect(rows[0]).toMatchObject({ kmsKeyId: "id-10", age: "5m" });
});

describe("what is wrong", () => {
  test.each([
    ["Ready", "False", "NodeNotHeardOf", true],
    ["Ready", "False", "Creating", false],
    ["Ready", "False", "Disabled", false],
    ["Ready", "Unknown", "NodeNotHeardOf", true],
    ["Reencrypted", "False", "StraysFound", true],
    ["Reencrypted", "False", "Switching", false],
    ["RotationOnTime", "False", "Overdue", true],
    ["MaterialExpiring", "True", "MaterialExpired", true],
    ["DeletionBlocked", "True", "InUse", true],
  ] as const)("%s is %s, %s => needs somebody: %s", (type, status, reason, needsSomebody) => {
    const key = masterKey({ status: { conditions: [said(type, status, reason)] } });
    expect(problemsOf([key])).toMatchObject([
      { object: "MasterKey apps/secrets", reason, message: `${reason} is the reason`, needsSomebody },
    ]);
  });

  test.each([
    ["Ready", "True", "VersionCurrent"],
    ["Reencrypted", "True", "Verified"],
    ["Reencrypted", "Unknown", "NotManaged"],
    ["MaterialExpiring", "False", "NotSoon"],
    ["DeletionBlocked", "False", "Scheduled"],
    ["InUse", "True", "ProviderUsesKey"],
    ["InUse", "False", "NotInUse"],
    ["Destroyed", "True", "Destroyed"],
  ] as const)("%s is %s, %s => nothing is wrong", (type, status, reason) => {
    expect(problemsOf([masterKey({ status: { conditions: [said(type, status, reason)] } })])).toEqual([]);
  });

  test("what needs somebody is first, nodes among it", () => {
    const key = masterKey({ status: { conditions: [said("Ready", "False", "Creating")] } });
    const node = keyServer("cp-1", { conditions: [said("ApiServerInStep", "False", "NotLoaded")] });
    expect(problemsOf([key, node]).map(({ object }) => object)).toEqual([
      "KeyServer cp-1",
      "MasterKey apps/secrets",
    ]);
  });
});
