import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type NodeConfig, type ProviderConfig, readConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { appearanceOf } from "../files/file-appearance.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { readObservations } from "../keyring/observations.ts";
import type { ObservationRow } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { type Log, logStop } from "../log.ts";
import { keepServingMetrics, type MetricsDoor } from "../metrics/metrics-server.ts";
import { keyRefText } from "../names.ts";
import { openSeals } from "../seal/open-seals.ts";
import { TIMING, type Timing } from "../timing.ts";
import { loadPluginMetrics, type Observation, type PluginMetrics } from "./metrics.ts";
import { ObservationRecorder } from "./observation-recorder.ts";
import { Provider } from "./provider.ts";
import { SocketServer } from "./socket-server.ts";

/** How soon a failed check is repeated. */
const RETRY_MILLISECONDS = 1_000;
/** How soon an edited configuration is noticed. */
const LOOK_MILLISECONDS = 500;

export interface PluginOptions {
  readonly configPath: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The production timing if left out. */
  readonly timing?: Timing;
  /** Called when the sockets of the first configuration listen. */
  readonly onListening?: (plugin: Plugin) => void;
}

/**
 * Serves the sockets of a configuration until aborted. Throws ConfigInvalid or InUse if it cannot start.
 * Afterwards it never stops by itself: a failure is answered to the API server, logged, and retried.
 */
