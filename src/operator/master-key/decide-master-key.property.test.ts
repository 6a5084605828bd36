import { test } from "vitest";
import { checkHistories } from "../../testing/cluster-model/check-histories.ts";

/**
 * Plays the same histories each time, so that a failure is caused by the change: the first hundred and fifty
 * of those that test/model plays. `npm run model` plays others.
 */
const seed = Number(process.env.CLAVIGER_TEST_SEED ?? 731_895_337);
const numRuns = Number(process.env.CLAVIGER_TEST_RUNS ?? 150);
/** Seconds of pure computation, and many times as long for more histories on a busy machine. */
const timeout = 7_200_000;

test(`whatever happens, every promise is kept, and once everybody works again all is well (seed ${seed})`, {
  timeout,
}, () => {
  checkHistories({ seed, numRuns });
});
