import { expect, test } from "vitest";
import { Rate } from "./rate.ts";

test("nothing was done yet => 0", () => {
  expect(new Rate(5).perSecond(5, 0)).toBe(0);
});
test("a steady rate => that rate, however long", () => {
  const rate = new Rate(0);
  for (let now = 100; now <= 120_000; now += 100) rate.observe(now, now / 10);
  expect(rate.perSecond(120_000, 12_000)).toBeCloseTo(100);
});
test("a rate that changed => the new one after half a minute", () => {
  const rate = new Rate(0);
  for (let now = 1_000; now <= 60_000; now += 1_000) rate.observe(now, now);
  for (let now = 61_000; now <= 95_000; now += 1_000) rate.observe(now, 60_000 + (now - 60_000) / 100);
  expect(rate.perSecond(95_000, 60_350)).toBeCloseTo(10);
});
