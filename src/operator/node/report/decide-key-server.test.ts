import { describe, expect, test } from "vitest";
import { kmsKeyId } from "../../../crypto/ids.ts";
import { conditionOf } from "../../../resources/conditions.ts";
import type { KeyServerStatus } from "../../../resources/schemas/key-server.ts";
import {
  condition,
  EARLIER,
  keyId,
  keyServer,
  masterKey,
  NOW,
  NOW_TEXT,
  versionId,
  versionRow,
} from "../../../testing/objects.ts";
import { nodeViews } from "../../nodes/node-views.ts";
import { switchesOf } from "../../reencryption/switches.ts";
import type { ApiServerState } from "../decide-api-server.ts";
import { decideKeyServerStatus } from "./decide-key-server.ts";
import type { ObservedNode } from "./observed-node.ts";

const SERVED = kmsKeyId(keyId(1), versionId(2));
const provider = {
  name: "secrets",
  socket: "/run/s.sock",
  ref: { key: { namespace: "apps", name: "secrets" } },
};
const observation = {
  provider: "secrets",
  kmsKeyId: SERVED,
  servingSince: Date.parse("2026-01-01T10:00:00.900Z"),
  encrypts: 3,
  settled: false,
};

const status = (changes: Partial<ObservedNode> = {}) =>
  decideKeyServerStatus(
    {
      before: undefined,
      nodeUid: undefined,
      persistedResourceVersion: "41",
      versions: [versionRow(1), versionRow(2)],
      prepared: [],
      problems: [],
      seal: { provider: "file", rootKeyId: "root-1" },
      providers: [provider],
      observations: [observation],
      ...changes,
    },
    NOW,
  );

