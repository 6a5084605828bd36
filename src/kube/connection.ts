import { Agent, type RequestOptions } from "node:https";
import { ClavigerError } from "../errors.ts";
import { keepAliveAgent } from "./keep-alive-agent.ts";
import { loadCredentials } from "./kubeconfig/credentials.ts";
import { faultOf, type Kubeconfig, readKubeconfig, serverOf } from "./kubeconfig/kubeconfig.ts";
import { requestOptions } from "./kubeconfig/request-options.ts";

/** The address of an API server and the credentials for it. */
export interface Connection {
  readonly server: URL;
  readonly options: RequestOptions;
  readonly loadedAt: number;
}

/** Tokens and certificates of a kubeconfig may be renewed on disk. */
const CREDENTIAL_AGE_MILLISECONDS = 60_000;

interface Load {
  readonly connection: Promise<Connection>;
  readonly ended: AbortController;
  waiting: number;
}

/**
 * Holds the connection that a kubeconfig describes. It is loaded when needed, and reloaded when it is a
 * minute old.
 */
export class ConnectionSource {
  readonly #kubeconfigPath: string;
  readonly #context: string | undefined;
  readonly #deadlineMilliseconds: number;
  readonly #agents = new Set<Agent>();
  #last: Connection | undefined;
  #load: Load | undefined;

  /** Without a context, the kubeconfig's current context is used. */
  constructor(kubeconfigPath: string, deadlineMilliseconds: number, context?: string) {
    this.#kubeconfigPath = kubeconfigPath;
    this.#context = context;
    this.#deadlineMilliseconds = deadlineMilliseconds;
  }

  /**
   * Returns the connection. Callers share one load, which ends when none of them waits any more. Throws
   * ConfigInvalid, ApiServer, or the signal's reason.
   */
  async get(signal: AbortSignal | undefined): Promise<Connection> {
    signal?.throwIfAborted();
    if (this.#last !== undefined && Date.now() - this.#last.loadedAt <= CREDENTIAL_AGE_MILLISECONDS) {
      return this.#last;
    }
    this.#load ??= this.#begin();
    const load = this.#load;
    load.waiting += 1;
    try {
      return await unlessAborted(load.connection, signal);
    } finally {
      load.waiting -= 1;
      if (load.waiting === 0) this.#end(load);
    }
  }

  /**
   * Drops all pooled connections. Call this after a timeout: a dead connection gives no sign, and each would
   * cost another call its full timeout.
   */
  forget(): void {
    this.#last = undefined;
  }

  /** Closes every connection, also those with credentials that were replaced since. */
  close(): void {
    this.forget();
    for (const agent of this.#agents) agent.destroy();
    this.#agents.clear();
  }

  #begin(): Load {
    const ended = new AbortController();
    const connection = this.#loaded(ended.signal);
    // The callers that wait get the error. Perhaps none of them waits any more.
    connection.catch(() => undefined);
    return { connection, ended, waiting: 0 };
  }

  /** Forgets a failed load too, so that the next caller retries. */
  #end(load: Load): void {
    load.ended.abort(new Error("nobody waits for it any more"));
    if (this.#load === load) this.#load = undefined;
  }

  async #loaded(ended: AbortSignal): Promise<Connection> {
    const kubeconfig = readKubeconfig(this.#kubeconfigPath, this.#context);
    const server = serverOf(kubeconfig, this.#kubeconfigPath);
    const options = await this.#authenticate(kubeconfig, ended);
    this.#last = {
      server,
      options: { ...options, agent: keepAliveAgent(options, this.#last?.options) },
      loadedAt: Date.now(),
    };
    const { agent } = this.#last.options;
    if (agent instanceof Agent) this.#agents.add(agent);
    return this.#last;
  }

  /** Plugins, token files and identity providers may hang, or be unavailable for a moment. */
  async #authenticate(kubeconfig: Kubeconfig, ended: AbortSignal): Promise<RequestOptions> {
    const limit = this.#deadlineMilliseconds;
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(new Error(`none came within ${limit / 1000} s`)), limit);
    const signal = AbortSignal.any([ended, overdue.signal]);
    try {
      const credentials = await loadCredentials(kubeconfig, this.#kubeconfigPath, signal);
      return await unlessAborted(requestOptions(credentials), signal);
    } catch (cause) {
      const text = `the credentials of kubeconfig ${this.#kubeconfigPath} cannot be loaded: ${faultOf(cause)}`;
      throw new ClavigerError("ApiServer", text);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Resolves as `promise` does, or rejects with the reason of the signal if it aborts before. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    done.abort();
  }
}
