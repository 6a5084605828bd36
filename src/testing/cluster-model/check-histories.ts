import fc from "fast-check";
import { expect } from "vitest";
import { history, play } from "./histories.ts";
import { checkOutcome } from "./outcomes.ts";
import { PROMISES, PromiseCounts } from "./promise-names.ts";

/** With fewer histories some promises may never be checked. */
const ENOUGH = 1_000;

/** The histories to check. */
export interface Histories {
  readonly seed: number;
  /** The number of histories, from the seed on. */
  readonly numRuns: number;
  /**
   * Only every `parts`th of them, beginning with number `part`, because several processes share the work. All
   * of them if left out.
   */
  readonly share?: { readonly part: number; readonly parts: number };
}

/**
 * Plays histories, and checks on the way and in the end that every promise is kept. Prints how often each
 * promise was checked on something that could have broken it; in many histories, each must have been checked.
 */
export function checkHistories({
  seed,
  numRuns,
  share: { part, parts } = { part: 0, parts: 1 },
}: Histories): void {
  const counts = new PromiseCounts();
  let [generated, checked, hasFailed] = [0, 0, false];
  const check = (past: Parameters<typeof play>[0]): void => {
    const cluster = play(past);
    checkOutcome(cluster, past);
    counts.add(cluster.promises.counts);
    checked += 1;
  };
  fc.assert(
    fc.property(history, (past) => {
      // After a failure fast-check looks for a shorter history that fails too: each one counts.
      if (!hasFailed && generated++ % parts !== part) return;
      try {
        check(past);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }),
    { seed, numRuns },
  );
  report(counts, checked);
  const unchecked = PROMISES.filter((name) => counts.of(name) === 0);
  if (checked >= ENOUGH) expect(unchecked, "promises that were never really checked").toEqual([]);
}

function report(counts: PromiseCounts, checked: number): void {
  const lines = PROMISES.map((name) => `${String(counts.of(name)).padStart(10)}  ${name}`);
  process.stdout.write(`${checked} histories checked\n${lines.join("\n")}\n`);
}
