import { defineConfig } from "vitest/config";

// Real processes and real servers on slow machines: a deadline is there to end a
// hung test, never to measure one.
const deadlines = { testTimeout: 300_000, hookTimeout: 1_800_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...deadlines,
          name: "unit",
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "test/vectors/**/*.test.ts"],
        },
      },
      {
        test: {
          ...deadlines,
          name: "servers",
          include: ["test/**/*.test.ts"],
          exclude: ["test/vectors/**", "**/node_modules/**"],
          // Each file starts processes, some of them whole control planes: one after another.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
