import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { SlowestFirst } from "./scripts/slowest-first.ts";

// Real processes and real servers on slow machines: a deadline is there to end a
// hung test, never to measure one.
const deadlines = { testTimeout: 1_200_000, hookTimeout: 1_800_000 };

/**
 * Node imports the sources as they are, as the product does: transformed by Vite, every use of an import would be
 * a call, and the model would take two thirds more time. No test replaces a module, so nothing needs its loader.
 */
const experimental = { viteModuleRunner: false, nodeLoader: false };

/** The file in which CI wants its counts. */
const report = process.env.CLAVIGER_TEST_REPORT;

/**
 * Each file of `servers` starts processes, some of them whole control planes, which wait most of the time, so
 * several files run at once. The computation of `model` gives way to them.
 */
const besideOneAnother = { maxWorkers: 7, sequence: { groupOrder: 1 } };

export default defineConfig({
  test: {
    ...(report && { reporters: ["default", ["json", { outputFile: report }]] }),
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        extends: true,
        test: {
          ...deadlines,
          experimental,
          name: "unit",
          include: ["{src,scripts,bench,test/vectors}/**/*.test.ts"],
          // A module is loaded once for all files of a process, which saves a third of their time. So a test
          // leaves nothing behind in a module.
          isolate: false,
          // These files wait a third of their time.
          maxWorkers: availableParallelism() + 1,
        },
      },
      {
        test: {
          ...deadlines,
          experimental,
          name: "servers",
          // A fifth of an API server's time would be its garbage collector's. Here memory is plenty, and
          // processors are few.
          execArgv: ["--import", join(import.meta.dirname, "test", "compile-cache.ts")],
          env: { GOGC: "400", GOMEMLIMIT: "500MiB" },
          include: ["test/**/*.test.ts"],
          exclude: ["test/vectors/**", "test/model/**", "**/node_modules/**"],
          ...besideOneAnother,
        },
      },
      {
        test: {
          ...deadlines,
          experimental,
          name: "model",
          include: ["test/model/**/*.test.ts"],
          exclude: ["**/node_modules/**"],
          ...besideOneAnother,
        },
      },
    ],
  },
});
