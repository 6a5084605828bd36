import { describe, expect, test } from "vitest";
import type { MasterKey } from "../../resources/resources.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { Round } from "../../storage/stored-objects.ts";
import {
  condition,
  EARLIER,
  keyServer,
  masterKey,
  NOW,
  NOW_TEXT,
  node,
  statusWith,
} from "../../testing/objects.ts";
import { counted as countedOn, NEW, OLD, STRAY, socketSwitch, v2 } from "../../testing/reencryption.ts";
import { rotationOutcome } from "../rotation/rotation-outcome.ts";
import { decideReencryption } from "./decide-reencryption.ts";
import { snapshotOf } from "./ground.ts";
import { type Switch, switchesOf } from "./switches.ts";
import type { ObservedReencryption, Work } from "./work.ts";

const LATER = "2026-01-02T03:10:00Z";

const served = (changes: Partial<Switch> = {}): Switch => socketSwitch({ settled: false, ...changes });
const settled = socketSwitch();
/** The report of a node that does not know its API server's EncryptionConfiguration. */
const blind = (changes: Partial<Switch> = {}): Switch => {
  const { entries: _, ...rest } = served({ settled: true, resources: [], ...changes });
  return rest;
};
/** Returns the nodes of these sockets. */
const nodesOf = (switches: readonly Switch[]) =>
  [...new Set(["a", ...switches.map((one) => one.node)])].map((name) => node(name, []));
/** The second node's operator has created its KeyServer again. */
const STARTING = [node("a", []), node("b", [], { unreported: true })];
const round = (changes: Partial<Round> = {}): Round => ({ done: 10, failed: 0, failures: [], ...changes });
const lackingRight = {
  object: "secrets",
  reason: "Forbidden",
  message: 'secrets is forbidden: User "x" cannot list resource "secrets" in API group ""; apply this file',
};
const refusal = { object: "secrets apps/x", reason: "Forbidden", message: "denied by a policy" };
const status = (phase: ReencryptionStatus["phase"], changes: Partial<ReencryptionStatus> = {}) => ({
  kmsKeyId: NEW,
  phase,
  verified: false,
  resources: ["secrets"],
  startedAt: "2026-01-02T00:00:00Z",
  round: 1,
  ...(phase === "Complete" && { completedAt: EARLIER, proof: snapshotOf([settled]) }),
  ...changes,
});
/** Counted five minutes ago, and proven by that count. */
const VERIFIED = { verified: true, provenSince: EARLIER, lastCensusTime: "2026-01-02T02:59:05Z" } as const;
const counted = (remaining: number, switches: readonly Switch[] = [settled]): Work =>
  countedOn(remaining, switches);

interface Row {
  readonly name: string;
  readonly before?: ReencryptionStatus;
  readonly switches?: readonly Switch[];
  readonly nodes?: ObservedReencryption["nodes"];
  readonly work?: Work;
  readonly census?: boolean;
  readonly reachable?: boolean;
  readonly spec?: Partial<MasterKey["spec"]>;
  /** The phase, the task and the condition's reason. */
  readonly expected: readonly [string | undefined, string, string | undefined];
  readonly also?: Partial<ReencryptionStatus>;
}

function decide({
  before,
  switches = [settled],
  nodes = nodesOf(switches),
  work = { kind: "idle" },
  census = true,
  reachable = true,
  spec,
}: Row) {
  const key = masterKey({
    ...(spec && { spec }),
    status: { ...statusWith(v2), ...(before && { reencryption: before }) },
  });
  const observed: ObservedReencryption = { masterKey: key, switches, nodes, work, census, reachable };
  return decideReencryption(observed, NOW);
}

function check(row: Row): void {
  const { task, status: after, finding } = decide(row);
  expect([after?.phase, task.kind, finding?.reason]).toEqual(row.expected);
  if (row.also !== undefined) expect(after).toMatchObject(row.also);
}

test.each([
  [{ remaining: 1 }, "1 object is under another key_id or none"],
  [{ remaining: 3 }, "3 objects are under another key_id or none"],
  [{ failed: 1, failures: [refusal] }, "1 object could not be written: secrets apps/x (Forbidden)"],
  [
    { failed: 1, failures: [lackingRight] },
    `1 object could not be written: secrets (Forbidden); ${lackingRight.message}`,
  ],
])("what is left, %j => is told in the singular where it is one", (left, text) => {
  const before = status("Reencrypting", { ...left, nextRoundAt: LATER });
  const { finding } = decide({ name: "", before, expected: ["", "", ""] });
  expect(finding?.message).toBe(`${text}; tried again at ${LATER}`);
});

