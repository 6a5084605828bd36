/**
 * The program with the clock and the timing of the environment (timing.ts). Only tests start it: neither the
 * package nor the image has this file, and their programs do not read these variables.
 */
import { enableCompileCache } from "node:module";
import { join } from "node:path";

// As in bin/claviger.js, before anything else is loaded.
enableCompileCache(join(import.meta.dirname, "..", "..", "node_modules", ".cache", "claviger"));
const { main } = await import("../../src/cli/program.ts");
const { stderrLog } = await import("../../src/log.ts");
const { testTiming } = await import("./timing.ts");

await main(process.argv.slice(2), testTiming(process.env, stderrLog("test")));
