import { describe, expect, test } from "vitest";
import { ClavigerError } from "../errors.ts";
import type { Change } from "./changes.ts";
import { type Runner, runSteps } from "./run-steps.ts";
import { planText } from "./show-plan.ts";
import { blocked, done, type Step, type StepPlan, wait } from "./step.ts";

const CHANGE: Change = { kind: "folder", path: "/etc/claviger" };
const act: StepPlan = { kind: "act", text: "make it", changes: [CHANGE] };

/** A step that goes through these plans; the last one stays. */
const stepOf = (
  name: string,
  plans: readonly (StepPlan | Error)[],
  patience?: number,
): Step & { planned: number } => ({
  name,
  planned: 0,
  ...(patience !== undefined && { patience }),
  async plan() {
    const plan = plans[Math.min(this.planned, plans.length - 1)] ?? done("");
    this.planned += 1;
    if (plan instanceof Error) throw plan;
    return plan;
  },
});

function newRunner() {
  const lines: string[] = [];
  const applied: Change[] = [];
  let now = 0;
  const runner: Runner = {
    apply: async (change) => void applied.push(change),
    show: (line) => lines.push(line),
    showWait: (line) => lines.push(line),
    now: () => now,
    pause: async () => {
      now += 1_000;
    },
  };
  return { runner, lines, applied };
}

describe("the steps of an installation", () => {
  test("are verified after their changes, and shown with their number", async () => {
    const { runner, lines, applied } = newRunner();
    await runSteps([stepOf("folders", [act, done("made")]), stepOf("key", [done("there")])], runner);
    expect(applied).toEqual([CHANGE]);
    expect(lines).toEqual(["[1/2] folders: make it", "[1/2] folders: made", "[2/2] key: there"]);
  });
  test("a step that is done changes nothing", async () => {
    const { runner, applied } = newRunner();
    await runSteps([stepOf("folders", [done("made")])], runner);
    expect(applied).toEqual([]);
  });
  test("a step is waited for, and the next one begins only then", async () => {
    const { runner, lines } = newRunner();
    await runSteps([stepOf("node", [wait("not there"), wait("not there"), done("it runs")], 60_000)], runner);
    expect(lines).toEqual(["[1/1] node: not there", "[1/1] node: not there", "[1/1] node: it runs"]);
  });
  test("a step that takes too long ends the run, and says what it waits for", async () => {
    const { runner } = newRunner();
    const next = stepOf("key", [act]);
    await expect(runSteps([stepOf("node", [wait("not there")], 3_000), next], runner)).rejects.toThrow(
      "[1/2] node: after 4 s: not there",
    );
    expect(next.planned).toBe(0);
  });
  test("a step that needs a person ends the run, and says what to do", async () => {
    const { runner } = newRunner();
    const next = stepOf("key", [act]);
    await expect(
      runSteps([stepOf("gate", [blocked("cp-2 does not read", "run init there")]), next], runner),
    ).rejects.toThrow("[1/2] gate: cp-2 does not read; next: run init there");
    expect(next.planned).toBe(0);
  });
  test("a change without effect is not repeated for ever", async () => {
    const { runner, applied } = newRunner();
    await expect(runSteps([stepOf("folders", [act])], runner)).rejects.toThrow(
      "this was done, and has no effect",
    );
    expect(applied).toHaveLength(3);
  });
  test("an API server that restarts is waited for; a defect is not", async () => {
    const silent = new ClavigerError("ApiServer", "GET /: connection refused");
    const { runner, lines } = newRunner();
    await runSteps([stepOf("API server", [silent, done("it is back")], 60_000)], runner);
    expect(lines[0]).toBe("[1/1] API server: GET /: connection refused");
    await expect(runSteps([stepOf("x", [new Error("a defect")], 60_000)], runner)).rejects.toThrow(
      "a defect",
    );
  });
});

test("a plan is shown without a change, with the lines of each file that would change", async () => {
  const file: Change = { kind: "file", path: "/etc/x", mode: 0o600, before: "a\n", after: "b\n" };
  const steps = [
    stepOf("one", [{ kind: "act", text: "write it", changes: [file] }]),
    stepOf("two", [done("there")]),
    stepOf("three", [wait("not yet")]),
    stepOf("four", [blocked("no", "do it")]),
  ];
  expect(await planText(steps, true)).toBe(`[1/4] one: would write it
    change /etc/x
    -a
    +b
[2/4] two: nothing to do: there
[3/4] three: would wait: not yet
[4/4] four: cannot continue: no; next: do it
`);
  expect(await planText(steps, false)).not.toContain("+b");
});
