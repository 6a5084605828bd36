import type { ObservationRow } from "../../keyring/rows.ts";

/**
 * A plugin records at least every two minutes that an API server asked, and after three minutes that none
 * did. An older record comes from a plugin that cannot write, because the disk is full or read-only, for
 * example.
 */
const UNTOLD_MILLISECONDS = 300_000;

interface Told {
  readonly lastStatusAt: number;
  /** When this was first read, by a clock that never steps. */
  readonly at: number;
}

/** Distinguishes observations that the plugin no longer renews from present ones. */
export class UntoldObservations {
  readonly #told = new Map<string, Told>();

  /** Returns the observations. Those that are too old are marked: it is not known that an API server asks. */
  marked(rows: readonly ObservationRow[], uptime: number): readonly ObservationRow[] {
    return rows.map((row) => this.#marked(row, uptime));
  }

  /**
   * Returns when, by the clock of `marked`, the next observation becomes too old unless the plugin renews it.
   */
  nextAt(uptime: number): number | undefined {
    const times = [...this.#told.values()].map(({ at }) => at + UNTOLD_MILLISECONDS);
    const ahead = times.filter((time) => time > uptime);
    return ahead.length === 0 ? undefined : Math.min(...ahead);
  }

  #marked(row: ObservationRow, uptime: number): ObservationRow {
    const { provider, lastStatusAt, notAskedSince } = row;
    if (lastStatusAt === undefined || notAskedSince !== undefined) {
      this.#told.delete(provider);
      return row;
    }
    const before = this.#told.get(provider);
    const told = before?.lastStatusAt === lastStatusAt ? before : { lastStatusAt, at: uptime };
    this.#told.set(provider, told);
    return uptime - told.at < UNTOLD_MILLISECONDS ? row : { ...row, notAskedSince: lastStatusAt };
  }
}