describe("whether there is anything to write again", () => {
  const rows: readonly Row[] = [
    {
      name: "no socket serves the key => nothing is said",
      switches: [],
      expected: [undefined, "none", undefined],
    },
    {
      name: "no API server has the socket => nothing is said",
      switches: [served({ entries: 0, resources: [] })],
      expected: [undefined, "none", undefined],
    },
    {
      name: "no node knows its EncryptionConfiguration => unknown",
      switches: [blind()],
      expected: [undefined, "none", "EncryptionConfigUnknown"],
    },
    {
      name: "the same, and all was complete before => it is no longer, and the rest stays",
      before: status("Complete", { ...VERIFIED, done: 7 }),
      switches: [blind()],
      expected: ["Verifying", "none", "EncryptionConfigUnknown"],
      also: { verified: false, done: 7 },
    },
    {
      name: "the engine is None => left to others",
      spec: { reencryption: { engine: "None" } },
      expected: [undefined, "none", "NotManaged"],
    },
    { name: "standalone => left to others", reachable: false, expected: [undefined, "none", "NotManaged"] },
    {
      name: "standalone, and what is stored is not known => left to others, as nothing could be configured",
      reachable: false,
      switches: [blind()],
      expected: [undefined, "none", "NotManaged"],
    },
    {
      name: "complete, and this operator cannot count => stays so",
      before: status("Complete"),
      census: false,
      expected: ["Complete", "none", "Unverified"],
    },
    {
      name: "complete without a proof by a census, and this operator can count => counts",
      before: status("Complete", { settledRound: true }),
      expected: ["Verifying", "count", "Verifying"],
      also: { verified: false },
    },
    {
      name: "the same, and nothing is left => verified, as of now",
      before: status("Complete", { completedAt: "2026-01-01T00:00:00Z" }),
      work: counted(0),
      expected: ["Complete", "none", "Verified"],
      also: { verified: true, completedAt: NOW_TEXT, proof: snapshotOf([settled]) },
    },
    {
      name: "the same, and some are left => another round",
      before: status("Complete", { round: 1 }),
      work: counted(3),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { round: 2, remaining: 3, strays: [STRAY] },
    },
    {
      name: "complete under an older key_id => all over again",
      before: status("Complete", { kmsKeyId: OLD, round: 7 }),
      switches: [served({ kmsKeyId: OLD })],
      expected: ["Switching", "none", "Switching"],
      also: { kmsKeyId: NEW, round: 0, startedAt: NOW_TEXT, verified: false },
    },
    {
      name: "complete, and the same resources are named in another order => stays complete",
      before: status("Complete", { ...VERIFIED, resources: ["configmaps", "secrets"] }),
      switches: [served({ settled: true, resources: ["secrets", "configmaps"] })],
      expected: ["Complete", "none", "Verified"],
    },
    {
      name: "complete and a resource was added => all over again",
      before: status("Complete"),
      switches: [served({ resources: ["secrets", "configmaps"] })],
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { resources: ["secrets", "configmaps"] },
    },
    {
      name: "the work stops and some could not be written before => they stay named",
      before: status("Reencrypting", { cursor: { resource: "secrets" }, failed: 1, failures: [refusal] }),
      work: { kind: "failed", message: "no connection" },
      expected: ["Reencrypting", "rewrite", "RewriteFailed"],
      also: { failed: 1, failures: [refusal] },
    },
    {
      name: "a resource was added in the middle of a round => the round of all has another number",
      before: status("Reencrypting", { round: 2 }),
      switches: [served({ resources: ["secrets", "configmaps"] })],
      work: { kind: "rewritten", round: round() },
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { round: 3 },
    },
    {
      name: "the key is disabled => it waits",
      before: status("Reencrypting"),
      spec: { enabled: false },
      work: { kind: "rewriting", round: round() },
      expected: ["Reencrypting", "none", "KeyDisabled"],
    },
    {
      name: "the key is disabled and all is complete => complete",
      before: status("Complete"),
      spec: { enabled: false },
      expected: ["Complete", "none", "Unverified"],
    },
  ];
  test.each(rows)("$name", check);

  test("unknown => says which field of which nodes to set, to what, and where to look when it is set", () => {
    const switches = ["a", "b"].map((node) => blind({ node }));
    const { finding } = decide({ name: "", switches, expected: ["", "", ""] });
    expect(finding?.message).toMatch(
      /set encryptionConfig in the configuration of a, b to the file of the API server's --encryption-provider-config.*restart.*KeyServer/,
    );
  });
});