describe("the status of a KeyServer", () => {
  test("all is well => Ready, with what is stored", () => {
    const candidate = { name: "k-3", versionId: versionId(3), namespace: "apps", since: 0 };
    expect(status({ prepared: [candidate] })).toMatchObject({
      persistedResourceVersion: "41",
      versions: 2,
      prepared: [{ name: "k-3", versionId: versionId(3) }],
      seal: { provider: "file", rootKeyId: "root-1" },
      conditions: [
        { type: "ApiServerInStep", status: "Unknown", reason: "NotCompared" },
        { type: "Ready", status: "True", reason: "InStep", lastTransitionTime: NOW_TEXT },
      ],
    });
  });
  test("a provider of which nothing was observed => not Ready, naming it", () => {
    expect(conditionOf(status({ observations: [] }).conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "ProviderWithoutKey",
      message:
        "provider secrets serves nothing yet: apps/secrets has no current version, or the plugin is not running",
    });
  });
  test("no plugin answers any more => not Ready, with the socket and what to do", () => {
    const silent = [{ name: "secrets", socket: "/run/s.sock", fault: "ENOENT" }];
    expect(conditionOf(status({ silent }).conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "PluginSilent",
      message:
        "no plugin answers for provider secrets at /run/s.sock (ENOENT): start it, or restart one that hangs; this node's API server writes for three minutes more what goes through it, and after a restart of its own reads none of it",
    });
  });
  test("no plugin answers, whatever else is the matter => its last word of being settled is not passed on", () => {
    const observations = [{ ...observation, settled: true }];
    const silent = [{ name: "secrets", socket: "/run/s.sock", fault: "ENOENT" }];
    const problems = [{ reason: "SealUnavailable", message: "no root key" }];
    expect(status({ observations, problems }).providers?.[0]).toMatchObject({ settled: true });
    expect(status({ observations, problems, silent }).providers?.[0]).toMatchObject({ settled: false });
  });
  const EDIT = "2026-01-02T03:00:00.500Z";
  const reported = (changes: object): KeyServerStatus => ({
    providers: [{ name: "secrets", socket: "/run/s.sock", serves: "apps/secrets", ...changes }],
  });
  const one = { entries: 1, resources: ["secrets"], reads: ["secrets"] };
  const two = { entries: 2, resources: ["secrets"], reads: ["secrets"] };
  const other = { entries: 1, resources: ["configmaps"], reads: ["configmaps"] };
  test.each<readonly [string, KeyServerStatus | undefined, string | undefined, string | undefined]>([
    ["nothing was reported before => no edit is known of", undefined, undefined, undefined],
    ["what is on the socket was not known before => nor then", reported({}), undefined, undefined],
    ["the same is on it => no edit", reported(one), undefined, undefined],
    ["other resources => an edit, as old as the file", reported(other), undefined, EDIT],
    ["another number of entries => an edit, as old as the file", reported(two), undefined, EDIT],
    ["other resources, and an Encrypt before the edit => an edit", reported(other), "03:00:00.499", EDIT],
    ["other resources, and an Encrypt since => taken up", reported(other), "03:00:00.500", undefined],
    [
      "as after an edit, no Encrypt since => it stands",
      reported({ ...one, editNotTakenUp: EARLIER }),
      undefined,
      EARLIER,
    ],
    [
      "as after an edit, and an Encrypt since => taken up",
      reported({ ...one, editNotTakenUp: EARLIER }),
      "03:00:00.000",
      undefined,
    ],
  ])("%s", (_, before, encrypted, expected) => {
    const providers = [{ ...provider, scope: one, editedAt: Date.parse(EDIT) }];
    const lastEncryptAt = encrypted && Date.parse(`2026-01-02T${encrypted}Z`);
    const observations = [{ ...observation, ...(lastEncryptAt && { lastEncryptAt }) }];
    expect(status({ before, providers, observations }).providers?.[0]?.editNotTakenUp).toBe(expected);
  });
  test("an edit of a time to come, as the clock was ahead or the file's date is wrong => is of now at the latest", () => {
    const providers = [{ ...provider, scope: one, editedAt: Date.parse("2027-01-01T00:00:00Z") }];
    const observations = [observation];
    const found = status({ before: reported(other), providers, observations }).providers?.[0];
    expect(found?.editNotTakenUp).toBe(NOW.toISOString());
    const before = reported({ ...one, editNotTakenUp: "2027-01-01T00:00:00.000Z" });
    expect(status({ before, providers, observations }).providers?.[0]?.editNotTakenUp).toBe(
      NOW.toISOString(),
    );
  });
  test("a file that cannot be read => the last edit stands", () => {
    const before = reported({ editNotTakenUp: EARLIER });
    expect(status({ before }).providers?.[0]?.editNotTakenUp).toBe(EARLIER);
  });
  const HEARD = Date.parse("2026-01-01T11:58:30Z");
  const asked = (before: string | undefined, notAskedSince?: number) => {
    const episode = "0b7c5c0e-7a6b-4a3c-9d55-3f1f0a9d2c11";
    const seen = { ...observation, episode, lastStatusAt: HEARD, ...(notAskedSince && { notAskedSince }) };
    const lastStatus = before === undefined ? {} : { lastStatusTime: before };
    return status({ before: reported(lastStatus), observations: [seen] }).providers?.[0];
  };
  test("what the plugin saw of Status is reported: the episode, the last time, and since when none came", () => {
    expect(asked(undefined)).toMatchObject({
      episode: "0b7c5c0e-7a6b-4a3c-9d55-3f1f0a9d2c11",
      lastStatusTime: "2026-01-01T11:58:30Z",
    });
    expect(asked(undefined)).not.toHaveProperty("notAskedSince");
    expect(asked(undefined, HEARD)).toMatchObject({ notAskedSince: "2026-01-01T11:58:30Z" });
  });
  test.each([
    ["one that is not two minutes old stands: an idle cluster writes seldom", "2026-01-01T11:56:31Z", false],
    ["one of two minutes ago is replaced", "2026-01-01T11:56:30Z", true],
    ["one of a time to come, as the clock was set back, is replaced", "2026-01-01T13:00:00Z", true],
    ["one that cannot be read is replaced", "lately", true],
  ])("of the time of the last Status, %s", (_, before, replaced) => {
    expect(asked(before)?.lastStatusTime).toBe(replaced ? "2026-01-01T11:58:30Z" : before);
  });
  test("no Node object, no seal => neither is stated", () => {
    const stated = status({ seal: undefined });
    expect(stated).not.toHaveProperty("nodeUid");
    expect(stated).not.toHaveProperty("seal");
  });
  test("a Node object => its uid", () => {
    expect(status({ nodeUid: "uid-1" }).nodeUid).toBe("uid-1");
  });
  test("several problems => not Ready, for the first", () => {
    const problems = [
      { reason: "SealUnavailable", message: "no root key" },
      { reason: "HandBackFailed", message: "refused" },
    ];
    expect(conditionOf(status({ problems }).conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "SealUnavailable",
      message: "no root key",
    });
  });
  test.each(["ObjectUnreadable", "DestructionNotDue", "TimeNotSeen", "ClocksDisagree"])(
    "%s, which keeps nobody from promoting, and after it a problem that does => Ready shows the latter, and the leader waits for the node",
    (reason) => {
      const problems = [
        { reason, message: "an affair of its own" },
        { reason: "SealUnavailable", message: "no root key" },
      ];
      const { conditions = [] } = status({ problems });
      expect(conditionOf(conditions, "Ready")).toMatchObject({ reason: "SealUnavailable" });
      const [view] = nodeViews([keyServer("a", { conditions })], new Map(), NOW);
      expect(view).toMatchObject({ problem: "no root key" });
      expect(conditionOf(status({ problems: problems.slice(0, 1) }).conditions, "Ready")).toMatchObject({
        reason,
      });
    },
  );
  test("Ready before and after => lastTransitionTime stays", () => {
    const before = { conditions: [condition("Ready")] };
    expect(conditionOf(status({ before }).conditions, "Ready")?.lastTransitionTime).toBe(EARLIER);
  });
});

