import { defineConfig } from "vitest/config";

/** Run by main.ts, once for each version of Kubernetes, with the programs of that version. */
export default defineConfig({
  test: {
    testTimeout: 1_200_000,
    hookTimeout: 1_800_000,
    include: ["test/versions/matrix.ts"],
  },
});