describe("switching", () => {
  const other = (changes: Partial<Switch>): Switch => served({ node: "b", ...changes });
  const rows: readonly Row[] = [
    {
      name: "a socket that is in no file any more sends no Encrypt => is not waited for",
      switches: [settled, gone({ provider: "former" })],
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
    },
    {
      name: "a node still serves the old key_id => waits",
      switches: [settled, other({ kmsKeyId: OLD, settled: true })],
      expected: ["Switching", "none", "Switching"],
    },
    {
      name: "a node serves nothing yet => waits",
      switches: [settled, other({ kmsKeyId: "" })],
      expected: ["Switching", "none", "Switching"],
    },
    {
      name: "its API server has not encrypted under it => waits",
      switches: [settled, other({ encrypts: 0 })],
      expected: ["Switching", "none", "Switching"],
    },
    {
      name: "its API server goes by the file from before an edit => waits",
      switches: [settled, other({ settled: true, editNotTakenUp: "2026-01-02T03:00:00Z" })],
      expected: ["Switching", "none", "Switching"],
    },
    {
      name: "one of its two entries has => waits",
      switches: [settled, other({ entries: 2, encrypts: 1 })],
      expected: ["Switching", "none", "Switching"],
    },
    {
      name: "both have => objects are written again",
      switches: [settled, other({ entries: 2, encrypts: 2 })],
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { round: 1, settledRound: false },
    },
    {
      name: "no Encrypt was seen, and none can write under the old one any more => objects are written again",
      switches: [settled, other({ encrypts: 0, settled: true })],
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { settledRound: true },
    },
  ];
  test.each(rows)("$name", check);

  test("the condition says of which edit, and what to do", () => {
    const switches = [served({ editNotTakenUp: "2026-01-02T03:00:00Z" })];
    expect(decide({ name: "", switches, expected: ["", "", ""] }).finding?.message).toContain(
      "secrets on a (to take up the EncryptionConfiguration of 2026-01-02T03:00:00Z: restart it)",
    );
  });

  test("the condition names who is waited for", () => {
    const { finding } = decide({ ...rows[2], name: "", expected: [undefined, "", ""] } as Row);
    expect(finding?.message).toContain("secrets on b");
    expect(finding?.message).not.toContain("secrets on a");
  });
});

describe("writing again", () => {
  const cursor = { resource: "secrets", continue: "abc" };
  const rows: readonly Row[] = [
    {
      name: "it runs => the progress is shown",
      before: status("Reencrypting"),
      work: { kind: "rewriting", round: round({ total: 50, cursor, ratePerSecond: 900 }) },
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { done: 10, total: 50, cursor, ratePerSecond: 900 },
    },
    {
      name: "another leader takes over => from where it stood",
      before: status("Reencrypting", { cursor, done: 10 }),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { cursor },
    },
    {
      name: "it could not go on => says why and goes on",
      before: status("Reencrypting", { cursor }),
      work: { kind: "failed", message: "no connection" },
      expected: ["Reencrypting", "rewrite", "RewriteFailed"],
      also: { cursor },
    },
    {
      name: "an API server that does not tell which file it goes by asks nobody any more => stops where it stands: it may run without the file and read nothing of it",
      before: status("Reencrypting", { cursor, done: 10 }),
      switches: [settled, served({ node: "b", notAskedSince: EARLIER })],
      work: { kind: "rewriting", round: round({ cursor }) },
      expected: ["Reencrypting", "none", "ApiServerSilent"],
      also: { cursor },
    },
    {
      name: "the pause before another round is over, and such an API server asks nobody => no round begins",
      before: status("Reencrypting", { failed: 1, nextRoundAt: EARLIER }),
      switches: [settled, served({ node: "b", encryptionConfig: "Unknown", notAskedSince: EARLIER })],
      expected: ["Reencrypting", "none", "ApiServerSilent"],
    },
    {
      name: "an API server that tells its file is down => goes on: it reads that file once it is there again",
      before: status("Reencrypting", { cursor }),
      switches: [settled, served({ node: "b", encryptionConfig: "Loaded", notAskedSince: EARLIER })],
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
    },
    {
      name: "it is through, not all have settled => waits for that",
      before: status("Reencrypting"),
      switches: [served()],
      work: { kind: "rewritten", round: round() },
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "it is through and all have settled => a census",
      before: status("Reencrypting"),
      work: { kind: "rewritten", round: round() },
      expected: ["Verifying", "count", "Verifying"],
    },
    {
      name: "what could not be written is named",
      before: status("Reencrypting"),
      work: { kind: "rewritten", round: round({ failed: 1, failures: [refusal] }) },
      expected: ["Verifying", "count", "Verifying"],
      also: { failed: 1, failures: [refusal] },
    },
  ];
  test.each(rows)("$name", check);

  test("a leader that takes over hands the cursor on", () => {
    expect(
      decide({ name: "", before: status("Reencrypting", { cursor }), expected: [undefined, "", ""] }).task,
    ).toEqual({
      kind: "rewrite",
      resources: ["secrets"],
      cursor,
    });
  });
});

