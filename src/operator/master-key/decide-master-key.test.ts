import { describe, expect, test } from "vitest";
import { MAX_VERSION_NUMBER } from "../../keyring/version-number.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import {
  condition,
  currentVersion,
  EARLIER,
  keyId,
  keyVersion,
  masterKey,
  NOW,
  NOW_TEXT,
  node,
  statusWith,
  unserved,
  versionId,
} from "../../testing/objects.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { assembleStatus } from "./assemble-status.ts";
import { decideMasterKey } from "./decide-master-key.ts";
import type { MasterKeyStep } from "./decide-step.ts";

const FRESH = keyId(77);
const ARN = "arn:aws:kms:local-cluster-1:000000000000:key/";
const v1 = keyVersion(1);
const v2 = keyVersion(2);
const v3 = keyVersion(3);
const twin1 = keyVersion(1, { spec: { versionId: versionId(99) } });
const twin2 = keyVersion(2, { spec: { versionId: versionId(99) } });
const HEARD = new Date("2026-01-02T02:00:00Z");

function decide(key: MasterKey, versions: readonly KeyVersion[], nodes: readonly NodeView[], now = NOW) {
  const observed = { ...unserved, masterKey: key, versions, nodes, freshKeyId: FRESH, arnPrefix: ARN };
  const plan = decideMasterKey(observed, now);
  return { ...plan, status: assembleStatus(key, [plan], now) };
}

/** Describes a step in a few words. */
function brief(step: MasterKeyStep): string {
  switch (step.kind) {
    case "adopt":
    case "assignKeyId":
      return `${step.kind} ${step.keyId}`;
    case "beginRotation":
      return `beginRotation ${step.trigger} to ${step.number}`;
    case "createVersion":
      return `createVersion ${step.number} of ${step.keyId}`;
    case "promote":
      return `promote ${step.version.spec.versionId}`;
    case "wait":
      return `wait ${step.reason}`;
    case "settled":
      return "settled";
  }
}

interface Row {
  readonly name: string;
  readonly status?: MasterKeyStatus;
  readonly versions?: readonly KeyVersion[];
  readonly nodes?: readonly NodeView[];
  readonly step: string;
}

const has = (...versions: readonly KeyVersion[]) => versions.map(({ spec }) => spec.versionId);
const made = (n: number, id: number, creationTimestamp: string) =>
  keyVersion(n, { spec: { keyId: keyId(id) }, metadata: { name: `${keyId(id)}-${n}`, creationTimestamp } });

describe("a key without a keyId", () => {
  const older = made(5, 1, "2026-01-01T00:00:00Z");
  const newer = made(1, 2, "2026-01-01T00:00:01Z");
  const elsewhere = keyVersion(1, { spec: { masterKey: { namespace: "other", name: "secrets" } } });
  const otherName = keyVersion(1, { spec: { masterKey: { namespace: "apps", name: "other" } } });
  const rows: readonly Row[] = [
    { name: "no versions => a fresh keyId", step: `assignKeyId ${FRESH}` },
    { name: "a version names it => its keyId is adopted", versions: [v1], step: `adopt ${keyId(1)}` },
    {
      name: "versions of several keyIds name it => the newest one's, whatever the numbers",
      versions: [older, newer],
      step: `adopt ${keyId(2)}`,
    },
    { name: "the same in another order => the same", versions: [newer, older], step: `adopt ${keyId(2)}` },
    {
      name: "several of one age => the last name's, so that two leaders agree",
      versions: [made(1, 2, EARLIER), made(1, 3, EARLIER), made(1, 1, EARLIER)],
      step: `adopt ${keyId(3)}`,
    },
    {
      name: "versions of the same name in another namespace => not adopted",
      versions: [elsewhere],
      step: `assignKeyId ${FRESH}`,
    },
    { name: "versions of another name => not adopted", versions: [otherName], step: `assignKeyId ${FRESH}` },
    {
      name: "no versions and a silent node, which may hold some => none is assigned",
      nodes: [node("a", []), node("b", [], { stale: true, lastHeard: HEARD })],
      step: "wait NodeNotHeardOf",
    },
    {
      name: "versions that name it and every node ready => only adopted, not promoted in the same step",
      versions: [v1],
      nodes: [node("a", has(v1))],
      step: `adopt ${keyId(1)}`,
    },
  ];
  test.each(rows)("$name", ({ versions = [], nodes = [], step }) => {
    expect(brief(decide(masterKey(), versions, nodes).step)).toBe(step);
  });

  const observed = {
    ...unserved,
    masterKey: masterKey(),
    nodes: [],
    held: { keyId: keyId(9), keySpec: "SYMMETRIC_DEFAULT", keyUsage: "ENCRYPT_DECRYPT" } as const,
    freshKeyId: FRESH,
    arnPrefix: ARN,
  };
  test("no versions, and the leader's own keyring encrypts for its name => that keyId: they are on their way back", () => {
    expect(brief(decideMasterKey({ ...observed, versions: [] }, NOW).step)).toBe(`adopt ${keyId(9)}`);
  });
  test("versions name it, and the leader's own keyring knows another => the versions', which all nodes see", () => {
    expect(brief(decideMasterKey({ ...observed, versions: [v1] }, NOW).step)).toBe(`adopt ${keyId(1)}`);
  });
});

