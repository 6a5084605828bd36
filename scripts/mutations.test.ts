import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { MUTATIONS } from "./mutations.ts";

const root = resolve(import.meta.dirname, "..");
const guards = MUTATIONS.flatMap(({ name, file, edits }) =>
  edits.map(([guard, without, other = file]) => [name, other, guard, without] as const),
);

test("each guard that the mutation check removes has a name of its own", () => {
  const names = MUTATIONS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test.each(guards)(
  "the text of the guard %j is in %s once, so that the mutation check can remove it",
  (_, file, guard, without) => {
    const source = readFileSync(resolve(root, file), "utf8");
    expect([guard, source.split(guard).length - 1]).toEqual([guard, 1]);
    expect(without).not.toBe(guard);
  },
);