/** A socket that was removed from the EncryptionConfiguration. */
const gone = (changes: Partial<Switch>): Switch =>
  served({ entries: 0, encrypts: 0, resources: [], editNotTakenUp: "2026-01-02T03:00:00Z", ...changes });

describe("verifying", () => {
  const failed = { failed: 1, failures: [refusal] };
  const rows: readonly Row[] = [
    {
      name: "a node has not settled => waits, whatever a census would say",
      before: status("Verifying"),
      switches: [served()],
      work: counted(0),
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "an API server goes by the file from before an edit => waits, though it has settled",
      before: status("Verifying"),
      switches: [served({ settled: true, editNotTakenUp: "2026-01-02T03:00:00Z" })],
      work: counted(0),
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "nothing is on the socket any more, which no Encrypt proves => counted once it has settled",
      before: status("Verifying"),
      switches: [settled, gone({ provider: "former", settled: true })],
      expected: ["Verifying", "count", "Verifying"],
    },
    {
      name: "nothing is on the socket any more, and its API server may go by the file from before => waits",
      before: status("Verifying"),
      switches: [settled, gone({ provider: "former", settled: false })],
      work: counted(0),
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "nothing was counted yet => it is counted",
      before: status("Verifying"),
      expected: ["Verifying", "count", "Verifying"],
    },
    {
      name: "etcd does not answer => says so and counts again",
      before: status("Verifying"),
      work: { kind: "failed", message: "etcd is down" },
      expected: ["Verifying", "count", "CensusFailed"],
    },
    {
      name: "nothing is left => complete, verified",
      before: status("Verifying"),
      work: counted(0),
      expected: ["Complete", "none", "Verified"],
      also: { verified: true, remaining: 0, completedAt: NOW_TEXT },
    },
    {
      name: "some are left after a round that began too early => another round at once",
      before: status("Verifying", { settledRound: false }),
      work: counted(3),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { round: 2, settledRound: true, remaining: 3 },
    },
    {
      name: "some are left and could not be written => another round after a pause, by name",
      before: status("Verifying", { settledRound: false, ...failed }),
      work: counted(1),
      expected: ["Reencrypting", "none", "ObjectsLeft"],
      also: { nextRoundAt: "2026-01-02T03:05:05Z", ...failed },
    },
    {
      name: "some are left after a round that began in time => after a pause",
      before: status("Verifying", { settledRound: true, round: 3 }),
      work: counted(1),
      expected: ["Reencrypting", "none", "ObjectsLeft"],
      also: { nextRoundAt: "2026-01-02T03:08:05Z", round: 4 },
    },
    {
      name: "the pause is never longer than eight minutes",
      before: status("Verifying", { settledRound: true, round: 30 }),
      work: counted(1),
      expected: ["Reencrypting", "none", "ObjectsLeft"],
      also: { nextRoundAt: "2026-01-02T03:12:05Z" },
    },
    {
      name: "the pause is not over => waits",
      before: status("Reencrypting", { nextRoundAt: LATER, ...failed }),
      expected: ["Reencrypting", "none", "ObjectsLeft"],
    },
    {
      name: "the pause ends later than any does, as the clock was ahead then => is over",
      before: status("Reencrypting", { nextRoundAt: "2027-01-02T03:04:05Z", ...failed }),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
    },
    {
      name: "the pause is over => writes again, with a clean sheet",
      before: status("Reencrypting", { nextRoundAt: NOW_TEXT, ...failed }),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
    },
  ];
  test.each(rows)("$name", check);
});

