import { describe, expect, test } from "vitest";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyAlias, MasterKey } from "../../resources/resources.ts";
import {
  condition,
  EARLIER,
  keyAlias,
  keyId,
  keyVersion,
  masterKey,
  NOW,
  NOW_TEXT,
  node,
  statusWith,
} from "../../testing/objects.ts";
import { decideKeyAlias, type ObservedKeyAlias } from "./decide-key-alias.ts";

/** A key with its own keyId, at version `number`. */
function key(name: string, id: number, number?: number, spec: Partial<MasterKey["spec"]> = {}): MasterKey {
  const status =
    number === undefined
      ? { keyId: keyId(id) }
      : statusWith(keyVersion(number, { spec: { keyId: keyId(id) } }));
  return masterKey({ metadata: { name }, status, spec });
}

const a1 = key("a", 1, 1);
const a2 = key("a", 1, 2);
const b1 = key("b", 2, 1);
const b2 = key("b", 2, 2);
const wants = (name: string, status?: KeyAlias["status"]) =>
  keyAlias({ spec: { masterKey: name }, ...(status && { status }) });
const serving = (name: string, id: number, rest: Partial<KeyAlias["status"]> = {}) => ({
  masterKey: name,
  keyId: keyId(id),
  ...rest,
});

const ARN = { arnPrefix: "arn:aws:kms:r:0:alias/" };
function decide(
  alias: KeyAlias,
  target: MasterKey | undefined,
  served?: MasterKey,
  more: Partial<ObservedKeyAlias> = {},
) {
  return decideKeyAlias(
    {
      alias,
      target,
      served,
      inService: true,
      importedAllowed: false,
      nodes: [node("one", [])],
      ...ARN,
      ...more,
    },
    NOW,
  );
}

