import type { ObservationRow } from "../../keyring/rows.ts";

/**
 * A plugin writes down at least every two minutes that it was asked, and after three that it was not.
 * Older word is that of a plugin that cannot write, on a disk that is full or read-only, say.
 */
const UNTOLD_MILLISECONDS = 300_000;

interface Told {
  readonly lastStatusAt: number;
  /** When this was first read, by a clock that never steps. */
  readonly at: number;
}

/** Tells observations that the plugin does not renew any more from those of the present. */
export class UntoldObservations {
  readonly #told = new Map<string, Told>();

  /** Returns the observations, and says of those that are too old that nobody is known to ask. */
  marked(rows: readonly ObservationRow[], uptime: number): readonly ObservationRow[] {
    return rows.map((row) => this.#marked(row, uptime));
  }

  /** When, by the clock of `marked`, the next one will be too old unless the plugin renews it. */
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
