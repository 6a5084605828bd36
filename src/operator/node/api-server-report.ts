import { SETTLE_MILLISECONDS } from "../../api-server-times.ts";
import type { NodeConfig } from "../../config/config.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import type { Problem } from "../../keys/version-tester.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { UntoldObservations } from "../nodes/untold-observations.ts";
import type { ApiServerWatch } from "./api-server-watch.ts";
import { type ApiServerState, decideApiServer } from "./decide-api-server.ts";
import { SocketScopes } from "./socket-scopes.ts";
import { TakeUps } from "./take-ups.ts";

/** The part of a report about the API server and its use of the providers. */
export interface ApiServerReport {
  /** Undefined if there is no API server to ask. */
  readonly state: ApiServerState | undefined;
  readonly providers: ReturnType<SocketScopes["of"]>;
  readonly observations: readonly ObservationRow[];
}

/**
 * Follows this node's API server: its own report, its EncryptionConfiguration, and the plugin's observations
 * of it.
 */
export class ApiServerReporter {
  readonly #providers: NodeConfig["providers"];
  readonly #scopes: SocketScopes;
  readonly #watch: ApiServerWatch | undefined;
  readonly #uptime: () => number;
  readonly #takeUps: TakeUps;
  readonly #untold = new UntoldObservations();
  /** The number of Encrypts at the last pass. */
  #encrypts = 0;
  /** When to report facts that have lasted long enough by then. */
  #reportAt: number | undefined;
  /** True if the API server uses another file than the file on the disk. */
  #isTrying = false;

  constructor(options: {
    readonly config: Pick<NodeConfig, "providers" | "encryptionConfig">;
    readonly apiServer?: ApiServerWatch | undefined;
    readonly uptime: () => number;
    readonly settleMilliseconds?: number | undefined;
  }) {
    this.#providers = options.config.providers;
    this.#scopes = new SocketScopes(options.config.encryptionConfig);
    this.#watch = options.apiServer;
    this.#uptime = options.uptime;
    this.#takeUps = new TakeUps(options.settleMilliseconds ?? SETTLE_MILLISECONDS);
  }

  /** Resolves when the API server has been asked once. */
  get first(): Promise<unknown> | undefined {
    return this.#watch?.first;
  }

  /**
   * Returns true, once, if the EncryptionConfiguration was edited: a pass that fails is retried after a
   * pause.
   */
  fileChanged(): boolean {
    const edited = this.#scopes.changed();
    if (edited) this.#watch?.hurry();
    return edited;
  }

  /**
   * Asks the API server which file it uses, if it is time. Returns true if there is something new to report.
   * Never rejects.
   */
  async look(signal: AbortSignal): Promise<boolean> {
    const isNew = (await this.#watch?.tick(this.#isTrying, signal)) ?? false;
    const isDue = this.#reportAt !== undefined && this.#uptime() >= this.#reportAt;
    if (isDue) this.#reportAt = undefined;
    return isNew || isDue;
  }

  /** Returns the part of the new report. `before` is this node's last report. */
  report(
    observations: readonly ObservationRow[],
    before: KeyServerStatus | undefined,
    problems: Problem[],
  ): ApiServerReport {
    const state = this.#state(observations, problems);
    const providers = this.#scopes.of(this.#providers, state?.status, before);
    return { state, providers, observations: this.#reported(observations, before) };
  }

  #state(observations: readonly ObservationRow[], problems: Problem[]): ApiServerState | undefined {
    const file = this.#scopes.file();
    if (file?.fault !== undefined) problems.push({ reason: "EncryptionConfigInvalid", message: file.fault });
    if (this.#watch === undefined) return undefined;
    const times = observations.flatMap(({ lastStatusAt }) => lastStatusAt ?? []);
    const lastStatusAt = times.length === 0 ? undefined : Math.max(...times);
    const state = decideApiServer({ heard: this.#watch.heard, file, lastStatusAt });
    this.#isTrying = state.status.encryptionConfig === "NotLoaded";
    return state;
  }

  /** An unexpected Encrypt is a reason to ask the API server what it is doing. */
  #reported(
    observations: readonly ObservationRow[],
    before: KeyServerStatus | undefined,
  ): readonly ObservationRow[] {
    if (this.#watch === undefined) return observations;
    const encrypts = observations.reduce((sum, row) => sum + row.encrypts, 0);
    if (encrypts !== this.#encrypts) this.#watch.hurry();
    this.#encrypts = encrypts;
    const { heard } = this.#watch;
    const uptime = this.#uptime();
    // The plugin does not know what a test adds to our clock.
    const real = performance.now();
    const reported = this.#takeUps.reported(
      this.#untold.marked(observations, real),
      { heard, isTrying: this.#isTrying, before },
      uptime,
    );
    const untold = this.#untold.nextAt(real);
    const times = [this.#takeUps.lastingAt, untold && uptime + untold - real];
    const ahead = times.flatMap((time) => (time !== undefined && time > uptime ? time : []));
    this.#reportAt = ahead.length === 0 ? undefined : Math.min(...ahead);
    return reported;
  }
}
