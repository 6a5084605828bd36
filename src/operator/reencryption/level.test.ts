import { describe, expect, test } from "vitest";
import type { MasterKey } from "../../resources/resources.ts";
import type { Condition } from "../../resources/schemas/fields.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import { MOST_PROVEN_SOCKETS } from "../../resources/schemas/reencryption.ts";
import { condition, EARLIER, masterKey, NOW, NOW_TEXT, node, statusWith } from "../../testing/objects.ts";
import { counted as countedOn, NEW, OLD, STRAY, socketSwitch, v2 } from "../../testing/reencryption.ts";
import { decideReencryption } from "./decide-reencryption.ts";
import { snapshotOf } from "./ground.ts";
import type { Switch } from "./switches.ts";
import type { ObservedReencryption, Work } from "./work.ts";

/** Five minutes ago. */
const LATELY = "2026-01-02T02:59:05Z";

const socket = (changes: Partial<Switch> = {}): Switch =>
  socketSwitch({ reads: ["secrets"], encryptionConfig: "Loaded", ...changes });
const onB = (changes: Partial<Switch> = {}): Switch => socket({ node: "b", episode: "e2", ...changes });
const BOTH = [socket(), onB()];
const NODES = [node("a", []), node("b", [])];

const complete = (changes: Partial<ReencryptionStatus> = {}): ReencryptionStatus => ({
  kmsKeyId: NEW,
  phase: "Complete",
  verified: true,
  resources: ["secrets"],
  startedAt: EARLIER,
  completedAt: EARLIER,
  provenSince: EARLIER,
  lastCensusTime: LATELY,
  proof: snapshotOf(BOTH),
  remaining: 0,
  round: 3,
  done: 9,
  settledRound: true,
  ...changes,
});
const in_ = (phase: ReencryptionStatus["phase"], changes: Partial<ReencryptionStatus> = {}) => {
  const { completedAt: _, proof: __, provenSince: ___, ...rest } = complete();
  return { ...rest, phase, verified: false, ...changes };
};
const STRAYS = [STRAY];
const counted = (remaining: number, switches: readonly Switch[] = BOTH): Work =>
  countedOn(remaining, switches);

interface Observed extends Partial<Omit<ObservedReencryption, "masterKey">> {
  readonly before?: ReencryptionStatus;
  readonly conditions?: readonly Condition[];
  readonly spec?: Partial<MasterKey["spec"]>;
}

function decide({ before, conditions, spec, ...observed }: Observed = {}) {
  const status = {
    ...statusWith(v2),
    ...(before && { reencryption: before }),
    ...(conditions && { conditions }),
  };
  return decideReencryption(
    {
      masterKey: masterKey({ status, ...(spec && { spec }) }),
      switches: BOTH,
      nodes: NODES,
      work: { kind: "idle" },
      reachable: true,
      census: true,
      ...observed,
    },
    NOW,
  );
}

