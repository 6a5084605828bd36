import { expect, test } from "vitest";
import { RateLimiter } from "./rate-limiter.ts";

test("a key asks more often than its rate => its burst, then one for each interval; another key has its own", () => {
  const limiter = new RateLimiter({ burst: 3, intervalMilliseconds: 100 });
  const taken = (key: string, from: number, until: number): number => {
    let count = 0;
    for (let now = from; now < until; now += 1) if (limiter.take(key, now)) count += 1;
    return count;
  };
  expect(taken("a", 0, 1)).toBe(1);
  expect(taken("a", 1, 50)).toBe(2);
  expect(limiter.waitFor("a", 50)).toBe(50);
  expect(limiter.take("b", 50)).toBe(true);
  expect(taken("a", 50, 1050)).toBe(10);
  expect(limiter.waitFor("never", 1050)).toBe(0);
  expect(taken("a", 100_000, 100_001)).toBe(1);
  expect(taken("a", 100_001, 100_010)).toBe(2);
});

test("what has happened already spends tokens => a burst without a pause, what follows in even steps", () => {
  const limiter = new RateLimiter({ burst: 3, intervalMilliseconds: 20 });
  let now = 1_000;
  const pauses = Array.from({ length: 6 }, () => {
    const pause = limiter.spend("a", now);
    now += pause;
    return pause;
  });
  expect(pauses).toEqual([0, 0, 20, 20, 20, 20]);
});

test("a quiet time => the bucket is full again, and not fuller", () => {
  const limiter = new RateLimiter({ burst: 2, intervalMilliseconds: 500 });
  expect([0, 0, 60_000, 60_000].map((now) => limiter.spend("a", now))).toEqual([0, 500, 0, 500]);
});
