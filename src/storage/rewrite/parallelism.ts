/** What calls at one degree of parallelism have shown. */
export interface ObservedCalls {
  readonly parallelism: number;
  /** Calls that were answered as they should be, since the last change. */
  readonly succeeded: number;
  /** Whether the API server asked for less, failed, or did not answer. */
  readonly pushedBack: boolean;
  /** The most that is ever used; at least 1. */
  readonly max: number;
}

/**
 * How many calls at once to make from here on: one more after a round in which
 * all went well, half as many when the server pushes back (AIMD, as TCP does).
 */
export function nextParallelism({ parallelism, succeeded, pushedBack, max }: ObservedCalls): number {
  const wanted = pushedBack
    ? Math.floor(parallelism / 2)
    : succeeded >= parallelism
      ? parallelism + 1
      : parallelism;
  return Math.max(1, Math.min(max, wanted));
}
