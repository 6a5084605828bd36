/** Collects violations by scenario; of repeated violations only the first. */
export class Ledger {
  readonly #problems = new Map<string, Map<string, string>>();
  readonly #checks = new Map<string, number>();
  /** When a disturbance of a node last ended, in epoch milliseconds. */
  #disturbedUntil = 0;

  note(scenario: string, kind: string, detail: string): void {
    const known = this.#problems.get(scenario) ?? new Map<string, string>();
    if (!known.has(kind)) known.set(kind, `${new Date().toISOString()} ${kind}: ${detail}`);
    this.#problems.set(scenario, known);
  }

  problemsOf(scenario: string): string[] {
    return [...(this.#problems.get(scenario)?.values() ?? [])];
  }

  /** Counts successful checks, so that a promise that was never checked does not pass. */
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
   * Returns true if a claim of that time may still stand although it is not true, because nobody can know at
   * once. While an API server restarts, the operator next to it cannot report either, and a leader may make a
   * new claim by an earlier report.
   */
  mayBeLate(claimedAt: number): boolean {
    const reported = this.#disturbedUntil + REPORT_MILLISECONDS;
    return claimedAt < reported && Date.now() < reported + REACTION_MILLISECONDS;
  }
}

/** An operator asks its API server every 15 s which file it uses. */
const REPORT_MILLISECONDS = 15_000;
/** A claim that contradicts that report must be withdrawn within this time after it. */
const REACTION_MILLISECONDS = 15_000;
