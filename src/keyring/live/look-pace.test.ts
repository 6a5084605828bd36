import { expect, test } from "vitest";
import { LookPace } from "./look-pace.ts";

test.each([
  ["a quick look is repeated after 5 ms", 0.1, 5],
  ["a look of 20 ms is repeated after 200 ms, so that looks take a tenth of the time at most", 20, 200],
])("%s", (_, cost, pause) => {
  let now = 1_000;
  let looks = 0;
  const pace = new LookPace(
    () => {
      looks += 1;
      now += cost;
    },
    () => now,
  );
  pace.lookIfDue();
  const ended = now;
  now = ended + pause - 0.01;
  pace.lookIfDue();
  expect(looks).toBe(1);
  now = ended + pause;
  pace.lookIfDue();
  expect(looks).toBe(2);
});
