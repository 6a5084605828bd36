/** The results of calls at one degree of parallelism. */
export interface ObservedCalls {
  readonly parallelism: number;
  /** Calls that succeeded since the last change. */
  readonly succeeded: number;
  /** True if the API server asked for fewer calls, failed, or did not answer. */
  readonly pushedBack: boolean;
  /** The upper limit; at least 1. */
  readonly max: number;
}

/**
 * Returns how many calls to make at once from now on: half as many if the API server pushes back, or one more
 * if at least `parallelism` calls have succeeded since the last change (AIMD, as in TCP).
 */
export function nextParallelism({ parallelism, succeeded, pushedBack, max }: ObservedCalls): number {
  const wanted = pushedBack
    ? Math.floor(parallelism / 2)
    : succeeded >= parallelism
      ? parallelism + 1
      : parallelism;
  return Math.max(1, Math.min(max, wanted));
}
