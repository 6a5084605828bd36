import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"],
    // Real processes and real servers on slow machines: a deadline is there to
    // end a hung test, never to measure one.
    testTimeout: 120_000,
    hookTimeout: 900_000,
  },
});
