import { expect, test } from "vitest";
import { LookPace } from "./look-pace.ts";

/** A pace whose looks take this long, on a machine that gives the process a tenth of its time. */
function paceOf(cost: number) {
  const at = { now: 1_000, looks: 0, cpu: 0 };
  const look = () => {
    at.looks += 1;
    at.cpu += cost;
    at.now += 10 * cost;
  };
  const pace = new LookPace(
    look,
    () => at.now,
    () => at.cpu,
  );
  return { at, pace };
}

test("a cheap look is made for each request, on a busy machine too", () => {
  const { at, pace } = paceOf(5);
  for (let request = 1; request <= 3; request++) pace.lookIfDue();
  expect(at.looks).toBe(3);
});

test("a look of 20 ms is repeated after 200 ms, so that looks take a tenth of the time at most", () => {
  const { at, pace } = paceOf(20);
  pace.lookIfDue();
  const ended = at.now;
  at.now = ended + 199.99;
  pace.lookIfDue();
  expect(at.looks).toBe(1);
  at.now = ended + 200;
  pace.lookIfDue();
  expect(at.looks).toBe(2);
});
