/** Collects what must not be, by scenario; of repetitions the first one. */
export class Ledger {
  readonly #problems = new Map<string, Map<string, string>>();
  readonly #checks = new Map<string, number>();
  /** When somebody last did something to a node, in epoch milliseconds. */
  #disturbed = { from: 0, to: 0 };

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
    this.#disturbed = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    try {
      return await work();
    } finally {
      this.#disturbed = { ...this.#disturbed, to: Date.now() };
    }
  }

  /** Whether a claim of that time may still stand although it is no longer true: nobody can know at once. */
  mayBeLate(claimedAt: number): boolean {
    const { from, to } = this.#disturbed;
    return claimedAt < from && Date.now() < to + REACTION_MILLISECONDS;
  }
}

/**
 * Within this time after a node was changed, a claim from before must be withdrawn. An operator asks its
 * API server every 15 s which file it uses, and then a leader has to look; a busy machine takes longer.
 */
const REACTION_MILLISECONDS = 60_000;