describe("a node that has not reported yet what it serves, as after its KeyServer was deleted", () => {
  const rows: readonly Row[] = [
    {
      name: "the others have switched => no stored object is re-encrypted until it has reported",
      before: status("Switching"),
      nodes: STARTING,
      expected: ["Switching", "none", "Switching"],
    },
    {
      name: "the others have settled => nothing is counted",
      before: status("Verifying"),
      nodes: STARTING,
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "what was counted on the reports of the others => not complete",
      before: status("Verifying"),
      nodes: STARTING,
      work: counted(0),
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "without etcd, after a clean round => not complete",
      before: status("Verifying", { settledRound: true, failed: 0 }),
      nodes: STARTING,
      census: false,
      expected: ["Verifying", "none", "Verifying"],
    },
    {
      name: "it is the only one => what was done stands",
      before: status("Verifying", { done: 7 }),
      switches: [],
      nodes: [node("a", [], { unreported: true })],
      expected: ["Verifying", "none", "Verifying"],
      also: { done: 7 },
    },
    {
      name: "no KeyServer is there any more => what was done stands",
      before: status("Reencrypting", { done: 7 }),
      switches: [],
      nodes: [],
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { done: 7 },
    },
    {
      name: "another node has more resources meanwhile => no longer complete",
      before: status("Complete", VERIFIED),
      switches: [served({ settled: true, resources: ["configmaps", "secrets"] })],
      nodes: STARTING,
      expected: ["Switching", "none", "Switching"],
      also: { resources: ["configmaps", "secrets"], verified: false },
    },
    {
      name: "a round is under way => it goes on, over what was known",
      before: status("Reencrypting", { resources: ["configmaps", "secrets"] }),
      nodes: STARTING,
      work: { kind: "rewriting", round: round() },
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { resources: ["configmaps", "secrets"], round: 1 },
    },
    {
      name: "all was complete => not before it has reported",
      before: status("Complete", VERIFIED),
      nodes: STARTING,
      expected: ["Verifying", "none", "Verifying"],
      also: { verified: false },
    },
    {
      name: "nothing serves the key, and nothing ever did => nothing is said",
      switches: [],
      nodes: STARTING,
      expected: [undefined, "none", undefined],
    },
  ];
  test.each(rows)("$name", check);

  test("it is named", () => {
    const before = status("Verifying");
    const { finding } = decide({ name: "", nodes: STARTING, before, expected: ["", "", ""] });
    expect(finding?.message).toMatch(/b \(its operator has not reported yet what it serves\)/);
  });
});