describe("whether the API server is in step", () => {
  const SILENT = Date.parse("2026-01-01T11:55:00Z");
  const loaded: ApiServerState = {
    status: { encryptionConfig: "Loaded", configHash: "sha256:1" },
    refused: false,
    finding: undefined,
  };
  const finding = (state: "False" | "Unknown", reason: string): ApiServerState => ({
    status: { encryptionConfig: "NotLoaded" },
    refused: false,
    finding: { type: "ApiServerInStep", status: state, reason, message: "why" },
  });
  const silent = [{ ...observation, notAskedSince: SILENT }];
  const scoped = (entries: number) => [{ ...provider, scope: { entries, resources: [], reads: [] } }];
  test.each<readonly [string, Partial<ObservedNode>, string, string]>([
    ["it goes by its file and asks => InStep", { apiServer: loaded }, "True", "InStep"],
    [
      "it goes by another one",
      { apiServer: finding("False", "EncryptionConfigNotLoaded") },
      "False",
      "EncryptionConfigNotLoaded",
    ],
    ["it does not tell", { apiServer: finding("Unknown", "NotCompared") }, "Unknown", "NotCompared"],
    ["standalone nobody asks it", {}, "Unknown", "NotCompared"],
    [
      "it goes by its file, and nobody asks",
      { apiServer: loaded, observations: silent },
      "False",
      "ApiServerSilent",
    ],
    [
      "it does not tell, and nobody asks",
      { apiServer: finding("Unknown", "NotCompared"), observations: silent },
      "False",
      "ApiServerSilent",
    ],
    ["standalone nobody asks", { observations: silent }, "False", "ApiServerSilent"],
    [
      "it has no file, and so does not ask => the former is the cause",
      { apiServer: finding("False", "EncryptionConfigNotConfigured"), observations: silent },
      "False",
      "EncryptionConfigNotConfigured",
    ],
    [
      "nobody asks at a socket that its file does not name",
      { apiServer: loaded, observations: silent, providers: scoped(0) },
      "True",
      "InStep",
    ],
    [
      "nobody asks at a socket that its file names",
      { apiServer: loaded, observations: silent, providers: scoped(1) },
      "False",
      "ApiServerSilent",
    ],
  ])("%s", (_, changes, state, reason) => {
    const { conditions } = status(changes);
    expect(conditionOf(conditions, "ApiServerInStep")).toMatchObject({ status: state, reason });
    expect(conditionOf(conditions, "Ready")).toMatchObject({ status: "True" });
  });
  const graver = { reason: "SealUnavailable", message: "no root key" };
  const unreadable = { reason: "EncryptionConfigInvalid", message: "line 3" };
  const noPlugin = [{ name: "secrets", socket: "/run/s.sock", fault: "ENOENT" }];
  test.each<readonly [string, Partial<ObservedNode>, string]>([
    ["no plugin answers", { silent: noPlugin }, "PluginSilent"],
    ["its file cannot be read", { problems: [graver, unreadable] }, "EncryptionConfigInvalid"],
  ])(
    "%s, and Ready has a graver reason => not known to be in step, and nothing is proven of its sockets",
    (_, changes, reason) => {
      const said = status({ apiServer: loaded, problems: [graver], ...changes });
      expect(conditionOf(said.conditions, "Ready")).toMatchObject({ reason: "SealUnavailable" });
      expect(conditionOf(said.conditions, "ApiServerInStep")).toMatchObject({ status: "Unknown", reason });
      const server = keyServer("a", {
        ...said,
        providers: [{ name: "p", socket: "/p", serves: "apps/secrets" }],
      });
      expect(switchesOf(masterKey(), new Set(), [server])).toMatchObject([{ blind: reason }]);
    },
  );
  test.each(["PassFailed", "KeyringUnavailable", "KeyringCorrupt"])(
    "%s => the sockets in the report are those of before, and nothing is proven of them",
    (reason) => {
      const conditions = [condition("Ready", { status: "False", reason })];
      const providers = [{ name: "p", socket: "/p", serves: "apps/secrets", settled: true }];
      const server = keyServer("a", { providers, conditions });
      expect(switchesOf(masterKey(), new Set(), [server])).toMatchObject([{ blind: reason }]);
    },
  );
  test("what it says of itself is in the status", () => {
    expect(status({ apiServer: loaded }).apiServer).toEqual(loaded.status);
    expect(status()).not.toHaveProperty("apiServer");
  });
  test("a hostile or endless text of others is in it => one line that fits", () => {
    const message = `\u001b[2J${"\u0007".repeat(5_000)}`;
    const { apiServer } = status({ apiServer: { ...loaded, status: { ...loaded.status, message } } });
    expect(apiServer?.message?.length).toBeLessThanOrEqual(1_024);
    expect(apiServer?.message).not.toMatch(/\p{Cc}/u);
  });
  test("it is not in step => no promotion waits for that", () => {
    const { conditions = [] } = status({ apiServer: finding("False", "EncryptionConfigRefused") });
    const [view] = nodeViews([keyServer("a", { conditions })], new Map(), NOW);
    expect(view).not.toHaveProperty("problem");
  });
  const EDITED = Date.parse("2026-01-01T11:00:00.250Z");
  const edit = (takenUp: boolean, editedAt: number, before?: KeyServerStatus) =>
    status({
      before,
      providers: [{ ...provider, editedAt, takenUp }],
      observations: [{ ...observation, lastEncryptAt: NOW.getTime() }],
    }).providers?.[0]?.editNotTakenUp;
  test("by its word an edit is taken up, or not, whatever Encrypts came", () => {
    expect(edit(false, EDITED)).toBe("2026-01-01T11:00:00.250Z");
    expect(edit(true, EDITED)).toBeUndefined();
  });
  test("an edit of a time to come => of now, and then it stands", () => {
    const ahead = NOW.getTime() + 3_600_000;
    const first = edit(false, ahead);
    expect(first).toBe(NOW.toISOString());
    const before = {
      providers: [
        { name: "secrets", socket: "/run/s.sock", serves: "apps/secrets", editNotTakenUp: EARLIER },
      ],
    };
    expect(edit(false, ahead, before)).toBe(EARLIER);
  });
});

