import { describe, expect, test } from "vitest";
import type { NodeLease } from "../../store/nodes/node-leases.ts";
import { NODE_LEASE_SECONDS } from "../../store/nodes/node-leases.ts";
import { condition, EARLIER, keyServer, NOW, NOW_TEXT, node, versionId } from "../../testing/objects.ts";
import type { NodeView } from "./node-view.ts";
import { decideSilence, mayOutliveItsNode, type NodeRecords, nodeViews } from "./node-views.ts";
import { describeNode } from "./waiting-nodes.ts";

describe("nodeViews", () => {
  const ago = (seconds: number) => NOW.getTime() - seconds * 1000;
  const view = (server: Parameters<typeof nodeViews>[0][number], heard?: number) =>
    nodeViews([server], new Map(heard === undefined ? [] : [[server.metadata.name, heard]]), NOW)[0];

  const rows = [
    ["heard of just now => fresh", 0, false],
    ["heard of as long ago as its Lease lasts => fresh", NODE_LEASE_SECONDS, false],
    ["heard of longer ago => stale", NODE_LEASE_SECONDS + 0.001, true],
    [
      "heard of in the future, by less than its Lease lasts (a clock was set back a little) => fresh",
      -NODE_LEASE_SECONDS,
      false,
    ],
    [
      "heard of further in the future (the clock was set back, and for how long it is silent nobody knows) => stale",
      -3600,
      true,
    ],
  ] as const;
  test.each(rows)("%s", (_, seconds, stale) => {
    expect(view(keyServer("a"), ago(seconds))).toMatchObject({ stale, lastHeard: new Date(ago(seconds)) });
  });
  test("standalone, the one node is the one that asks => fresh", () => {
    expect(view(keyServer("a"), Number.POSITIVE_INFINITY)?.stale).toBe(false);
  });
  test("never heard of and made just now => fresh, its Lease may follow", () => {
    expect(view(keyServer("a", {}, { creationTimestamp: NOW_TEXT }))?.stale).toBe(false);
  });
  test("never heard of and made long ago => stale since then", () => {
    expect(view(keyServer("a", {}, { creationTimestamp: EARLIER }))).toMatchObject({
      stale: true,
      lastHeard: new Date(EARLIER),
    });
  });
  test.each<readonly [string, Parameters<typeof keyServer>[1], boolean]>([
    ["no status yet => what it serves is unknown", undefined, true],
    ["it is starting => what it serves is unknown", { versions: 0, prepared: [] }, true],
    ["it has reported that it serves nothing => known", { providers: [] }, false],
  ])("%s", (_, reported, unknown) => {
    expect(view(keyServer("a", reported), ago(0))?.unreported === true).toBe(unknown);
  });
  test("a Lease and no KeyServer => a node that has not reported, among the others by name", () => {
    const heard = new Map([
      ["b", ago(0)],
      ["a", ago(0)],
      ["c", ago(NODE_LEASE_SECONDS + 1)],
    ]);
    const views = nodeViews([keyServer("b", { providers: [] })], heard, NOW);
    expect(views.map(({ name, stale, unreported }) => [name, stale, unreported === true])).toEqual([
      ["a", false, true],
      ["b", false, false],
      ["c", true, true],
    ]);
    expect(describeNode(views[0] as NodeView)).toMatch(
      /^a \(its operator has not reported yet what it serves/,
    );
    expect(describeNode(views[2] as NodeView)).toMatch(
      /^c \(its operator has not been heard of .*delete KeyServer c and Lease claviger-node-c if the node is gone/,
    );
  });
  test("no status yet => nothing prepared, no problem", () => {
    const seen = view(keyServer("a"), ago(0));
    expect(seen?.prepared.size).toBe(0);
    expect(seen).not.toHaveProperty("problem");
  });
  test("prepared versions => by their ids", () => {
    const prepared = [{ name: "k-1", versionId: versionId(1) }];
    expect(view(keyServer("a", { prepared }), ago(0))?.prepared).toEqual(new Set([versionId(1)]));
  });
  test("not Ready => its message is the problem", () => {
    const conditions = [condition("Ready", { status: "False", message: "no root key" })];
    expect(view(keyServer("a", { conditions }), ago(0))?.problem).toBe("no root key");
  });
  test("back, and what the leader said of it meanwhile still stands => waited for until it reports", () => {
    const conditions = [
      condition("Ready", { status: "Unknown", reason: "NodeNotHeardOf", message: "silent" }),
    ];
    expect(view(keyServer("a", { conditions }), ago(0))).toMatchObject({
      problem: "its operator has not reported again since it was silent",
    });
  });
  test("Ready => no problem", () => {
    expect(view(keyServer("a", { conditions: [condition("Ready")] }), ago(0))).not.toHaveProperty("problem");
  });
});

describe("decideSilence", () => {
  const silent = node("a", [], { stale: true, lastHeard: new Date(EARLIER) });
  const ready = (changes: object) => keyServer("a", { conditions: [condition("Ready", changes)] });
  test.each([
    ["Ready", ready({ lastTransitionTime: EARLIER })],
    ["not Ready", ready({ lastTransitionTime: EARLIER, status: "False", reason: "SealUnavailable" })],
    ["yet to report", keyServer("a")],
  ])("silent, and %s by its last word => unknown, since when and what to do", (_, server) => {
    expect(decideSilence(server, silent, NOW)).toEqual({
      type: "Ready",
      status: "Unknown",
      reason: "NodeNotHeardOf",
      message: `waiting for a (its operator has not been heard of since ${EARLIER}: start it or its API server, or delete KeyServer a and Lease claviger-node-a if the node is gone); the rest of this status is its last word`,
      lastTransitionTime: NOW_TEXT,
    });
  });
  test.each([
    ["heard of => nothing", ready({ lastTransitionTime: EARLIER }), node("a", [])],
    [
      "silent, which is said already => nothing",
      ready({ status: "Unknown", lastTransitionTime: EARLIER }),
      silent,
    ],
    [
      "silent by its Lease, and it has just reported => nothing yet",
      ready({ lastTransitionTime: NOW_TEXT }),
      silent,
    ],
  ])("%s", (_, server, view) => {
    expect(decideSilence(server, view, NOW)).toBeUndefined();
  });
});

describe("mayOutliveItsNode", () => {
  const silent = node("a", [], { stale: true });
  const reported = keyServer("a", { nodeUid: "uid-1", providers: [] });
  const nodeless = keyServer("a", { providers: [] });
  const lease = (nodeUid?: string): NodeLease => ({
    node: "a",
    lease: { metadata: { name: "claviger-node-a", uid: "1", resourceVersion: "1" } },
    ...(nodeUid !== undefined && { nodeUid }),
  });
  const others = { othersHaveNodes: true };
  const alone = { othersHaveNodes: false };
  const rows: readonly (readonly [string, NodeRecords, NodeView, boolean])[] = [
    ["silent, and it had a Node => yes", { server: reported, ...alone }, silent, true],
    [
      "it had a Node, and its operator is heard of => no",
      { server: reported, ...alone },
      node("a", []),
      false,
    ],
    [
      "it never had a Node, whatever others have => no, that is for somebody to say",
      { server: nodeless, lease: lease(), ...others },
      silent,
      false,
    ],
    [
      "its KeyServer never reported and it has no Lease => no",
      { server: keyServer("a"), ...others },
      silent,
      false,
    ],
    [
      "its KeyServer was made anew and has not reported, and its Lease tells of a Node => yes",
      { server: keyServer("a"), lease: lease("uid-1"), ...alone },
      silent,
      true,
    ],
    ["a Lease alone, which tells of a Node => yes", { lease: lease("uid-1"), ...alone }, silent, true],
    [
      "a Lease alone, which tells that there was no Node => no",
      { lease: lease(""), ...others },
      silent,
      false,
    ],
    [
      "a Lease alone of an earlier release, and others have Nodes => yes",
      { lease: lease(), ...others },
      silent,
      true,
    ],
    [
      "a Lease alone of an earlier release, and nobody has Nodes => no",
      { lease: lease(), ...alone },
      silent,
      false,
    ],
  ];
  test.each(rows)("%s", (_, records, view, expected) => {
    expect(mayOutliveItsNode(records, view)).toBe(expected);
  });
});

test.each(["Starting", "ProviderWithoutKey", "PluginSilent"])(
  "a node that is not Ready for %s => is no problem to others",
  (reason) => {
    const server = keyServer("a", { conditions: [condition("Ready", { status: "False", reason })] });
    expect(nodeViews([server], new Map(), NOW)[0]).not.toHaveProperty("problem");
  },
);