describe("a node whose operator is silent", () => {
  const nodes = [node("a", []), node("b", [], { stale: true })];
  const unproven = served({ node: "b", encrypts: 0 });
  test.each(["Switching", "Verifying"] as const)(
    "%s, and its API server is waited for => it is told",
    (phase) => {
      const row = { name: "", before: status(phase), nodes, switches: [settled, unproven] };
      const { finding } = decide({ ...row, expected: ["", "", ""] });
      expect(finding).toMatchObject({
        reason: "NodeNotHeardOf",
        message: expect.stringContaining(
          `secrets on b (its operator has not been heard of since ${NOW_TEXT}: start it or its API server, or delete KeyServer b and Lease claviger-node-b if the node is gone)`,
        ),
      });
    },
  );
  test.each(["Switching", "Verifying", "Complete"] as const)(
    "%s, and by its last word its API server has settled => nothing begins, and nothing is proven",
    (phase) => {
      const switches = [settled, { ...settled, node: "b" }];
      const before = status(phase, { ...VERIFIED, proof: snapshotOf(switches) });
      const {
        task,
        status: after,
        finding,
      } = decide({ name: "", before, nodes, switches, expected: ["", "", ""] });
      expect(task.kind).toBe("none");
      expect(after).toMatchObject({ phase: phase === "Complete" ? "Verifying" : phase });
      expect(finding).toMatchObject({ status: "False", reason: "NodeNotHeardOf" });
      expect(finding?.message).toMatch(/secrets on b \(its operator has not been heard of/);
    },
  );
});

describe("without access to etcd", () => {
  const rows: readonly Row[] = [
    {
      name: "the round began after all had settled and nothing failed => complete, unverified",
      census: false,
      before: status("Verifying", { settledRound: true, failed: 0, proof: snapshotOf([settled]) }),
      expected: ["Complete", "none", "Unverified"],
      also: { verified: false },
    },
    {
      name: "an API server was restarted during the round => another one",
      census: false,
      before: status("Verifying", {
        settledRound: true,
        failed: 0,
        proof: snapshotOf([settled]).map((one) => ({ ...one, encrypts: one.encrypts + 1 })),
      }),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { round: 2, settledRound: true },
    },
    {
      name: "the round began earlier => another one",
      census: false,
      before: status("Verifying", { settledRound: false }),
      expected: ["Reencrypting", "rewrite", "Reencrypting"],
      also: { round: 2, settledRound: true },
    },
    {
      name: "something failed => another one after a pause, never complete",
      census: false,
      before: status("Verifying", { settledRound: true, failed: 1, failures: [refusal] }),
      expected: ["Reencrypting", "none", "ObjectsLeft"],
    },
  ];
  test.each(rows)("$name", check);
});

describe("a rotation is done", () => {
  const outcome = (row: Row) =>
    rotationOutcome(
      NEW,
      { switches: row.switches ?? [settled], nodes: row.nodes ?? nodesOf(row.switches ?? [settled]) },
      decide(row),
    );
  const rows: readonly (readonly [
    string,
    Omit<Row, "name" | "expected">,
    ReturnType<typeof rotationOutcome>,
  ])[] = [
    ["nothing serves the key => at once, unproven", { switches: [] }, { verified: false }],
    [
      "the same while a node has not said what it serves => not yet",
      { switches: [], nodes: STARTING },
      undefined,
    ],
    ["the same while there is no KeyServer => not yet", { switches: [], nodes: [] }, undefined],
    ["objects are being written again => not yet", { before: status("Reencrypting") }, undefined],
    [
      "complete and verified => with proof",
      { before: status("Complete", { ...VERIFIED, done: 7, lastCensusRevision: 77 }) },
      {
        verified: true,
        objects: 7,
        rounds: 1,
        censusTime: VERIFIED.lastCensusTime,
        censusRevision: 77,
      },
    ],
    [
      "complete, unverified => without",
      { before: status("Complete"), census: false },
      { verified: false, rounds: 1 },
    ],
    [
      "nobody knows what is stored, not settled => not yet",
      {
        switches: [
          { ...served(), entries: 0, resources: [] },
          served({ node: "b", entries: 1, resources: [] }),
        ],
      },
      undefined,
    ],
    [
      "no API server was started with the flag => not yet: nothing that is stored has followed",
      {
        before: status("Complete", VERIFIED),
        switches: [{ ...settled, encryptionConfig: "NotConfigured", entries: 0, resources: [] }],
      },
      undefined,
    ],
    [
      "left to others and settled => without proof",
      { spec: { reencryption: { engine: "None" } } },
      { verified: false },
    ],
    [
      "left to others, not settled => not yet",
      { spec: { reencryption: { engine: "None" } }, switches: [served()] },
      undefined,
    ],
  ];
  test.each(rows)("%s", (_, row, expected) => {
    expect(outcome({ ...row, name: "", expected: [undefined, "", ""] })).toEqual(expected);
  });
});

describe("the sockets that serve a key", () => {
  const provider = (serves: string) => ({
    name: "p",
    socket: "/run/p.sock",
    serves,
    kmsKeyId: NEW,
    encrypts: 2,
    entries: 1,
    settled: true,
    resources: ["secrets"],
  });
  test.each([
    ["by its name", "apps/secrets", 1],
    ["through an alias that points to it", "alias apps/main", 1],
    ["through another alias", "alias apps/other", 0],
    ["another key of this name elsewhere", "other/secrets", 0],
  ])("%s => %s, %i", (_, serves, count) => {
    const found = switchesOf(masterKey(), new Set(["alias apps/main"]), [
      keyServer("a", { providers: [provider(serves)] }),
    ]);
    expect(found).toHaveLength(count);
    if (count === 1)
      expect(found[0]).toEqual({
        node: "a",
        provider: "p",
        kmsKeyId: NEW,
        encrypts: 2,
        entries: 1,
        settled: true,
        resources: ["secrets"],
      });
  });
  test.each(["PluginSilent", "EncryptionConfigInvalid"] as const)(
    "what a node reports may be old, as it says %s => is told of each of its sockets",
    (reason) => {
      const conditions = [condition("Ready", { status: "False", reason })];
      const servers = [keyServer("a", { providers: [provider("apps/secrets")], conditions })];
      expect(switchesOf(masterKey(), new Set(), servers)[0]?.blind).toBe(reason);
    },
  );
  test("an edit that its API server has not taken up is told", () => {
    const servers = [keyServer("a", { providers: [{ ...provider("apps/secrets"), editNotTakenUp: LATER }] })];
    expect(switchesOf(masterKey(), new Set(), servers)[0]?.editNotTakenUp).toBe(LATER);
  });
});