describe("step", () => {
  const hmac = { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" } as const;
  const leftB = (number: number) => [{ keyId: keyId(2), number }];
  const rows: readonly (readonly [string, KeyAlias, MasterKey | undefined, MasterKey | undefined, string])[] =
    [
      ["a new alias, its key is ready => point", wants("a"), a1, undefined, "point"],
      ["it points there already => point again, nothing moves", wants("a", serving("a", 1)), a1, a1, "point"],
      ["its key was rotated => point", wants("a", serving("a", 1)), a2, a2, "point"],
      ["another ready key => point", wants("b", serving("a", 1)), b1, a1, "point"],
      ["the target is missing => MasterKeyNotFound", wants("b"), undefined, undefined, "MasterKeyNotFound"],
      [
        "the target has no keyId yet => MasterKeyNotReady",
        wants("a"),
        masterKey(),
        undefined,
        "MasterKeyNotReady",
      ],
      [
        "the target has no current version => MasterKeyNotReady",
        wants("b"),
        key("b", 2),
        a1,
        "MasterKeyNotReady",
      ],
      [
        "the target is of another spec => KeySpecDiffers",
        wants("b"),
        key("b", 2, 1, hmac),
        a1,
        "KeySpecDiffers",
      ],
      [
        "the same keySpec for another usage => KeySpecDiffers",
        wants("b"),
        key("b", 2, 1, { keyUsage: "GENERATE_VERIFY_MAC" }),
        a1,
        "KeySpecDiffers",
      ],
      [
        "back to a key that is where it was left => KeyIDWouldReturn",
        wants("b", serving("a", 1, { formerTargets: leftB(1) })),
        b1,
        a1,
        "KeyIDWouldReturn",
      ],
      [
        "back to a key that is behind where it was left (a restore) => KeyIDWouldReturn",
        wants("b", serving("a", 1, { formerTargets: leftB(2) })),
        b1,
        a1,
        "KeyIDWouldReturn",
      ],
      [
        "back to a key that was rotated since => point",
        wants("b", serving("a", 1, { formerTargets: leftB(1) })),
        b2,
        a1,
        "point",
      ],
      [
        "it came back and is decided again => point: being there is not returning",
        wants("b", serving("b", 2, { formerTargets: leftB(2) })),
        b2,
        b2,
        "point",
      ],
      [
        "it left another key => no obstacle",
        wants("a", serving("c", 3, { formerTargets: leftB(1) })),
        a1,
        key("c", 3, 1),
        "point",
      ],
    ];
  test.each(rows)("%s", (_, alias, target, served, expected) => {
    const { step } = decide(alias, target, served);
    expect(step.kind === "point" ? "point" : step.finding.reason).toBe(expected);
  });

  test("several obstacles => the first to mend is named: missing before not ready before spec", () => {
    const noVersion = key("b", 2, undefined, hmac);
    expect(decide(wants("b", serving("a", 1)), noVersion, a1).step).toMatchObject({
      finding: { reason: "MasterKeyNotReady" },
    });
  });
});

describe("an alias that a provider serves moves only where its API servers can go on", () => {
  const off = key("b", 2, 1, { enabled: false });
  const expired = { targetVersion: keyVersion(1, { spec: { keyId: keyId(2), validTo: EARLIER } }) };
  const silent = { nodes: [node("one", []), node("two", [], { stale: true })] };
  const moving = wants("b", serving("a", 1));
  test.each<readonly [string, KeyAlias, MasterKey, Partial<ObservedKeyAlias>, string, RegExp]>([
    [
      "the target is disabled => stays",
      moving,
      off,
      {},
      "MasterKeyDisabled",
      /MasterKey b is disabled.*still serve a/,
    ],
    [
      "the target's material has expired => stays",
      moving,
      b1,
      expired,
      "MaterialExpired",
      /expired at .*still serve a/,
    ],
    [
      "a node is silent => stays",
      moving,
      b1,
      silent,
      "NodeNotHeardOf",
      /waiting for two \(.*start it or its API server, or delete KeyServer two/,
    ],
    [
      "a node is unwell => stays",
      moving,
      b1,
      { nodes: [node("one", [], { problem: "disk full" })] },
      "NodeNotReady",
      /one \(disk full\)/,
    ],
    [
      "a node has not reported => stays",
      moving,
      b1,
      { nodes: [node("new", [], { unreported: true })] },
      "WaitingForNodes",
      /waiting for new \(its operator has not reported yet what it serves: .*\); /,
    ],
  ])("%s", (_, alias, target, more, reason, message) => {
    const { step, status } = decide(alias, target, a1, more);
    expect(step).toMatchObject({ finding: { reason, message: expect.stringMatching(message) } });
    expect(status).toMatchObject({ masterKey: "a", keyId: keyId(1) });
  });
  test.each<readonly [string, KeyAlias, MasterKey, Partial<ObservedKeyAlias>]>([
    ["no provider serves it, and the target is disabled, as in AWS", moving, off, { inService: false }],
    ["no provider serves it, and a node is silent", moving, b1, { ...silent, inService: false }],
    [
      "a node serves a destroyed version, which only the move mends",
      moving,
      b1,
      { nodes: [node("one", [], { problem: "v1 was destroyed", problemReason: "DestroyedVersionServed" })] },
    ],
    ["it points there already, and the key is disabled", wants("b", serving("b", 2)), off, {}],
    ["it points nowhere yet, and a node is silent", wants("b"), b1, silent],
  ])("%s => points", (_, alias, target, more) => {
    expect(decide(alias, target, a1, more).status.masterKey).toBe("b");
  });
});

describe("status", () => {
  test("point => target, keyId, ARN and generation are stated", () => {
    expect(decide(wants("a"), a1).status).toEqual({
      observedGeneration: 4,
      arn: "arn:aws:kms:r:0:alias/apps/main",
      masterKey: "a",
      keyId: keyId(1),
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "Pointing",
          message: "the alias is served as MasterKey a",
          observedGeneration: 4,
          lastTransitionTime: NOW_TEXT,
        },
      ],
    });
  });

  test("stay with nothing served => no target is stated", () => {
    const { status } = decide(wants("a"), undefined);
    expect(status).not.toHaveProperty("masterKey");
    expect(conditionOf(status.conditions, "Ready")?.message).toBe(
      "MasterKey apps/a does not exist: apply it, or name another one in spec.masterKey",
    );
  });

  test("stay while another is served => that one stays, and the message says so", () => {
    const { status } = decide(wants("b", serving("a", 1)), undefined, a1);
    expect(status).toMatchObject({ masterKey: "a", keyId: keyId(1) });
    expect(conditionOf(status.conditions, "Ready")?.message).toBe(
      "MasterKey apps/b does not exist: apply it, or name another one in spec.masterKey; the nodes still serve a",
    );
  });

  test("the served key itself was deleted => it stays the target, and no other is named", () => {
    const { status } = decide(wants("a", serving("a", 1)), undefined);
    expect(status).toMatchObject({ masterKey: "a", keyId: keyId(1) });
    expect(conditionOf(status.conditions, "Ready")?.message).toBe(
      "MasterKey apps/a does not exist: apply it, or name another one in spec.masterKey",
    );
  });

  test("a retarget => the former target is recorded with its current version", () => {
    const { status } = decide(wants("b", serving("a", 1)), b1, a2);
    expect(status.formerTargets).toEqual([{ keyId: keyId(1), number: 2 }]);
  });

  test("a retarget that is refused => nothing is recorded", () => {
    expect(decide(wants("b", serving("a", 1)), key("b", 2), a1).status).not.toHaveProperty("formerTargets");
  });

  test("it points there already => nothing is recorded", () => {
    expect(decide(wants("a", serving("a", 1)), a1, a1).status).not.toHaveProperty("formerTargets");
  });

  test("the same key left a second time => recorded once, with the later version", () => {
    const formerTargets = [
      { keyId: keyId(1), number: 1 },
      { keyId: keyId(3), number: 7 },
    ];
    const { status } = decide(wants("b", serving("a", 1, { formerTargets })), b1, a2);
    expect(status.formerTargets).toEqual([
      { keyId: keyId(3), number: 7 },
      { keyId: keyId(1), number: 2 },
    ]);
  });

  test("there and back again => refused until the first key is rotated, then allowed", () => {
    const there = decide(wants("b", serving("a", 1)), b1, a1).status;
    expect(decide(wants("a", there), a1, b1).step.kind).toBe("stay");
    const back = decide(wants("a", there), a2, b1);
    expect(back.step.kind).toBe("point");
    expect(back.status.formerTargets).toContainEqual({ keyId: keyId(2), number: 1 });
  });

  test("decided twice => the same status, so that nothing is written", () => {
    const once = decide(wants("a"), a1).status;
    const observed = { target: a1, served: a1, inService: true, importedAllowed: false, nodes: [], ...ARN };
    const again = { alias: wants("a", once), ...observed };
    expect(decideKeyAlias(again, new Date()).status).toEqual(once);
  });

  test("it was ready and is ready => lastTransitionTime stays", () => {
    const before = serving("a", 1, { conditions: [condition("Ready")] });
    const { status } = decide(wants("b", before), b1, a1);
    expect(conditionOf(status.conditions, "Ready")?.lastTransitionTime).toBe(EARLIER);
  });
});
