import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Complaints } from "../complaints.ts";
import { type NodeConfig, type ProviderConfig, readConfig } from "../config/config.ts";
import type { WatchedConfig } from "../config/watched-config.ts";
import { messageOf } from "../errors.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import type { ObservationRow } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { type Log, logStop } from "../log.ts";
import { keyRefText } from "../names.ts";
import { openSeals } from "../seal/open-seals.ts";
import { TIMING, type Timing } from "../timing.ts";
import { socketCall } from "./audit/answered-call.ts";
import { SocketAudit } from "./audit/socket-audit.ts";
import { CallMetrics } from "./call-metrics.ts";
import { watchConfiguration } from "./configuration-watch.ts";
import type { Observation } from "./metrics.ts";
import { FormerObservations } from "./observations/former-observations.ts";
import { ObservationRecorder } from "./observations/observation-recorder.ts";
import { Provider } from "./provider.ts";
import { SocketServer } from "./socket-server.ts";
import { standBy } from "./standby.ts";

/** How soon a failed check is repeated. */
const RETRY_MILLISECONDS = 1_000;
export interface PluginOptions {
  readonly configuration: WatchedConfig;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The production timing if left out. */
  readonly timing?: Timing;
  /** True if the plugin waits while another plugin serves its sockets, instead of throwing InUse. */
  readonly standby?: boolean;
  /** Called when the sockets of the first configuration listen. */
  readonly onListening?: (plugin: Plugin) => void;
}

/**
 * Serves the sockets of a configuration until aborted. Throws InUse if it cannot start.
 * Afterwards it never stops by itself: a failure is answered to the API server, logged, and retried.
 */
export async function runPlugin(options: PluginOptions): Promise<void> {
  const { config, appearance } = options.configuration;
  // Sockets and their folders belong only to our user, or to our user and one group.
  process.umask(config.socketGroup === undefined ? 0o077 : 0o007);
  if (options.standby)
    await standBy(
      config.providers.map(({ socket }) => socket),
      options.log,
      options.signal,
    );
  if (options.signal.aborted) return;
  const plugin = new Plugin(config, options.log, options.timing ?? TIMING);
  const stopped = logStop(options.log, "plugin", options.signal);
  const following = watchConfiguration(config.path, appearance, () => void plugin.reload());
  try {
    await plugin.start();
    options.onListening?.(plugin);
    await aborted(options.signal);
  } finally {
    following.close();
    await plugin.close();
    stopped();
  }
}

export class Plugin {
  readonly #log: Log;
  readonly #timing: Timing;
  readonly #keyring: LiveKeyring;
  readonly #recorder: ObservationRecorder;
  readonly #servers = new Map<string, SocketServer>();
  readonly #former: FormerObservations;
  readonly #metrics = new CallMetrics();
  /** Undefined if no audit log is configured. */
  readonly #audit: SocketAudit | undefined;
  #isClosed = false;
  #config: NodeConfig;
  #timer: NodeJS.Timeout | undefined;
  #reloading: Promise<void> = Promise.resolve();
  readonly #complaints: Complaints;
  /** The problem of the keyring at the last look. */
  #keyringProblem: string | undefined;

