/** Collects what must not be, by scenario; of repetitions the first one. */
export class Ledger {
  readonly #problems = new Map<string, Map<string, string>>();
  readonly #checks = new Map<string, number>();
  /** When somebody last ended doing something to a node, in epoch milliseconds. */
  #disturbedUntil = 0;

  note(scenario: string, kind: string, detail: string): void {
    const known = this.#problems.get(scenario) ?? new Map<string, string>();
    if (!known.has(kind)) known.set(kind, `${new Date().toISOString()} ${kind}: ${detail}`);
    this.#problems.set(scenario, known);
  }

  problemsOf(scenario: string): string[] {
    return [...(this.#problems.get(scenario)?.values() ?? [])];
  }

  /** Counts what was checked and found right, so that a promise that was never looked at does not pass. */
  checked(what: string): void {
    this.#checks.set(what, this.checks(what) + 1);
  }

  checks(what: string): number {
    return this.#checks.get(what) ?? 0;
  }

  async disturbance<T>(work: () => Promise<T>): Promise<T> {
    this.#disturbedUntil = Number.POSITIVE_INFINITY;
    try {
      return await work();
    } finally {
      this.#disturbedUntil = Date.now();
    }
  }

  /**
   * Whether a claim of that time may still stand although it is not true: nobody can know at once. While an
   * API server is restarted the operator beside it cannot report either, and a leader may claim anew by
   * the report of before.
   */
  mayBeLate(claimedAt: number): boolean {
    const reported = this.#disturbedUntil + REPORT_MILLISECONDS;
    return claimedAt < reported && Date.now() < reported + REACTION_MILLISECONDS;
  }
}

/** An operator asks its API server every 15 s which file it uses. */
const REPORT_MILLISECONDS = 15_000;
/** Within this time after that report, a claim that it contradicts must be withdrawn. */
const REACTION_MILLISECONDS = 15_000;
