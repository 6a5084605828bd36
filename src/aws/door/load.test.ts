import { expect, test } from "vitest";
import { Load } from "./load.ts";

test("requests are shed once those before them have taken 100 ms of one turn, and the next turn begins anew", () => {
  let now = 0;
  const ends: (() => void)[] = [];
  const load = new Load({ now: () => now, afterTurn: (end) => ends.push(end) });
  const shed = () => {
    const isShed = load.isTooHigh();
    now += 1;
    return isShed;
  };
  const turn = Array.from({ length: 200 }, shed);
  expect(turn.indexOf(true)).toBe(101);
  expect(turn.slice(101).every(Boolean)).toBe(true);
  expect(ends).toHaveLength(1);
  ends.pop()?.();
  expect(shed()).toBe(false);
});

test("requests that come one at a time are never shed, however long each takes", () => {
  let now = 0;
  const load = new Load({ now: () => now, afterTurn: (end) => end() });
  const isShed = () => {
    now += 500;
    return load.isTooHigh();
  };
  expect(Array.from({ length: 10 }, isShed)).not.toContain(true);
});
