import { expect, test } from "vitest";
import { numbers } from "../testing/numbers.ts";
import { FairLanes } from "./fair-lanes.ts";

const laneOf = (item: string): string => item.slice(0, 1);

test("any additions, removals and turns => each item once, a lane in its order, no lane twice before one that waits", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = numbers(seed);
    const lanes = new FairLanes(laneOf, (item) => item);
    /** The same as plain lists, and how many turns each lane has waited for. */
    const waiting = new Map<string, string[]>();
    const passedOver = new Map<string, number>();
    for (let i = 0; i < 300; i++) {
      const item = `${"abcd"[next(4)]}${next(20)}`;
      const lane = waiting.get(laneOf(item)) ?? [];
      waiting.set(laneOf(item), lane);
      const action = next(5);
      if (action < 2) {
        lanes.add(item);
        if (!lane.includes(item)) lane.push(item);
      } else if (action === 2) {
        expect(lanes.delete(item)).toBe(lane.includes(item));
        if (lane.includes(item)) lane.splice(lane.indexOf(item), 1);
        if (lane.length === 0) passedOver.delete(laneOf(item));
      } else {
        const taken = lanes.take();
        const busy = [...waiting].filter(([, items]) => items.length > 0).map(([name]) => name);
        expect(taken !== undefined).toBe(busy.length > 0);
        if (taken === undefined) continue;
        expect(waiting.get(laneOf(taken))?.shift()).toBe(taken);
        for (const name of "abcd") {
          const waits = name !== laneOf(taken) && busy.includes(name);
          passedOver.set(name, waits ? (passedOver.get(name) ?? 0) + 1 : 0);
          expect(passedOver.get(name)).toBeLessThan(4);
        }
      }
      expect(lanes.has(item)).toBe(waiting.get(laneOf(item))?.includes(item));
    }
  }
});
