/**
 * The program with the clock and the waits that the environment asks for (timing.ts). Only tests
 * start it: neither the package nor the image has this file, and what they have reads none of it.
 */
import { enableCompileCache } from "node:module";
import { join } from "node:path";

// As bin/claviger.js has it, before anything else is loaded.
enableCompileCache(join(import.meta.dirname, "..", "..", "node_modules", ".cache", "claviger"));
const { main } = await import("../../src/cli/program.ts");
const { stderrLog } = await import("../../src/log.ts");
const { testTiming } = await import("./timing.ts");

await main(process.argv.slice(2), testTiming(process.env, stderrLog("test")));
