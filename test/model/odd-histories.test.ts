import { test } from "vitest";
import { checkHistories } from "../../src/testing/cluster-model/check-histories.ts";
import { giveWay } from "./give-way.ts";
import { NUM_RUNS, SEED } from "./runs.ts";

giveWay();

test(`whatever happens, every promise is kept: histories 1, 3, 5 … of seed ${SEED}`, {
  timeout: 7_200_000,
}, () => {
  checkHistories({ seed: SEED, numRuns: NUM_RUNS, share: { part: 1, parts: 2 } });
});