export async function runPlugin(options: PluginOptions): Promise<void> {
  // Taken before the file is read, so that a later edit is noticed, however long the start takes.
  const appearance = appearanceOf(options.configPath);
  const config = readConfig(options.configPath);
  // Sockets and their folders belong only to our user, or to our user and one group.
  process.umask(config.socketGroup === undefined ? 0o077 : 0o007);
  const plugin = new Plugin(config, options.log, options.timing ?? TIMING);
  const stopped = logStop(options.log, "plugin", options.signal);
  const following = plugin.followConfiguration(appearance);
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
  /** The observations of the former plugin, by provider. */
  readonly #before: ReadonlyMap<string, ObservationRow>;
  /** Those of them that their provider has not continued yet. */
  readonly #formers = new Map<string, ObservationRow>();
  #isClosed = false;
  #config: NodeConfig;
  #metrics: PluginMetrics | undefined;
  #metricsDoor: MetricsDoor | undefined;
  /** Calls answered before prom-client was loaded. */
  #early: Observation[] | undefined = [];
  #timer: NodeJS.Timeout | undefined;
  #reloading: Promise<void> = Promise.resolve();
  /** The last message about each repeated failure, so that it is logged once. */
  readonly #complaints = new Map<string, string>();
  /** The problem of the keyring at the last look. */
  #keyringProblem: string | undefined;

  constructor(config: NodeConfig, log: Log, timing: Timing) {
    this.#config = config;
    this.#log = log;
    this.#timing = timing;
    this.#keyring = new LiveKeyring(join(config.stateDir, KEYRING_FILE), openSeals(config));
    this.#before = observedBefore(this.#keyring.path);
    this.#recorder = new ObservationRecorder({
      keyringPath: this.#keyring.path,
      rows: () => this.#observations(),
      complain: (error) => this.#complain("warn", "observations", error),
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
    await this.#takeOver();
    for (const provider of this.#config.providers) await this.#add(provider);
    this.#timer = setInterval(() => this.#mend(), RETRY_MILLISECONDS);
    await this.#startMetrics();
  }

  /**
   * Before the first call, marks the file as incomplete: if this plugin is killed, the next one must not take
   * the present contents for everything that happened.
   */
  async #takeOver(): Promise<void> {
    if (this.#before.size === 0) return;
    const rows = [...this.#before.values()];
    const isTaken = await this.#recorder.writeFirst(rows.map(asNotWhole));
    for (const row of isTaken ? rows : rows.map(asNotWhole)) this.#formers.set(row.provider, row);
  }

  /**
   * Only for the first provider of that name: a provider that is created later in this process does not
   * continue the record.
   */
  #takeFormer(name: string): ObservationRow | undefined {
    const former = this.#formers.get(name);
    this.#formers.delete(name);
    return former;
  }

  #observations(): ObservationRow[] {
    return this.servers.flatMap(({ provider: { observation, ref } }) => {
      if (observation === undefined) return [];
      const row = { ...observation, serves: keyRefText(ref) };
      return this.#isClosed && row.mark !== undefined ? { ...row, mark: { ...row.mark, whole: true } } : row;
    });
  }

  /**
   * Reloads the configuration at SIGHUP and when its file no longer has the appearance that it had when it
   * was read. It polls and does not use inotify: on a busy node there may be no watch left.
   */
  followConfiguration(appearance: string): { close(): void } {
    const reload = () => void this.reload();
    process.on("SIGHUP", reload);
    let seen = appearance;
    const timer = setInterval(() => {
      const now = appearanceOf(this.#config.path);
      if (now !== seen) reload();
      seen = now;
    }, LOOK_MILLISECONDS);
    return {
      close: () => {
        process.off("SIGHUP", reload);
        clearInterval(timer);
      },
    };
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
        this.#log("error", `the configuration was not taken up in full: ${messageOf(error)}`),
      );
    return this.#reloading;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reloading;
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
    await this.#metricsDoor?.close();
    // No more calls can come, so the record that is written now is complete.
    this.#isClosed = true;
    this.#recorder.changed();
    await this.#recorder.close();
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
      this.#complain("error", key, undefined);
    } catch (error) {
      this.#complain("error", key, new Error(`provider ${provider.name}: ${messageOf(error)}`));
    }
  }

  async #add(config: ProviderConfig): Promise<void> {
    const key = identity(config);
    if (this.#servers.has(key)) return;
    const { clock, settleMilliseconds, silenceMilliseconds } = this.#timing;
    const provider = new Provider({
      name: config.name,
      ref: config.ref,
      refusesImported: this.#refusesImported(config),
      keyring: this.#keyring,
      now: clock.wall,
      log: this.#log,
      onObserved: () => this.#recorder.changed(),
      former: this.#takeFormer(config.name),
      ...{ settleMilliseconds, silenceMilliseconds },
    });
    const observe = (observation: Observation) => this.#count(observation);
    const server = new SocketServer({ provider, path: config.socket, log: this.#log, observe });
    await server.listen(this.#config.socketGroup);
    this.#servers.set(key, server);
  }

  /**
   * Whoever may edit a KeyAlias chooses its key, so an alias may start with imported material only if the
   * configuration allows it. A key that was served before continues: the operator lets no served alias move
   * to imported material. The keyring has a record of it too (`servedImport`), but an older release may have
   * run since and not have kept it.
   */
  #refusesImported({ name, ref, allowImported }: ProviderConfig): boolean {
    if ("key" in ref || allowImported === true) return false;
    if (!this.#before.has(name)) return true;
    const before = this.#before.get(name)?.serves;
    return before !== undefined && before !== keyRefText(ref);
  }

  #complain(level: "warn" | "error", about: string, error: unknown): void {
    if (error === undefined) {
      this.#complaints.delete(about);
      return;
    }
    const complaint = messageOf(error);
    if (this.#complaints.get(about) !== complaint) this.#log(level, complaint);
    this.#complaints.set(about, complaint);
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
    if (problem?.message === this.#keyringProblem) this.#complain("warn", "keyring", problem);
    this.#keyringProblem = problem?.message;
    for (const [versionId, error] of this.#keyring.unreadable) this.#complain("warn", versionId, error);
    for (const { name, error } of this.#keyring.unreadableRows) this.#complain("warn", name, error);
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
      this.#complain("error", path, undefined);
    } catch (error) {
      const text = `provider ${provider.name}: its socket ${path} was removed and cannot be made again: ${messageOf(error)}`;
      this.#complain("error", path, new Error(text));
    }
  }

  async #startMetrics(): Promise<void> {
    const address = this.#config.metrics.plugin;
    if (address !== undefined) {
      this.#metrics = await loadPluginMetrics({
        providers: () =>
          this.servers.map(({ provider }) => ({
            name: provider.name,
            keyId: provider.usable ? provider.observation?.kmsKeyId : undefined,
            ...provider.asking,
          })),
        versions: () => this.#keyring.versionCount,
      });
      for (const observation of this.#early ?? []) this.#metrics.observe(observation);
      const { render } = this.#metrics;
      this.#metricsDoor = keepServingMetrics(address, render, (error) =>
        this.#complain("error", "metrics", error),
      );
    }
    this.#early = undefined;
  }

  #count(observation: Observation): void {
    this.#early?.push(observation);
    this.#metrics?.observe(observation);
  }
}

const identity = ({ name, socket, ref, allowImported = false }: ProviderConfig): string =>
  `${name} ${socket} ${keyRefText(ref)} ${allowImported}`;

/** Empty if the file cannot be read: the operator reports that. */
function observedBefore(keyringPath: string): ReadonlyMap<string, ObservationRow> {
  try {
    return new Map(readObservations(keyringPath).map((row) => [row.provider, row]));
  } catch {
    return new Map();
  }
}

const asNotWhole = ({ mark, ...row }: ObservationRow): ObservationRow =>
  mark === undefined ? row : { ...row, mark: { ...mark, whole: false } };

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
