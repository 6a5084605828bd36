import { expect, test } from "vitest";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { NodeReport } from "./node-report.ts";

function reporting() {
  const written: (number | undefined)[] = [];
  const state = { now: 0, refuses: false };
  const write = async ({ versions }: KeyServerStatus) => {
    await Promise.resolve();
    if (state.refuses) throw new Error("refused");
    written.push(versions);
  };
  return { state, written, report: new NodeReport(write, () => state.now) };
}

test("nothing new to report => it is written again after half a minute, and a refusal is thrown", async () => {
  const { state, written, report } = reporting();
  await report.say({ versions: 1 });
  await report.prove();
  expect(written).toEqual([1]);
  state.now = 30_000;
  await report.prove();
  expect(written).toEqual([1, 1]);
  state.now = 60_000;
  state.refuses = true;
  await expect(report.prove()).rejects.toThrow("refused");
  await expect(report.prove()).rejects.toThrow("refused");
  state.refuses = false;
  await report.prove();
  expect(written).toEqual([1, 1, 1]);
});

test("a report fails => what it said is written by the next proof, at once", async () => {
  const { state, written, report } = reporting();
  await report.say({ versions: 1 });
  state.refuses = true;
  await expect(report.say({ versions: 2 })).rejects.toThrow("refused");
  state.refuses = false;
  await report.prove();
  expect(written).toEqual([1, 2]);
});

test("two reports at once => the newer one is what stays", async () => {
  const { written, report } = reporting();
  await Promise.all([report.say({ versions: 1 }), report.prove(), report.say({ versions: 2 })]);
  expect(written.at(-1)).toBe(2);
});

test("nothing was reported => nothing is proven, and nothing is written", async () => {
  const { written, report } = reporting();
  await report.prove();
  expect(written).toEqual([]);
});
