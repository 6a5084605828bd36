/** The seed and the number of histories that the whole suite plays, a part of them in each file: the same ones each time. */
export const SEED = Number(process.env.CLAVIGER_TEST_SEED ?? 731_895_337);
export const NUM_RUNS = Number(process.env.CLAVIGER_TEST_RUNS ?? 10_000);