describe("providers", () => {
  test("the plugin has not served it yet => name, socket and key only", () => {
    const stated = status({ observations: [] });
    expect(stated.providers).toEqual([{ name: "secrets", socket: "/run/s.sock", serves: "apps/secrets" }]);
    expect(stated.serving).toBe("secrets: nothing yet");
  });
  test("the plugin serves it => key_id, version and what was seen", () => {
    const lastEncryptAt = Date.parse("2026-01-01T11:00:00Z");
    const stated = status({ observations: [{ ...observation, lastEncryptAt }] });
    expect(stated.providers).toEqual([
      {
        name: "secrets",
        socket: "/run/s.sock",
        serves: "apps/secrets",
        kmsKeyId: SERVED,
        version: 2,
        servingSince: "2026-01-01T10:00:00Z",
        encrypts: 3,
        settled: false,
        lastEncryptTime: "2026-01-01T11:00:00Z",
      },
    ]);
    expect(stated.serving).toBe("secrets: apps/secrets v2");
  });
  test("nothing was encrypted yet => no lastEncryptTime", () => {
    expect(status({ observations: [observation] }).providers?.[0]).not.toHaveProperty("lastEncryptTime");
  });
  test("a key_id of no version that is stored here => the key_id without a version", () => {
    const [stated] = status({ observations: [observation], versions: [] }).providers ?? [];
    expect(stated).toMatchObject({ kmsKeyId: SERVED });
    expect(stated).not.toHaveProperty("version");
  });
  test("an observation of a provider that is configured no more => is left out", () => {
    const stale = { ...observation, provider: "former" };
    expect(status({ observations: [stale] }).providers).toHaveLength(1);
  });
  test("several, one by an alias => all in one line", () => {
    const alias = { name: "b", socket: "/run/b.sock", ref: { alias: { namespace: "apps", name: "main" } } };
    const observations = [observation, { ...observation, provider: "b" }];
    expect(status({ providers: [provider, alias], observations }).serving).toBe(
      "secrets: apps/secrets v2, b: alias apps/main v2",
    );
  });
  test("no providers => an empty line", () => {
    expect(status({ providers: [] }).serving).toBe("");
  });
});