  constructor(config: NodeConfig, log: Log, timing: Timing) {
    this.#config = config;
    this.#log = log;
    this.#complaints = new Complaints(log);
    this.#timing = timing;
    this.#audit = config.audit && new SocketAudit(log, timing.clock.wall);
    this.#keyring = new LiveKeyring(join(config.stateDir, KEYRING_FILE), openSeals(config));
    this.#former = new FormerObservations(this.#keyring.path);
    this.#recorder = new ObservationRecorder({
      keyringPath: this.#keyring.path,
      rows: () => this.#observations(),
      complain: (error) => this.#complaints.note("warn", "observations", error),
    });
  }

  start(): Promise<void> {
    const started = this.#start();
    // A change in the meantime is loaded afterwards.
    this.#reloading = started.catch(() => undefined);
    return started;
  }

  async #start(): Promise<void> {
    this.#keyring.onChange(() => this.#followAll());
    this.#keyring.start();
    await this.#former.takeOver(this.#recorder);
    for (const provider of this.#config.providers) await this.#add(provider);
    this.#audit?.open(this.#config, this.#keyring, this.#log);
    this.#timer = setInterval(() => this.#mend(), RETRY_MILLISECONDS);
    await this.#startMetrics();
  }

  #observations(): ObservationRow[] {
    return this.servers.flatMap(({ provider: { observation, ref } }) => {
      if (observation === undefined) return [];
      const row = { ...observation, serves: keyRefText(ref) };
      return this.#isClosed && row.mark !== undefined ? { ...row, mark: { ...row.mark, whole: true } } : row;
    });
  }

  /**
   * Loads a changed configuration; a bad configuration changes nothing. Reloads follow one another. Never
   * rejects.
   */
  reload(): Promise<void> {
    return this.#inTurn(() => this.#reload());
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    this.#reloading = this.#reloading
      .then(step)
      .catch((error: unknown) =>
        this.#log("error", `the configuration was not loaded in full: ${messageOf(error)}`),
      );
    return this.#reloading;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reloading;
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.#metrics.close();
    // No more calls can come, so the record that is written now is complete.
    this.#isClosed = true;
    this.#recorder.changed();
    await this.#recorder.close();
    // Last: a plugin in standby begins at this moment, with the record and the metrics' port.
    for (const server of this.servers) server.release();
    await this.#audit?.close();
    this.#keyring.close();
  }

  get servers(): readonly SocketServer[] {
    return [...this.#servers.values()];
  }

  async #reload(): Promise<void> {
    let next: NodeConfig;
    try {
      next = readConfig(this.#config.path);
    } catch (error) {
      this.#log("error", `the configuration stays as it was: ${messageOf(error)}`);
      return;
    }
    if (next.stateDir !== this.#config.stateDir || !isDeepStrictEqual(next.seal, this.#config.seal)) {
      this.#log("error", "the configuration stays as it was: stateDir and seal change with a restart only");
      return;
    }
    const wanted = new Map(next.providers.map((provider) => [identity(provider), provider]));
    for (const [key, server] of this.#servers) {
      if (wanted.has(key)) continue;
      this.#servers.delete(key);
      await server.close();
      this.#log("info", `provider ${server.provider.name} was removed`, { socket: server.path });
      this.#recorder.changed();
    }
    this.#config = next;
    await this.#addMissing();
  }

  async #addMissing(): Promise<void> {
    for (const provider of this.#config.providers) await this.#addLater(provider);
  }

  /** On a reload, a socket that cannot be bound must not take the others down. */
  async #addLater(provider: ProviderConfig): Promise<void> {
    const key = identity(provider);
    try {
      await this.#add(provider);
      this.#complaints.note("error", key, undefined);
    } catch (error) {
      this.#complaints.note("error", key, new Error(`provider ${provider.name}: ${messageOf(error)}`));
    }
  }

  async #add(config: ProviderConfig): Promise<void> {
    const key = identity(config);
    if (this.#servers.has(key)) return;
    const { clock, settleMilliseconds, silenceMilliseconds } = this.#timing;
    const provider = new Provider({
      name: config.name,
      ref: config.ref,
      refusesImported: this.#former.refuseImported(config),
      keyring: this.#keyring,
      now: clock.wall,
      log: this.#log,
      onObserved: () => this.#recorder.changed(),
      former: this.#former.take(config.name),
      ...{ settleMilliseconds, silenceMilliseconds },
    });
    const observe = (observation: Observation, request: object, error?: unknown) => {
      this.#metrics.count(observation);
      if (this.#audit === undefined) return;
      const { operation } = observation;
      const call = socketCall({ provider, operation, request, error, at: clock.wall() });
      if (call !== undefined) this.#audit.record(call);
    };
    const server = new SocketServer({ provider, path: config.socket, log: this.#log, observe });
    await server.listen(this.#config.socketGroup);
    this.#servers.set(key, server);
  }

  #followAll(): void {
    for (const server of this.#servers.values()) void server.follow();
  }

  /** The fault may have been fixed: a root key, a socket's owner, a full disk. */
  #mend(): void {
    // While nothing is served yet, each provider reports why.
    const serving = this.servers.some(({ provider }) => provider.usable);
    const problem = serving ? this.#keyring.problem : undefined;
    // A keyring that is being written at this moment can be read at the next look.
    if (problem?.message === this.#keyringProblem) this.#complaints.note("warn", "keyring", problem);
    this.#keyringProblem = problem?.message;
    for (const [versionId, error] of this.#keyring.unreadable)
      this.#complaints.note("warn", versionId, error);
    for (const { name, error } of this.#keyring.unreadableRows) this.#complaints.note("warn", name, error);
    void this.#audit?.noteGap();
    for (const server of this.#servers.values()) {
      const { problem, useHasChanged } = server.provider;
      if (problem !== undefined || useHasChanged) void server.follow();
      void this.#mendSocket(server);
    }
    // Uses the loaded configuration, because its file may have been broken since.
    const missing = this.#config.providers.some((provider) => !this.#servers.has(identity(provider)));
    if (missing) void this.#inTurn(() => this.#addMissing());
  }

  async #mendSocket(server: SocketServer): Promise<void> {
    const { provider, path } = server;
    try {
      await server.mend();
      this.#complaints.note("error", path, undefined);
    } catch (error) {
      const text = `provider ${provider.name}: its socket ${path} was removed and cannot be created again: ${messageOf(error)}`;
      this.#complaints.note("error", path, new Error(text));
    }
  }

  #startMetrics(): Promise<void> {
    const source = {
      providers: () =>
        this.servers.map(({ provider }) => ({
          name: provider.name,
          keyId: provider.usable ? provider.observation?.kmsKeyId : undefined,
          unrecorded: this.#audit?.lost(provider.name),
          ...provider.asking,
        })),
      versions: () => this.#keyring.versionCount,
    };
    const complain = (error: unknown) => this.#complaints.note("error", "metrics", error);
    return this.#metrics.start(this.#config.metrics.plugin, source, complain);
  }
}

const identity = ({ name, socket, ref, allowImported = false }: ProviderConfig): string =>
  `${name} ${socket} ${keyRefText(ref)} ${allowImported}`;

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
