import { setTimeout as sleep } from "node:timers/promises";

/** How long `eventually` waits in total, and between two probes, in milliseconds. */
export interface Patience {
  readonly deadline?: number;
  readonly every?: number;
}

const LONGEST_REST = 3_000;

/**
 * Returns how long to wait after a probe that took `took` milliseconds: twice as long, if that is longer
 * than `every`. A probe that starts a program then leaves the processor to what it waits for, on a busy
 * machine too.
 */
export const pauseAfter = (took: number, every: number): number =>
  Math.max(every, Math.min(LONGEST_REST, 2 * took));

/** A probe throws this to end the wait at once, because the condition cannot become true any more. */
export class Hopeless extends Error {
  override readonly name = "Hopeless";
}

/**
 * Polls `probe` until it returns something other than undefined or false, and returns that. A probe that
 * throws is retried, unless it throws `Hopeless`. After the deadline, throws an Error that names `what` and
 * has the last error as its cause.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { deadline = 120_000, every = 300 }: Patience = {},
): Promise<T> {
  const end = performance.now() + deadline;
  let last: unknown;
  for (let left = deadline; left > 0; left = end - performance.now()) {
    const begun = performance.now();
    try {
      const found = await within(left, probe());
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      // The error of the probe before says more than the timeout of this probe.
      if (!(error instanceof Unanswered) || last === undefined) last = error;
    }
    await sleep(pauseAfter(performance.now() - begun, every));
  }
  const reason = last === undefined ? "the condition never held" : describe(last);
  throw new Error(`not within ${deadline / 1000} s: ${what} (${reason})`, { cause: last });
}

class Unanswered extends Error {
  override readonly name = "Unanswered";
}

/** A probe that hangs must not outlive the deadline, otherwise the test would end without a reason. */
async function within<T>(limit: number, probe: Promise<T>): Promise<T> {
  const done = new AbortController();
  const expiry = sleep(limit, undefined, { signal: done.signal }).then(() => {
    throw new Unanswered("the last probe did not answer");
  });
  try {
    return await Promise.race([probe, expiry]);
  } finally {
    expiry.catch(() => undefined);
    done.abort();
  }
}

/** fetch only says "fetch failed"; the reason is in the cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
