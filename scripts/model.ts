import fc from "fast-check";
import { history, play } from "../src/testing/cluster-model/histories.ts";
import { checkOutcome } from "../src/testing/cluster-model/outcomes.ts";
import { BrokenPromise, PROMISES, PromiseCounts } from "../src/testing/cluster-model/promises.ts";

/**
 * Plays histories of the cluster model until one breaks a promise, and writes what came of it as
 * one line of JSON: `node scripts/model.ts SEED RUNS`. The mutation check runs it on altered sources.
 */
const [seed = 1, numRuns = 1_000] = process.argv.slice(2).map(Number);
const counts = new PromiseCounts();
let played = 0;
let broken: { promise: string; message: string } | undefined;

const details = fc.check(
  fc.property(history, (past) => {
    played += 1;
    const cluster = play(past);
    checkOutcome(cluster, past);
    counts.add(cluster.promises.counts);
  }),
  { seed, numRuns, endOnFailure: true },
);
const error: unknown = details.errorInstance;
if (details.failed) {
  broken = {
    promise: error instanceof BrokenPromise ? error.promise : "what cannot be is refused",
    message: error instanceof Error ? error.message : String(error),
  };
}
const checked = Object.fromEntries(PROMISES.map((name) => [name, counts.of(name)]));
process.stdout.write(`${JSON.stringify({ played, broken, checked })}\n`);
