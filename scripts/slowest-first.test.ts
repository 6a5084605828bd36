import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SLOW_FILES, slowestFirst } from "./slowest-first.ts";

const ROOT = join(import.meta.dirname, "..");

test("every file that is started first exists, and is named once", () => {
  expect(SLOW_FILES.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  expect(new Set(SLOW_FILES).size).toBe(SLOW_FILES.length);
});

test("in each group the slow files come first, in their order, and the others stay as they were", () => {
  const [first = "", second = ""] = SLOW_FILES;
  const files = [
    { moduleId: "/x/src/b.test.ts", groupOrder: 0 },
    ...["test/b.test.ts", second, "test/a.test.ts", first].map((file) => ({
      moduleId: `/x/${file}`,
      groupOrder: 1,
    })),
    { moduleId: "/x/src/a.test.ts", groupOrder: 0 },
  ].map(({ moduleId, groupOrder }) => ({ moduleId, project: { config: { sequence: { groupOrder } } } }));
  expect(slowestFirst(files).map(({ moduleId }) => moduleId)).toEqual(
    ["src/b.test.ts", "src/a.test.ts", first, second, "test/b.test.ts", "test/a.test.ts"].map(
      (file) => `/x/${file}`,
    ),
  );
});
