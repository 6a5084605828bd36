import { describe, expect, test } from "vitest";
import { MOST_NODES } from "../../resources/schemas/key-grant.ts";
import { rfc3339 } from "../../times.ts";
import { dueReports, type Reported, statusWithUse } from "./decide-usage.ts";

const use = (uses: number, second: number) => ({ uses, lastAt: second * 1_000 });
const at = (second: number) => rfc3339(new Date(second * 1_000));

describe("the grants that are reported", () => {
  const used = new Map([
    ["a", use(5, 10)],
    ["b", use(7, 10)],
    ["c", use(1, 10)],
    ["d", use(9, 10)],
  ]);
  const due = (reported: ReadonlyMap<string, Reported>, most: number) =>
    dueReports(used, reported, most).map(([grantId]) => grantId);
  const reported = new Map([
    ["a", { uses: 4, at: 300 }],
    ["b", { uses: 7, at: 100 }],
    ["d", { uses: undefined, at: 200 }],
  ]);
  test("are those with new uses, the ones whose report is oldest first", () => {
    expect(due(reported, 9)).toEqual(["c", "d", "a"]);
  });
  test("are few at a time: the others' turn comes, because the first are the last next time", () => {
    expect(due(reported, 2)).toEqual(["c", "d"]);
    const later = new Map([...reported, ["c", { uses: 0, at: 400 }], ["d", { uses: 1, at: 400 }]] as const);
    expect(due(later, 1)).toEqual(["a"]);
  });
});

describe("a KeyGrant's status", () => {
  const first = statusWithUse({ phase: "Active" }, "node-1", use(3, 10));
  test("has a node's count, and the rest as it was", () => {
    const usage = [{ node: "node-1", uses: 3, lastUsed: at(10) }];
    expect(first).toEqual({ phase: "Active", uses: 3, lastUsed: at(10), usage });
  });
  test("sums the nodes' counts, and has the last of their times; a node's count replaces its own", () => {
    const second = statusWithUse(first ?? {}, "node-2", use(4, 5));
    expect(second).toMatchObject({ uses: 7, lastUsed: at(10) });
    expect(statusWithUse(second ?? {}, "node-1", use(8, 20))).toMatchObject({ uses: 12, lastUsed: at(20) });
  });
  test("that has the count already is not written", () => {
    expect(statusWithUse(first ?? {}, "node-1", use(3, 10))).toBeUndefined();
  });
  test("stays small, however many nodes there were: those that used it last count", () => {
    let status = {};
    for (let n = 0; n < MOST_NODES + 5; n++) status = statusWithUse(status, `node-${n}`, use(1, n)) ?? status;
    expect(status).toMatchObject({ uses: MOST_NODES, usage: { length: MOST_NODES } });
    expect(status).toMatchObject({ usage: { 0: { node: `node-${MOST_NODES + 4}` } } });
  });
});