describe("Complete lasts only as long as what it rests on", () => {
  test("nothing has changed => it stays, as it is", () => {
    expect(decide({ before: complete() })).toMatchObject({
      task: { kind: "none" },
      status: complete(),
      finding: { status: "True", reason: "Verified" },
    });
  });

  test.each<readonly [string, Observed, string, string]>([
    ["another episode", { switches: [socket(), onB({ episode: "e3" })] }, "Verifying", "Verifying"],
    ["another Encrypt", { switches: [socket(), onB({ encrypts: 2 })] }, "Verifying", "Verifying"],
    ["not settled", { switches: [socket(), onB({ settled: false })] }, "Verifying", "Verifying"],
    [
      "another key_id",
      { switches: [socket(), onB({ kmsKeyId: OLD, episode: "e3" })] },
      "Switching",
      "Switching",
    ],
    [
      "no Status for three minutes",
      { switches: [socket(), onB({ notAskedSince: LATELY })] },
      "Verifying",
      "ApiServerSilent",
    ],
    [
      "its operator is silent",
      { nodes: [node("a", []), node("b", [], { stale: true })] },
      "Verifying",
      "NodeNotHeardOf",
    ],
    [
      "its KeyServer was made again and says nothing yet",
      { switches: [socket()], nodes: [node("a", []), node("b", [], { unreported: true })] },
      "Verifying",
      "Verifying",
    ],
    [
      "its Lease is there without a KeyServer, and stale",
      { switches: [socket()], nodes: [node("a", []), node("b", [], { unreported: true, stale: true })] },
      "Verifying",
      "NodeNotHeardOf",
    ],
    ["it was taken out", { switches: [socket()], nodes: [node("a", [])] }, "Verifying", "Verifying"],
    [
      "another node has come, whose API server stores the same",
      { switches: [...BOTH, socket({ node: "c" })], nodes: [...NODES, node("c", [])] },
      "Verifying",
      "Verifying",
    ],
    [
      "an API server of which no KeyServer tells",
      { unclaimed: ["apiserver-x"] },
      "Verifying",
      "ApiServerWithoutNode",
    ],
    [
      "another node has come, without a provider of this key",
      { nodes: [...NODES, node("c", [])] },
      "Verifying",
      "NodesDiffer",
    ],
    [
      "another socket of it serves the key",
      { switches: [...BOTH, onB({ provider: "more" })] },
      "Verifying",
      "Verifying",
    ],
    [
      "its API server stores fewer resources",
      { switches: [socket(), onB({ resources: [] })] },
      "Verifying",
      "NodesDiffer",
    ],
    [
      "its API server stores more resources",
      { switches: [socket(), onB({ resources: ["secrets", "configmaps"] })] },
      "Switching",
      "NodesDiffer",
    ],
    [
      "its API server goes by another file than is there",
      { switches: [socket(), onB({ encryptionConfig: "NotLoaded" })] },
      "Verifying",
      "EncryptionConfigNotLoaded",
    ],
    [
      "its API server runs without a file",
      { switches: [socket(), onB({ encryptionConfig: "NotConfigured", entries: 0, resources: [] })] },
      "Verifying",
      "EncryptionConfigNotConfigured",
    ],
    [
      "no plugin answers, and what it told is its last word",
      { switches: [socket(), onB({ blind: "PluginSilent" })] },
      "Verifying",
      "PluginSilent",
    ],
    [
      "a node's operator fails, and what it told is its last word",
      { switches: [socket(), onB({ blind: "PassFailed" })] },
      "Verifying",
      "PassFailed",
    ],
    [
      "an EncryptionConfiguration that the node cannot read",
      { switches: [socket(), onB({ blind: "EncryptionConfigInvalid" })] },
      "Verifying",
      "EncryptionConfigInvalid",
    ],
    [
      "an edit that its API server does not go by",
      { switches: [socket(), onB({ editNotTakenUp: LATELY })] },
      "Verifying",
      "Verifying",
    ],
    [
      "an older release that reports no episode",
      { switches: [socket(), withoutEpisode(onB())] },
      "Verifying",
      "NodeNotUpgraded",
    ],
    ["a plugin that serves nothing yet", { switches: [socket(), starting(onB())] }, "Verifying", "Verifying"],
    [
      "a status without a proof, as former releases wrote it",
      { before: withoutProof() },
      "Verifying",
      "Verifying",
    ],
  ])("%s => no longer complete, nor verified, and the condition says why", (_, observed, phase, reason) => {
    const { status, finding } = decide({ before: complete(), ...observed });
    expect(status).toMatchObject({ phase, verified: false });
    expect(status).not.toHaveProperty("completedAt");
    expect(status).not.toHaveProperty("proof");
    expect(finding).toMatchObject({ type: "Reencrypted", status: "False", reason });
  });

  test.each<readonly [string, Switch, RegExp]>([
    [
      "a silent API server",
      onB({ notAskedSince: LATELY }),
      /secrets on b \(its API server has not asked Status since 2026-01-02T02:59:05Z: start it/,
    ],
    [
      "another file",
      onB({ encryptionConfig: "NotLoaded" }),
      /secrets on b \(its API server uses another EncryptionConfiguration than the file on the disk: the condition ApiServerInStep of its KeyServer says whether to restart it, or to mend the file first/,
    ],
    [
      "an older release",
      withoutEpisode(onB()),
      /secrets on b \(its plugin or operator is of an older release, which reports no episode: upgrade it, and apply crds\/ again\)/,
    ],
  ])("%s => the message names socket and node, and what to do", (_, other, text) => {
    expect(decide({ before: complete(), switches: [socket(), other] }).finding?.message).toMatch(text);
  });

  test("the ground is there again, with a new episode => counted, and nothing is written again", () => {
    const switches = [socket(), onB({ episode: "e3" })];
    const { task, status = complete() } = decide({ before: complete(), switches });
    expect(task).toEqual({ kind: "count", resources: ["secrets"], ground: snapshotOf(switches) });
    const done = decide({ before: status, switches, work: counted(0, switches) });
    expect(done).toMatchObject({
      task: { kind: "none" },
      status: {
        phase: "Complete",
        verified: true,
        round: 3,
        completedAt: NOW_TEXT,
        proof: snapshotOf(switches),
      },
    });
  });

  test("a status of the former release, and nothing is left => verified by one census, without another round", () => {
    const { task, status = complete() } = decide({ before: withoutProof() });
    expect(task.kind).toBe("count");
    expect(decide({ before: status, work: counted(0) }).status).toMatchObject({
      phase: "Complete",
      round: 3,
    });
  });

  test("without etcd => another round, which begins once all is settled", () => {
    const lost = { before: complete({ verified: false }), census: false };
    const waiting = decide({ ...lost, switches: [socket(), onB({ encrypts: 2, settled: false })] });
    expect(waiting).toMatchObject({ task: { kind: "none" }, status: { phase: "Verifying", round: 3 } });
    const begun = decide({ ...lost, switches: [socket(), onB({ encrypts: 2 })] });
    expect(begun).toMatchObject({ task: { kind: "rewrite" }, status: { round: 4, settledRound: true } });
  });

  test("the key is disabled and its ground is lost => it waits until it is enabled", () => {
    const { task, status, finding } = decide({
      before: complete(),
      spec: { enabled: false },
      switches: [socket(), onB({ episode: "e3" })],
    });
    expect([task.kind, status?.phase, finding?.reason]).toEqual(["none", "Verifying", "KeyDisabled"]);
  });

  test("the proof names each socket, node by node, of the reports on which it was decided", () => {
    const { status } = decide({ before: in_("Verifying"), switches: [...BOTH].reverse(), work: counted(0) });
    expect(status?.proof).toEqual([
      { node: "a", provider: "secrets", episode: "e1", encrypts: 1 },
      { node: "b", provider: "secrets", episode: "e2", encrypts: 1 },
    ]);
  });

  test("more sockets than a proof can name => said, and never proven", () => {
    const switches = Array.from({ length: MOST_PROVEN_SOCKETS + 1 }, (_, n) => socket({ provider: `p${n}` }));
    const work = counted(0, switches);
    const { status, finding } = decide({ before: in_("Verifying"), switches, nodes: [node("a", [])], work });
    expect([status?.phase, finding?.reason]).toEqual(["Verifying", "TooManySockets"]);
  });
});

describe("every API server by itself puts the same on the key", () => {
  test.each<readonly [string, Observed, string, RegExp]>([
    [
      "one stores nothing under it, and cannot read it",
      { switches: [socket(), onB({ resources: [], entries: 0, reads: [] })] },
      "NodesDiffer",
      /the EncryptionConfiguration of b does not store secrets under this key, as other nodes do, and cannot read secrets that they write; make the same edit on every node/,
    ],
    [
      "one has it second, and reads it",
      { switches: [socket(), onB({ resources: [] })] },
      "NodesDiffer",
      /of b does not store secrets under this key, as other nodes do, and can read them;/,
    ],
    [
      "one stores more than the others",
      { switches: [socket(), onB({ resources: ["secrets", "configmaps"] })] },
      "NodesDiffer",
      /of a does not store configmaps under this key, as other nodes do, and cannot read configmaps/,
    ],
    [
      "one has no provider of the key",
      { switches: [socket()] },
      "NodesDiffer",
      /b has no provider that serves this key, and other nodes store secrets under it/,
    ],
    [
      "one writes under another provider name, by which the other one cannot read",
      { switches: [socket({ namesHash: "n1" }), onB({ namesHash: "n2" })] },
      "NodesDiffer",
      /of a, b store the same resources under this key by kms providers of different names.*same name on every node/,
    ],
    [
      "one has no claviger beside it",
      { unclaimed: ["apiserver-x"] },
      "ApiServerWithoutNode",
      /no KeyServer reports API server apiserver-x, .* Install claviger on its node/,
    ],
    [
      "one was started without a file",
      { switches: [socket(), onB({ encryptionConfig: "NotConfigured", resources: [], entries: 0 })] },
      "EncryptionConfigNotConfigured",
      /the API server of b was started without --encryption-provider-config: it stores secrets plain/,
    ],
    [
      "one does not know its file",
      { switches: [socket(), withoutEntries(onB())] },
      "EncryptionConfigUnknown",
      /set encryptionConfig in the configuration of b to the file/,
    ],
    [
      "a wildcard that leaves something out on one of them",
      {
        switches: [socket({ resources: ["*.*"] }), onB({ resources: ["!events", "*.*"] })],
      },
      "NodesDiffer",
      /of b does not store events under this key/,
    ],
  ])(
    "%s => nothing is written again, and the message says where and what to do",
    (_, observed, reason, text) => {
      for (const phase of ["Switching", "Reencrypting", "Verifying"] as const) {
        const { task, status, finding } = decide({ before: in_(phase), ...observed, work: counted(0) });
        expect(task.kind).toBe("none");
        expect(status?.phase).not.toBe("Complete");
        expect(status?.phase).not.toBe("Reencrypting");
        expect(finding).toMatchObject({ status: "False", reason });
        expect(finding?.message).toMatch(text);
      }
    },
  );

  test.each<readonly [string, readonly Switch[]]>([
    [
      "in another order",
      [socket({ resources: ["secrets", "configmaps"] }), onB({ resources: ["configmaps", "secrets"] })],
    ],
    [
      "one by the key's name, the other through an alias",
      [socket({ provider: "direct" }), onB({ provider: "aliased" })],
    ],
    [
      "one through two sockets, the other through one",
      [
        socket({ resources: ["secrets"] }),
        socket({ provider: "more", resources: ["configmaps"] }),
        onB({ resources: ["configmaps", "secrets"] }),
      ],
    ],
    [
      "one names what its wildcard covers anyway",
      [socket({ resources: ["*.*"] }), onB({ resources: ["secrets", "*.*"] })],
    ],
  ])("the same resources, %s => objects are written again", (_, switches) => {
    expect(decide({ switches }).task.kind).toBe("rewrite");
  });

  test("an operator is silent => nothing begins to be written: its API server may do anything", () => {
    const nodes = [node("a", []), node("b", [], { stale: true })];
    expect(decide({ before: in_("Switching"), nodes })).toMatchObject({
      task: { kind: "none" },
      finding: { reason: "NodeNotHeardOf" },
    });
  });

  test("moving out, one node after the other => no round fights it, and in the end nothing is said of what is past", () => {
    const first = [socket({ resources: [] }), onB()];
    const half = decide({
      before: in_("Reencrypting"),
      switches: first,
      work: { kind: "rewriting", round: ROUND },
    });
    expect(half).toMatchObject({ task: { kind: "none" }, finding: { reason: "NodesDiffer" } });
    const conditions = [condition("Reencrypted")];
    const last = [socket({ resources: [] }), onB({ resources: [] })];
    const out = decide({ before: complete(), conditions, switches: last });
    expect(out).toMatchObject({
      task: { kind: "none" },
      finding: { status: "Unknown", reason: "NothingStored" },
    });
    expect(out.status).toBeUndefined();
    expect(decide({ conditions, switches: [] }).finding?.reason).toBe("NothingStored");
  });

  test("no API server has the flag any more => said as what it is", () => {
    const off = { encryptionConfig: "NotConfigured", entries: 0, resources: [] } as const;
    const { status, finding } = decide({ before: complete(), switches: [socket(off), onB(off)] });
    expect(status).toBeUndefined();
    expect(finding).toMatchObject({ status: "False", reason: "EncryptionConfigNotConfigured" });
    expect(finding?.message).toMatch(
      /the API server of a, b was started without --encryption-provider-config/,
    );
  });

  test("nothing ever was stored under the key => nothing is said", () => {
    expect(decide({ switches: [] }).finding).toBeUndefined();
    const unused = { entries: 0, resources: [] };
    expect(decide({ switches: [socket(unused), onB(unused)] }).finding).toBeUndefined();
  });
});

describe("a count", () => {
  test("that began on other sockets than these => is thrown away and made again", () => {
    const switches = [socket(), onB({ encrypts: 2 })];
    const { task, status } = decide({ before: in_("Verifying"), switches, work: counted(0) });
    expect(status).toMatchObject({ phase: "Verifying", verified: false });
    expect(task).toMatchObject({ kind: "count", ground: snapshotOf(switches) });
  });

  test("in the background => begins an hour after the last one, while all stays complete", () => {
    const due = complete({ lastCensusTime: "2026-01-02T02:04:05Z" });
    expect(decide({ before: due })).toMatchObject({
      task: { kind: "count" },
      status: due,
      finding: { status: "True", reason: "Verified" },
    });
    expect(decide({ before: due, censusInterval: 2 * 3_600_000 }).task.kind).toBe("none");
    expect(decide({ before: due, census: false }).task.kind).toBe("none");
  });

  test("in the background that finds nothing => is remembered, and completedAt stays", () => {
    const due = complete({ lastCensusTime: "2026-01-02T02:04:05Z" });
    const { task, status } = decide({ before: due, work: counted(0) });
    expect(task.kind).toBe("none");
    expect(status).toEqual({ ...due, lastCensusTime: NOW_TEXT, lastCensusRevision: 77 });
  });

  test("in the background that fails => all stays complete, and the condition says so", () => {
    const due = complete({ lastCensusTime: "2026-01-02T02:04:05Z" });
    const { task, status, finding } = decide({ before: due, work: { kind: "failed", message: "no etcd" } });
    expect([task.kind, status]).toEqual(["count", due]);
    expect(finding).toMatchObject({
      status: "True",
      message: expect.stringMatching(/the census that is due fails.*no etcd/),
    });
  });

  test.each([
    ["in the background", complete({ lastCensusTime: "2026-01-02T02:04:05Z" })],
    ["after the ground was lost", in_("Verifying", { provenSince: EARLIER })],
  ])("%s that finds strays under a proven key => names them and writes them again, at once", (_, before) => {
    const { task, status, finding } = decide({ before, work: counted(3) });
    expect(task.kind).toBe("rewrite");
    expect(status).toMatchObject({
      phase: "Reencrypting",
      verified: false,
      round: 4,
      remaining: 3,
      strays: STRAYS,
      straysFoundTime: NOW_TEXT,
    });
    for (const gone of ["completedAt", "proof", "provenSince", "nextRoundAt"])
      expect(status).not.toHaveProperty(gone);
    expect(finding).toMatchObject({ status: "False", reason: "StraysFound" });
    expect(finding?.message).toMatch(/found 3 objects .*: secrets apps\/x \(plain\) and 2 more/);
  });

  test("that finds nothing after that => complete, and what was found stays on record", () => {
    const before = in_("Verifying", { straysFoundTime: LATELY, strays: STRAYS, remaining: 3 });
    expect(decide({ before, work: counted(0) }).status).toMatchObject({
      phase: "Complete",
      remaining: 0,
      provenSince: NOW_TEXT,
      straysFoundTime: LATELY,
      strays: STRAYS,
    });
  });

  test("that finds what a round could not write => names it while it is left, and not as strays", () => {
    const before = in_("Verifying", {
      failed: 1,
      failures: [{ object: "secrets apps/x", reason: "Invalid", message: "" }],
    });
    const { status, finding } = decide({ before, work: counted(1) });
    expect(status).toMatchObject({ strays: STRAYS, remaining: 1 });
    expect(status).not.toHaveProperty("straysFoundTime");
    expect(finding?.message).toMatch(
      /1 object is under another key_id or none: secrets apps\/x \(plain\); 1 object could not be written/,
    );
  });
});

test("a round that continues under another leader => what failed before its cursor is handed on", () => {
  const failures = [{ object: "secrets apps/x", reason: "Invalid", message: "" }];
  const before = in_("Reencrypting", { cursor: { resource: "secrets" }, failed: 1, failures });
  expect(decide({ before }).task).toEqual({
    kind: "rewrite",
    resources: ["secrets"],
    cursor: { resource: "secrets" },
    before: { failed: 1, failures },
  });
});

const ROUND = { done: 1, failed: 0, failures: [] };

function withoutEpisode({ episode: _, ...one }: Switch): Switch {
  return one;
}

function withoutEntries({ entries: _, ...one }: Switch): Switch {
  return { ...one, resources: [] };
}

function starting({ episode: _, kmsKeyId: __, ...one }: Switch): Switch {
  return { ...one, encrypts: 0, settled: false };
}

function withoutProof(): ReencryptionStatus {
  const { proof: _, provenSince: __, lastCensusTime: ___, ...status } = complete();
  return status;
}
