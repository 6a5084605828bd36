import { randomInt } from "node:crypto";
import fc from "fast-check";
import { history, play } from "../src/testing/cluster-model/histories.ts";
import { checkOutcome } from "../src/testing/cluster-model/outcomes.ts";
import { BrokenPromise, PROMISES, PromiseCounts } from "../src/testing/cluster-model/promise-names.ts";

/**
 * Plays histories of the cluster model until one breaks a promise, and writes the result as one line
 * of JSON: `npm run model -- RUNS SEED`. Without a SEED it chooses one. The mutation check runs it on
 * altered sources. Exits with 1 if a promise is broken.
 */
const [numRuns = 10_000, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number);
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
process.stdout.write(`${JSON.stringify({ seed, played, broken, checked })}\n`);
if (broken !== undefined) process.exitCode = 1;
