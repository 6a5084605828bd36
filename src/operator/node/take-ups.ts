import type { ObservationRow } from "../../keyring/rows.ts";
import type { ApiServerWord } from "../../kube/api-server-metrics.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { timeOf } from "../../times.ts";
import type { Heard } from "./decide-api-server.ts";

type ReportedProvider = NonNullable<KeyServerStatus["providers"]>[number];

/** What was last reported of one provider's Encrypts. */
interface Reported {
  readonly episode: string | undefined;
  readonly encrypts: number;
  /** Encrypts that nothing of the API server's own word explains but a file that it tried and dropped. */
  readonly probes: number;
}

/**
 * Tells the Encrypts of an API server that was started, or took up a file, from those by which it tries a
 * file on the disk (a probe), which prove nothing; and since when the API server has used its file.
 */
export class TakeUps {
  readonly #settleMilliseconds: number;
  readonly #providers = new Map<string, Reported>();
  /** Providers that were settled before this operator started, and nothing has happened to since. */
  readonly #settledBefore = new Set<string>();
  /** Which process uses which file, after how many reloads. */
  #state: string | undefined;
  #since = 0;

  constructor(settleMilliseconds: number) {
    this.#settleMilliseconds = settleMilliseconds;
  }

  /**
   * Returns the observations as they are to be reported. `isTrying` is whether the file on the disk is
   * another one than the API server uses. Without its word they are the plugin's.
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

  /** When, by the clock of `reported`, the API server has gone by the same for long enough; undefined if there is no telling. */
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
    // The file that an Encrypt was to try may have been loaded since.
    this.#providers.clear();
    this.#settledBefore.clear();
    if (!isFirst || reportedProcessOf(before) !== processOf(word)) return;
    for (const row of rows)
      this.#carryOver(
        row,
        before?.providers?.find(({ name }) => name === row.provider),
      );
  }

  /** What the operator before this one reported of the same process, file and episode. */
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
    // A probe restarts the plugin's own count each time, and says nothing of what is written.
    const isQuiet = isTrying ? (row.episodeSettled ?? row.settled) : row.settled;
    return isLasting && isQuiet;
  }
}

/** Which process uses which file. */
const processOf = ({ startTime, configHash }: ApiServerWord): string =>
  processText(Math.floor((startTime ?? 0) / 1000), configHash);

/** As a KeyServer has it, to the second: a reload of the very same file in between shows in the Encrypts. */
const reportedProcessOf = (status: KeyServerStatus | undefined): string =>
  processText(Math.floor(timeOf(status?.apiServer?.startTime) / 1000), status?.apiServer?.configHash);

const processText = (startSeconds: number, hash: string | undefined): string =>
  `${startSeconds} ${hash ?? "none"}`;
