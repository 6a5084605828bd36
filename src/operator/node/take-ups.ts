import type { ObservationRow } from "../../keyring/rows.ts";
import type { ApiServerWord } from "../../kube/api-server-metrics.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { timeOf } from "../../times.ts";
import type { Heard } from "./decide-api-server.ts";

type ReportedProvider = NonNullable<KeyServerStatus["providers"]>[number];

/** The last report about one provider's Encrypts. */
interface Reported {
  readonly episode: string | undefined;
  readonly encrypts: number;
  /** Encrypts that can only be explained by a file that the API server tried and dropped. */
  readonly probes: number;
}

/**
 * Distinguishes the Encrypts of an API server that was started, or loaded a file, from those with which it
 * tries a file on the disk (a probe), which prove nothing. Knows since when the API server has used its file.
 */
export class TakeUps {
  readonly #settleMilliseconds: number;
  readonly #providers = new Map<string, Reported>();
  /** Providers that were settled before this operator started, and to which nothing has happened since. */
  readonly #settledBefore = new Set<string>();
  /** The process, its file, and its number of reloads. */
  #state: string | undefined;
  #since = 0;

  constructor(settleMilliseconds: number) {
    this.#settleMilliseconds = settleMilliseconds;
  }

  /**
   * Returns the observations to report. `isTrying` is true if the file on the disk differs from the file that
   * the API server uses. Without its report they are the plugin's.
   */
  reported(
    rows: readonly ObservationRow[],
    said: { readonly heard: Heard; readonly isTrying: boolean; readonly before: KeyServerStatus | undefined },
    uptime: number,
  ): ObservationRow[] {
    if (said.heard.kind === "unknown") return this.#asThePluginSays(rows);
    const { word } = said.heard;
    const state = `${processOf(word)} ${word.reloads}`;
    if (state !== this.#state) this.#begin(rows, word, said.before, uptime);
    return rows.map((row) => this.#reported(row, said.isTrying, uptime));
  }

  /**
   * Returns when, by the clock of `reported`, the API server has used the same file for long enough;
   * undefined if nobody can tell.
   */
  get lastingAt(): number | undefined {
    return this.#state === undefined ? undefined : this.#since + this.#settleMilliseconds;
  }

  #asThePluginSays(rows: readonly ObservationRow[]): ObservationRow[] {
    this.#state = undefined;
    this.#providers.clear();
    this.#settledBefore.clear();
    return [...rows];
  }

  #begin(
    rows: readonly ObservationRow[],
    word: ApiServerWord,
    before: KeyServerStatus | undefined,
    uptime: number,
  ): void {
    const isFirst = this.#state === undefined;
    this.#state = `${processOf(word)} ${word.reloads}`;
    this.#since = uptime;
    // The file that an Encrypt was meant to try may have been loaded since.
    this.#providers.clear();
    this.#settledBefore.clear();
    if (!isFirst || reportedProcessOf(before) !== processOf(word)) return;
    for (const row of rows)
      this.#carryOver(
        row,
        before?.providers?.find(({ name }) => name === row.provider),
      );
  }

  /** Takes over the former operator's report about the same process, file and episode. */
  #carryOver({ provider, episode, encrypts }: ObservationRow, reported: ReportedProvider | undefined): void {
    if (episode === undefined || reported?.episode !== episode) return;
    if (reported.settled === true && reported.encrypts === encrypts) this.#settledBefore.add(provider);
    this.#providers.set(provider, { episode, encrypts: reported.encrypts ?? 0, probes: 0 });
  }

  #reported(row: ObservationRow, isTrying: boolean, uptime: number): ObservationRow {
    const known = this.#providers.get(row.provider);
    const last = known?.episode === row.episode ? known : undefined;
    const all = row.encrypts;
    const kept = last?.encrypts ?? (isTrying && known !== undefined ? 0 : all);
    const encrypts = isTrying ? Math.min(kept, all) : Math.max(0, all - (last?.probes ?? 0));
    const probes = all - encrypts;
    this.#providers.set(row.provider, { episode: row.episode, encrypts, probes });
    return { ...row, encrypts, settled: this.#isSettled(row, isTrying, uptime) };
  }

  #isSettled(row: ObservationRow, isTrying: boolean, uptime: number): boolean {
    const isLasting =
      uptime - this.#since >= this.#settleMilliseconds || this.#settledBefore.has(row.provider);
    // A probe restarts the plugin's own count each time, and says nothing about writes.
    const isQuiet = isTrying ? (row.episodeSettled ?? row.settled) : row.settled;
    return isLasting && isQuiet;
  }
}

/** Identifies the process and its file. */
const processOf = ({ startTime, configHash }: ApiServerWord): string =>
  processText(Math.floor((startTime ?? 0) / 1000), configHash);

/** As in a KeyServer, to the second: a reload of the very same file in between shows in the Encrypts. */
const reportedProcessOf = (status: KeyServerStatus | undefined): string =>
  processText(Math.floor(timeOf(status?.apiServer?.startTime) / 1000), status?.apiServer?.configHash);

const processText = (startSeconds: number, hash: string | undefined): string =>
  `${startSeconds} ${hash ?? "none"}`;
