import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../config/limits.ts";
import {
  keyAlias,
  keyId,
  keyRow,
  keyVersion,
  masterKey,
  NOW,
  node,
  statusWith,
  unserved,
} from "../../testing/objects.ts";
import { OwnRecord } from "../claims/own-record.ts";
import { ViewIndex } from "../claims/view-index.ts";
import { decideRotation, MOST_ON_DEMAND } from "../rotation/decide-rotation.ts";
import { decideMasterKey } from "./decide-master-key.ts";
import { aliasLack, type NamespaceUsage, type Room, roomFor } from "./namespace-room.ts";
import { CountedUsage } from "./namespace-usage.ts";

const MINUTE = 60_000;
const LIMITS = { ...DEFAULT_LIMITS, masterKeysPerNamespace: 3, keyVersionsPerNamespace: 10 };
const NAME = { namespace: "apps", name: "secrets", hasKey: false };
const ago = (minutes: number, name = "secrets") => ({
  masterKey: name,
  madeAt: new Date(NOW.getTime() - minutes * MINUTE),
});
const room = (usage: Partial<NamespaceUsage>, limits = LIMITS): Room =>
  roomFor(
    NAME,
    { masterKeys: new Set(), keyAliases: new Set(), keyVersions: 0, asked: [], ...usage },
    limits,
    NOW,
  );
const lacks = (of: Room): string[] => Object.keys(of).sort();

describe("what a namespace has no room for", () => {
  const names = (...all: readonly string[]) => new Set(all);
  const many = (count: number, minutes: number, name?: string) =>
    Array.from({ length: count }, (_, n) => ago(minutes + n / 100, name));
  test.each<readonly [string, Partial<NamespaceUsage>, readonly string[]]>([
    ["nothing is used => there is room for all", {}, []],
    ["as many MasterKeys as it may have => no new one", { masterKeys: names("a", "b", "c") }, ["newKey"]],
    [
      "the same, and the key is one of them, deleted and made again => there is room",
      { masterKeys: names("a", "b", "secrets") },
      [],
    ],
    [
      "as many KeyVersions => no first version and none that is asked for; what is due has a reserve",
      { keyVersions: 10 },
      ["askedVersion", "firstVersion"],
    ],
    [
      "twice as many => the reserve is used up",
      { keyVersions: 20 },
      ["askedVersion", "dueVersion", "firstVersion"],
    ],
    [
      "ten were asked for of this key within an hour => not another",
      { asked: many(10, 5) },
      ["askedVersion"],
    ],
    ["nine of them => another", { asked: many(9, 5) }, []],
    ["ten of another key => another of this one", { asked: many(10, 5, "other") }, []],
    ["a hundred of other keys => none in this namespace", { asked: many(100, 5, "other") }, ["askedVersion"]],
    ["ten, more than an hour ago => another", { asked: many(10, 61) }, []],
    ["ten, dated days ahead of our clock => another", { asked: many(10, -4_000) }, []],
  ])("%s", (_, usage, expected) => {
    expect(lacks(room(usage))).toEqual(expected);
  });

  test("a quota is full => the message names count, limit and remedy", () => {
    expect(room({ keyVersions: 12 }).firstVersion).toEqual({
      reason: "QuotaExceeded",
      message:
        "namespace apps has 12 KeyVersions and may have 10, deleted ones included as the nodes keep them: raise limits.keyVersionsPerNamespace in the configuration of every node, or use another namespace",
    });
    const lack = aliasLack(NAME, { keyAliases: names("a") }, { ...LIMITS, keyAliasesPerNamespace: 1 });
    expect(lack?.message).toContain("raise limits.keyAliasesPerNamespace");
    expect(aliasLack(NAME, { keyAliases: names("secrets") }, { ...LIMITS, keyAliasesPerNamespace: 1 })).toBe(
      undefined,
    );
  });

  test("too many were asked for => it says when the next is made: an hour after the tenth of them", () => {
    const { askedVersion } = room({ asked: Array.from({ length: 12 }, (_, n) => ago(n)) });
    expect(askedVersion).toMatchObject({
      reason: "RateLimited",
      until: new Date(NOW.getTime() + 51 * MINUTE),
    });
    expect(askedVersion?.message).toBe(
      "MasterKey apps/secrets got 12 versions within an hour that were asked for and may get 10 (limits.rotationsPerKeyPerHour): it goes on by itself at 2026-01-02T03:55:05Z",
    );
  });
});