describe("a key whose name left a keyId for one that was destroyed since", () => {
  const left = new Set([keyId(1)]);
  test.each<readonly [string, readonly KeyVersion[], string]>([
    ["only versions of the one that it left => not adopted", [v1], `assignKeyId ${FRESH}`],
    ["versions of another too => that one", [made(1, 2, EARLIER), v1], `adopt ${keyId(2)}`],
  ])("%s", (_, versions, step) => {
    const observed = { ...unserved, masterKey: masterKey(), nodes: [], freshKeyId: FRESH, arnPrefix: ARN };
    expect(brief(decideMasterKey({ ...observed, versions, left }, NOW).step)).toBe(step);
  });
});

describe("a key that was made again as one of another kind", () => {
  const hmac = { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" } as const;
  const mac1 = keyVersion(1, {
    spec: { ...hmac, keyId: keyId(2), versionId: versionId(50) },
    metadata: { creationTimestamp: "2026-01-01T00:00:05Z" },
  });
  const held = { keyId: keyId(9), ...hmac };
  const observed = { ...unserved, masterKey: masterKey(), nodes: [], freshKeyId: FRESH, arnPrefix: ARN };
  const refusal =
    "apps/secrets is a key of HMAC_256 for GENERATE_VERIFY_MAC on the nodes and this MasterKey is of SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT: create it again with the former keySpec and keyUsage, which adopts its versions, or use another name";

  test("only versions of the other kind name it => none is adopted and no keyId is given", () => {
    const { step, status } = decide(masterKey(), [mac1], []);
    expect(step).toEqual({ kind: "wait", reason: "KeySpecDiffers", message: refusal });
    expect(status).not.toHaveProperty("keyId");
    expect(conditionOf(status.conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "KeySpecDiffers",
      message: refusal,
    });
  });
  test("the same keySpec for another usage => the same", () => {
    const other = keyVersion(1, { spec: { keyUsage: "GENERATE_VERIFY_MAC" } });
    expect(brief(decide(masterKey(), [other], []).step)).toBe("wait KeySpecDiffers");
  });
  test("the KeyVersions are lost and the leader's own keyring has the other kind => the same", () => {
    expect(brief(decideMasterKey({ ...observed, versions: [], held }, NOW).step)).toBe("wait KeySpecDiffers");
  });
  test("older versions are of its own kind => they are adopted, and the others are told of", () => {
    const adopted = decide(masterKey(), [v1, mac1], []);
    expect(brief(adopted.step)).toBe(`adopt ${keyId(1)}`);
    expect(conditionOf(adopted.status.conditions, "Distributed")?.message).toMatch(
      /; KeyVersion .*2-1 names this MasterKey and is of HMAC_256 for GENERATE_VERIFY_MAC: it is not this key's$/,
    );
    const settled = decide(masterKey({ status: statusWith(v1) }), [v1, mac1], []);
    expect(conditionOf(settled.status.conditions, "Distributed")).toMatchObject({
      status: "True",
      message: expect.stringMatching(/it is not this key's$/),
    });
  });
  test("a version of another kind under its own keyId => is never promoted", () => {
    const odd = keyVersion(2, { spec: hmac });
    expect(brief(decide(masterKey({ status: statusWith(v1) }), [v1, odd], [node("a", has(odd))]).step)).toBe(
      "settled",
    );
  });
});

describe("a key with a keyId", () => {
  const pending = { keyId: keyId(1) };
  const ready = [node("a", has(v1, v2, v3)), node("b", has(v1, v2, v3))];
  const rows: readonly (Row & { readonly status: MasterKeyStatus })[] = [
    {
      name: "no versions => version 1 is created",
      status: pending,
      step: `createVersion 1 of ${keyId(1)}`,
    },
    {
      name: "no versions and nodes with one root key => version 1 is created",
      status: pending,
      nodes: [node("a", [], { rootKeyId: "r1" }), node("b", [], { rootKeyId: "r1" }), node("c", [])],
      step: `createVersion 1 of ${keyId(1)}`,
    },
    {
      name: "no versions and nodes with different root keys => none is created",
      status: pending,
      nodes: [node("a", [], { rootKeyId: "r1" }), node("b", [], { rootKeyId: "r2" })],
      step: "wait RootKeysDiffer",
    },
    {
      name: "versions of another key only => version 1 is created",
      status: pending,
      versions: [keyVersion(4, { spec: { keyId: keyId(2) } })],
      step: `createVersion 1 of ${keyId(1)}`,
    },
    {
      name: "no versions though one was current => VersionsMissing, none is created",
      status: statusWith(v2),
      nodes: ready,
      step: "wait VersionsMissing",
    },
    {
      name: "the current version is gone and older ones are there => VersionsMissing",
      status: statusWith(v2),
      versions: [v1],
      nodes: ready,
      step: "wait VersionsMissing",
    },
    {
      name: "the current version is gone and a newer one is everywhere => promoted",
      status: statusWith(v2),
      versions: [v1, v3],
      nodes: ready,
      step: `promote ${versionId(3)}`,
    },
    {
      name: "a version and no nodes => NoKeyServers",
      status: pending,
      versions: [v1],
      step: "wait NoKeyServers",
    },
    {
      name: "every node has the first version => promoted",
      status: pending,
      versions: [v1],
      nodes: ready,
      step: `promote ${versionId(1)}`,
    },
    {
      name: "every node has the second version => promoted",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: ready,
      step: `promote ${versionId(2)}`,
    },
    {
      name: "one node lacks it => WaitingForNodes",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: [...ready, node("c", has(v1))],
      step: "wait WaitingForNodes",
    },
    {
      name: "a node has the older candidate only => WaitingForNodes, the older one is not promoted in between",
      status: statusWith(v1),
      versions: [v1, v2, v3],
      nodes: [node("a", has(v2)), node("b", has(v2, v3))],
      step: "wait WaitingForNodes",
    },
    {
      name: "a stale node lacks it => NodeNotHeardOf",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: [...ready, node("c", [], { stale: true })],
      step: "wait NodeNotHeardOf",
    },
    {
      name: "a stale node that has it => NodeNotHeardOf: it may have lost it since",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: [...ready, node("c", has(v2), { stale: true })],
      step: "wait NodeNotHeardOf",
    },
    {
      name: "a node with a problem lacks it => NodeNotReady",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: [...ready, node("c", [], { problem: "no root key" })],
      step: "wait NodeNotReady",
    },
    {
      name: "a node with a problem has it all the same => promoted",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: [...ready, node("c", has(v2), { problem: "another key's seal was altered" })],
      step: `promote ${versionId(2)}`,
    },
    {
      name: "a stale node and one with a problem => NodeNotHeardOf first",
      status: statusWith(v1),
      versions: [v1, v2],
      nodes: [node("a", [], { problem: "no root key" }), node("b", [], { stale: true })],
      step: "wait NodeNotHeardOf",
    },
    {
      name: "the newest is current => settled, stale nodes or not",
      status: statusWith(v2),
      versions: [v1, v2],
      nodes: [node("a", [], { stale: true })],
      step: "settled",
    },
    {
      name: "etcd was restored, the status is behind and the nodes have more => the highest is promoted",
      status: statusWith(v1),
      versions: [v1, v2, v3],
      nodes: ready,
      step: `promote ${versionId(3)}`,
    },
    {
      name: "etcd was restored to before the first promotion => the highest is promoted",
      status: pending,
      versions: [v1, v2, v3],
      nodes: ready,
      step: `promote ${versionId(3)}`,
    },
    {
      name: "the status is ahead of every version that is left => never a lower one",
      status: statusWith(v3),
      versions: [v1, v2],
      nodes: ready,
      step: "wait VersionsMissing",
    },
    {
      name: "a second version of the current number under a later id, everywhere (a restore) => promoted: no node can go back",
      status: statusWith(v2),
      versions: [v2, twin2],
      nodes: [node("a", has(v2, twin2))],
      step: `promote ${versionId(99)}`,
    },
    {
      name: "a second version of the current number under an earlier id => settled",
      status: statusWith(twin2),
      versions: [v2, twin2],
      nodes: [node("a", has(v2, twin2))],
      step: "settled",
    },
    {
      name: "two first versions of one number, both everywhere => the higher id",
      status: pending,
      versions: [twin1, v1],
      nodes: [node("a", has(v1, twin1))],
      step: `promote ${versionId(99)}`,
    },
    {
      name: "two first versions, a node has only the lower id => WaitingForNodes",
      status: pending,
      versions: [v1, twin1],
      nodes: [node("a", has(v1))],
      step: "wait WaitingForNodes",
    },
  ];
  test.each(rows)("$name", ({ status, versions = [], nodes = [], step }) => {
    expect(brief(decide(masterKey({ status }), versions, nodes).step)).toBe(step);
  });

  test("disabled => it goes on as if enabled", () => {
    const key = masterKey({ spec: { enabled: false }, status: statusWith(v1) });
    expect(brief(decide(key, [v1, v2], ready).step)).toBe(`promote ${versionId(2)}`);
  });
});

describe("a key whose material is imported", () => {
  const external = (status: MasterKeyStatus) => masterKey({ spec: { origin: "EXTERNAL" }, status });
  const until = (validTo: string) => keyVersion(2, { spec: { validTo } });
  const past = until("2026-01-01T00:00:00Z");
  const ahead = until("2026-02-01T00:00:00Z");
  test("no version => none is made", () => {
    expect(brief(decide(external({ keyId: keyId(1) }), [], [node("a", [])]).step)).toBe("wait PendingImport");
  });
  test("a version on every node => promoted, as any", () => {
    const { step } = decide(external(statusWith(v1)), [v1, ahead], [node("a", has(ahead))]);
    expect(brief(step)).toBe(`promote ${versionId(2)}`);
  });
  test("a version that expired on its way => not promoted: the one before is still good", () => {
    const { step, status } = decide(external(statusWith(v1)), [v1, past], [node("a", has(past))]);
    expect(brief(step)).toBe("wait MaterialExpired");
    expect(status.currentVersion).toEqual(currentVersion(v1));
    expect(conditionOf(status.conditions, "Ready")?.status).toBe("True");
  });
});

describe("what a wait says", () => {
  const wait = (nodes: readonly NodeView[]) =>
    conditionOf(
      decide(masterKey({ status: statusWith(v1) }), [v1, v2], nodes).status.conditions,
      "Distributed",
    );

  test("no KeyServer => so", () => {
    expect(wait([])?.message).toBe(
      "version 2 waits for a node: no KeyServer has reported yet; start an operator, and see its log",
    );
  });
  test("nodes that lack it => are counted and named", () => {
    expect(wait([node("a", has(v2)), node("b", []), node("c", [])])?.message).toBe(
      "version 2 is on 1 of 3 nodes; waiting for b, c",
    );
  });
  test("a stale node => is named, with the time and what to do", () => {
    expect(wait([node("a", has(v2)), node("b", has(v2), { stale: true, lastHeard: HEARD })])?.message).toBe(
      "version 2 is on 1 of 2 nodes; waiting for b (its operator has not been heard of since 2026-01-02T02:00:00Z: start it or its API server, or delete KeyServer b and Lease claviger-node-b if the node is gone)",
    );
  });
  test("a node's problem => is shown", () => {
    expect(wait([node("a", [], { problem: "root key /k does not exist" })])?.message).toBe(
      "version 2 is on 0 of 1 nodes; waiting for a (root key /k does not exist)",
    );
  });
  test("different root keys => are named, node by node", () => {
    const nodes = [node("a", [], { rootKeyId: "r1" }), node("b", [], { rootKeyId: "r2" })];
    const { status } = decide(masterKey({ status: { keyId: keyId(1) } }), [], nodes);
    expect(conditionOf(status.conditions, "Ready")?.message).toBe(
      "no version is made while the nodes have different root keys (a has r1, b has r2): give every node the same one",
    );
  });
  test("versions are missing => which one, and where to get it", () => {
    const { status } = decide(masterKey({ status: statusWith(v2) }), [v1], []);
    expect(conditionOf(status.conditions, "Distributed")?.message).toMatch(
      /^version 2 was current.*restore a backup/,
    );
  });
});

describe("status", () => {
  test("a keyId is assigned => keyId, ARN, Creating", () => {
    const { status } = decide(masterKey({ metadata: { generation: 3 } }), [], []);
    expect(status).toMatchObject({
      observedGeneration: 3,
      keyId: FRESH,
      arn: ARN + FRESH,
      keyState: "Creating",
    });
    expect(status).not.toHaveProperty("currentVersion");
    expect(conditionOf(status.conditions, "Ready")).toMatchObject({ status: "False", reason: "Creating" });
    expect(conditionOf(status.conditions, "Distributed")).toMatchObject({
      status: "False",
      reason: "Creating",
      observedGeneration: 3,
    });
  });

  test("promoted => number, id, key_id and time of the new version; Enabled and Ready", () => {
    const { status } = decide(masterKey({ status: { keyId: keyId(1) } }), [v1], [node("a", has(v1))]);
    expect(status.currentVersion).toEqual({ ...currentVersion(v1), promotedAt: NOW_TEXT });
    expect(status.keyState).toBe("Enabled");
    expect(conditionOf(status.conditions, "Ready")).toMatchObject({
      status: "True",
      reason: "VersionCurrent",
    });
    expect(conditionOf(status.conditions, "Distributed")).toMatchObject({ status: "True" });
  });

  test("settled => the time of the promotion stays", () => {
    const { status } = decide(masterKey({ status: statusWith(v1) }), [v1], []);
    expect(status.currentVersion?.promotedAt).toBe(EARLIER);
  });

  test("the first version waits => not Ready, for the reason of the wait", () => {
    const { status } = decide(masterKey({ status: { keyId: keyId(1) } }), [v1], []);
    expect(conditionOf(status.conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "NoKeyServers",
    });
  });

  test("a later version waits => Ready all the same, Distributed False", () => {
    const { status } = decide(masterKey({ status: statusWith(v1) }), [v1, v2], []);
    expect(conditionOf(status.conditions, "Ready")).toMatchObject({ status: "True" });
    expect(conditionOf(status.conditions, "Distributed")).toMatchObject({ status: "False" });
    expect(status.currentVersion?.number).toBe(1);
  });

  test("disabled => Disabled whatever the step, and the version stays current", () => {
    const key = masterKey({ spec: { enabled: false }, status: statusWith(v1) });
    const { status } = decide(key, [v1], []);
    expect(status).toMatchObject({ keyState: "Disabled", currentVersion: { number: 1 } });
    expect(conditionOf(status.conditions, "Ready")).toMatchObject({ status: "False", reason: "Disabled" });
  });

  test("conditions of others => are kept", () => {
    const status = { ...statusWith(v1), conditions: [condition("Theirs")] };
    expect(decide(masterKey({ status }), [v1], []).status.conditions).toContainEqual(condition("Theirs"));
  });

  test("lastTransitionTime => moves with the status of its condition only", () => {
    const before = { ...statusWith(v1), conditions: [condition("Ready"), condition("Distributed")] };
    const { conditions } = decide(masterKey({ status: before }), [v1, v2], []).status;
    expect(conditionOf(conditions, "Ready")?.lastTransitionTime).toBe(EARLIER);
    expect(conditionOf(conditions, "Distributed")?.lastTransitionTime).toBe(NOW_TEXT);
  });

  test("decided again later on what was decided => the same status, so that nothing is written", () => {
    const later = new Date(NOW.getTime() + 3_600_000);
    for (const nodes of [[], [node("a", [])], [node("a", [], { stale: true })]]) {
      const { status } = decide(masterKey({ status: statusWith(v1) }), [v1, v2], nodes);
      expect(decide(masterKey({ status }), [v1, v2], nodes, later).status).toEqual(status);
    }
  });
});

test("from nothing to settled => one step at a time, each on what the last one left", () => {
  const nodes = [node("a", has(v1))];
  const first = decide(masterKey(), [], nodes);
  expect(first.step.kind).toBe("assignKeyId");
  const second = decide(masterKey({ status: first.status }), [], nodes);
  expect(brief(second.step)).toBe(`createVersion 1 of ${FRESH}`);
  expect(second.status).not.toHaveProperty("currentVersion");
  const stored = [keyVersion(1, { spec: { keyId: FRESH } })];
  const third = decide(masterKey({ status: second.status }), stored, []);
  expect(brief(third.step)).toBe("wait NoKeyServers");
  const fourth = decide(masterKey({ status: third.status }), stored, nodes);
  expect(brief(fourth.step)).toBe(`promote ${versionId(1)}`);
  const fifth = decide(masterKey({ status: fourth.status }), stored, nodes);
  expect(fifth.step.kind).toBe("settled");
  expect(fifth.status).toEqual(fourth.status);
});

describe("a rotation", () => {
  const LIMIT = { onDemandLimit: 25 };
  const asked = (token = "a") => ({ rotation: { ...LIMIT, requestToken: token } });
  const ready = [node("a", has(v1, v2, v3)), node("b", has(v1, v2, v3))];
  const rotating = (number: number, phase: "Distributing" | "Switching" = "Distributing") =>
    ({ trigger: "OnDemand", number, startedAt: NOW_TEXT, phase }) as const;
  const first = statusWith(v1);
  const plan = (spec: object, status: MasterKeyStatus, versions: readonly KeyVersion[], nodes = ready) =>
    decide(masterKey({ spec, status }), versions, nodes);

  test("is asked for => it is written down before anything is made, with its token", () => {
    const { step, status } = plan(asked(), first, [v1]);
    expect(brief(step)).toBe("beginRotation OnDemand to 2");
    expect(status.rotation).toMatchObject({ running: rotating(2), handledToken: "a", onDemandCount: 1 });
    expect(status.currentVersion).toEqual(first.currentVersion);
  });
  test("is written down and nothing was made => its version is made, also after a crash", () => {
    const begun = { ...first, rotation: { running: rotating(2), handledToken: "a", onDemandCount: 1 } };
    expect(brief(plan(asked(), begun, [v1]).step)).toBe(`createVersion 2 of ${keyId(1)}`);
  });
  test("its version is there => it is promoted as any other, and switching begins", () => {
    const begun = { ...first, rotation: { running: rotating(2), handledToken: "a", onDemandCount: 1 } };
    const { step, status } = plan(asked(), begun, [v1, v2]);
    expect(brief(step)).toBe(`promote ${v2.spec.versionId}`);
    expect(status.rotation?.running).toEqual(rotating(2, "Switching"));
  });
  test("nothing serves the key => it is finished at the next look, unproven", () => {
    const promoted = {
      ...statusWith(v2),
      rotation: { running: rotating(2, "Switching"), handledToken: "a" },
    };
    const { status } = plan(asked(), promoted, [v1, v2]);
    expect(status.rotation?.running).toBeUndefined();
    expect(status.rotation?.last).toEqual({
      ...{ trigger: "OnDemand", number: 2, startedAt: NOW_TEXT, completedAt: NOW_TEXT, verified: false },
    });
    expect(status.rotation?.clockStartedAt).toBe(NOW_TEXT);
  });
  test("is asked for once more before the version is current => a later one, and only that is promoted", () => {
    const begun = { ...first, rotation: { running: rotating(2), handledToken: "a", onDemandCount: 1 } };
    const again = plan(asked("b"), begun, [v1, v2]);
    expect(brief(again.step)).toBe("beginRotation OnDemand to 3");
    expect(brief(plan(asked("b"), again.status, [v1, v2]).step)).toBe(`createVersion 3 of ${keyId(1)}`);
    expect(brief(plan(asked("b"), again.status, [v1, v2, v3]).step)).toBe(`promote ${v3.spec.versionId}`);
  });
  test("of a key whose current version is missing waits for it", () => {
    expect(brief(plan(asked(), first, []).step)).toBe("wait VersionsMissing");
  });
  test("waits while nodes have different root keys", () => {
    const begun = { ...first, rotation: { running: rotating(2), handledToken: "a" } };
    const odd = [node("a", [], { rootKeyId: "r1" }), node("b", [], { rootKeyId: "r2" })];
    expect(brief(plan(asked(), begun, [v1], odd).step)).toBe("wait RootKeysDiffer");
  });
  test("that nodes brought back from before a restore counts as one", () => {
    const { status } = plan({ rotation: LIMIT }, first, [v1, v2]);
    expect(status.rotation?.running).toEqual({ ...rotating(2, "Switching"), trigger: "Restored" });
  });
  test("is not what a key that is made anew does for a token that it came with", () => {
    const { status } = plan(asked(), {}, []);
    expect(status.rotation).toEqual({ handledToken: "a" });
  });
  test.each([2 ** 53, 1e300, MAX_VERSION_NUMBER + 1, 4, 1, 0, -1])(
    "is claimed to number %d, while version 2 is current and 3 would be next => no version is made, and the claim goes",
    (number) => {
      const claimed = { ...statusWith(v2), rotation: { running: rotating(number) } };
      const { step, status } = plan({ rotation: LIMIT }, claimed, [v1, v2]);
      expect(step.kind).toBe("settled");
      expect(status.rotation).not.toHaveProperty("running");
    },
  );
  test("a KeyVersion has a number that no node can store => it is no version of the key", () => {
    const huge = keyVersion(9, { spec: { number: 2 ** 53 } });
    const begun = { ...first, rotation: { running: rotating(2), handledToken: "a", onDemandCount: 1 } };
    expect(brief(plan(asked(), begun, [v1, huge]).step)).toBe(`createVersion 2 of ${keyId(1)}`);
  });
  test("a version has the last number that there can be => nothing is begun that could not be made", () => {
    const last = keyVersion(MAX_VERSION_NUMBER);
    const { step, status } = plan(asked(), statusWith(last), [v1, last]);
    expect(brief(step)).toBe("wait NumbersExhausted");
    expect(status.rotation).not.toHaveProperty("running");
  });
  test("is nothing that the status of a key without rotation speaks of", () => {
    expect(plan({}, first, [v1]).status).not.toHaveProperty("rotation");
  });
});