test("a namespace's use is counted => with what was deleted, as versions and the leader's keyring tell, and without other namespaces", () => {
  const view = {
    masterKeys: [masterKey({ status: { keyId: keyId(1) } }), masterKey({ metadata: { name: "new" } })],
    keyVersions: [
      keyVersion(1, { status: { trigger: "OnDemand" } }),
      keyVersion(2, { spec: { masterKey: { namespace: "apps", name: "gone" } } }),
      keyVersion(3, { spec: { masterKey: { namespace: "other", name: "else" } } }),
    ],
    keyAliases: [keyAlias({ status: { masterKey: "secrets" } })],
    keyServers: [],
    keyVersionsUpTo: "1",
    heardOf: new Map(),
  };
  const index = new ViewIndex(view, new OwnRecord([], []));
  const usage = new CountedUsage("apps", index, {
    keys: () => [keyRow(1, { name: "once" }), keyRow(1, { namespace: "other" })],
    aliases: () => [{ namespace: "apps", name: "left" }],
  });
  expect([...usage.masterKeys].sort()).toEqual(["gone", "once", "secrets"]);
  expect([...usage.keyAliases].sort()).toEqual(["left", "main"]);
  expect(usage.keyVersions).toBe(2);
  expect(usage.asked).toMatchObject([{ masterKey: "secrets" }]);
});

describe("a MasterKey in a namespace that is full", () => {
  const full = room({ keyVersions: 10, masterKeys: new Set(["a", "b", "c"]) });
  const v1 = keyVersion(1);
  const observed = (key: ReturnType<typeof masterKey>, versions = [v1]) => ({
    ...{ ...unserved, masterKey: key, versions, nodes: [node("one", [v1.spec.versionId])], room: full },
    ...{ freshKeyId: keyId(9), arnPrefix: "" },
  });
  const step = (key: ReturnType<typeof masterKey>, versions = [v1]) =>
    decideMasterKey(observed(key, versions), NOW).step;

  test("is new => it waits, and Ready says why", () => {
    const plan = decideMasterKey(observed(masterKey(), []), NOW);
    expect(plan.step).toMatchObject({ kind: "wait", reason: "QuotaExceeded" });
    expect(plan.findings).toContainEqual(
      expect.objectContaining({ type: "Ready", status: "False", reason: "QuotaExceeded" }),
    );
  });
  test("has a keyId and no version => it waits", () => {
    expect(step(masterKey({ status: { keyId: keyId(1) } }), [])).toMatchObject({ reason: "QuotaExceeded" });
  });
  test("was deleted and is made again => it adopts its versions", () => {
    expect(step(masterKey())).toMatchObject({ kind: "adopt" });
  });
  test("has a version on its way => it is promoted", () => {
    expect(step(masterKey({ status: { keyId: keyId(1) } }))).toMatchObject({ kind: "promote" });
  });
  test("has begun a rotation => its version is made", () => {
    const startedAt = "2026-01-02T03:00:00Z";
    const running = { trigger: "OnDemand", number: 2, startedAt, phase: "Distributing" } as const;
    const status = { ...statusWith(v1), rotation: { running } };
    expect(step(masterKey({ status }))).toMatchObject({ kind: "createVersion", number: 2 });
  });
});

describe("a rotation in a namespace that is full", () => {
  const decide = (spec: object, status: object, of: Room) =>
    decideRotation(
      masterKey({
        spec: { rotation: { onDemandLimit: 25, ...spec } },
        status: { ...statusWith(keyVersion(1)), rotation: status },
      }),
      NOW,
      { room: of },
    );
  const asked = { requestToken: "now" };
  const due = { enabled: true, periodInDays: 90 };
  const long = { clockStartedAt: "2025-01-01T00:00:00Z" };

  test("was asked for => it waits and says why", () => {
    const plan = decide(asked, {}, room({ keyVersions: 10 }));
    expect(plan).not.toHaveProperty("begin");
    expect(plan.finding).toMatchObject({ status: "False", reason: "QuotaExceeded" });
  });
  test("is due => it begins all the same, up to twice the quota", () => {
    expect(decide(due, long, room({ keyVersions: 19 })).begin).toEqual({ trigger: "Automatic" });
    const none = decide(due, long, room({ keyVersions: 20 }));
    expect(none).not.toHaveProperty("begin");
    expect(none.finding).toMatchObject({ status: "False", reason: "QuotaExceeded" });
  });
  test("was asked for too often => it waits until a time that it names, and begins then", () => {
    const of = room({ asked: Array.from({ length: 10 }, () => ago(50)) });
    const plan = decide(asked, {}, of);
    expect(plan.finding).toMatchObject({ status: "False", reason: "RateLimited" });
    expect(plan.waitsUntil).toEqual(new Date(NOW.getTime() + 10 * MINUTE));
    expect(decide(asked, {}, room({})).begin).toEqual({ trigger: "OnDemand", token: "now" });
  });
  test("was asked for more often than any key may => refused, whatever onDemandLimit says", () => {
    const generous = { ...asked, onDemandLimit: 100_000 };
    expect(decide(generous, { onDemandCount: MOST_ON_DEMAND - 1 }, room({})).begin).toBeDefined();
    const plan = decide(generous, { onDemandCount: MOST_ON_DEMAND }, room({}));
    expect(plan.finding).toMatchObject({
      reason: "OnDemandLimitReached",
      message: expect.stringContaining("whatever spec.rotation.onDemandLimit says"),
    });
  });
});
