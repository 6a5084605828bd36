import { Agent, type RequestOptions } from "node:https";
import { dirname, resolve } from "node:path";
import { KubeConfig, loadYaml } from "@kubernetes/client-node";
import { ClavigerError, messageOf } from "../errors.ts";
import { readOwnFile } from "../files/own-file.ts";
import { readRegularFile } from "../files/regular-file.ts";
import { pluginOf, runCredentialPlugin } from "./credential-plugin.ts";

/** Where an API server is, and how to authenticate there. */
export interface Connection {
  readonly server: URL;
  readonly options: RequestOptions;
  readonly loadedAt: number;
}

/** A kubeconfig of hundreds of clusters has less, and so has a token or a bundle of authorities. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Tokens and certificates of a kubeconfig may be renewed on disk. */
const CREDENTIAL_AGE_MILLISECONDS = 60_000;

interface Load {
  readonly connection: Promise<Connection>;
  readonly ended: AbortController;
  waiting: number;
}

/** The connection that a kubeconfig describes, loaded when it is needed, and anew when it is a minute old. */
export class ConnectionSource {
  readonly #kubeconfigPath: string;
  readonly #deadlineMilliseconds: number;
  readonly #agents = new Set<Agent>();
  #last: Connection | undefined;
  #load: Load | undefined;

  constructor(kubeconfigPath: string, deadlineMilliseconds: number) {
    this.#kubeconfigPath = kubeconfigPath;
    this.#deadlineMilliseconds = deadlineMilliseconds;
  }

  /** Callers share one load, which ends when none of them waits any more. Throws ConfigInvalid, ApiServer, or why the signal aborted. */
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

  /** After a call that was not answered: what leads nowhere tells nothing of it, and each would cost a call its time. */
  forget(): void {
    this.#last = undefined;
  }

  /** Ends every connection, also those of credentials that were replaced since. */
  close(): void {
    this.forget();
    for (const agent of this.#agents) agent.destroy();
    this.#agents.clear();
  }

  #begin(): Load {
    const ended = new AbortController();
    const connection = this.#loaded(ended.signal);
    // Whoever waits for it is told; it may be that nobody does any more.
    connection.catch(() => undefined);
    return { connection, ended, waiting: 0 };
  }

  /** Also what failed: the next caller tries anew. */
  #end(load: Load): void {
    load.ended.abort(new Error("nobody waits for it any more"));
    if (this.#load === load) this.#load = undefined;
  }

  async #loaded(ended: AbortSignal): Promise<Connection> {
    const { config, text } = readKubeconfig(this.#kubeconfigPath);
    const server = serverOf(config, this.#kubeconfigPath);
    const options = await this.#authenticate(config, text, ended);
    this.#last = {
      server,
      options: { ...options, agent: keepAliveAgent(options, this.#last) },
      loadedAt: Date.now(),
    };
    const { agent } = this.#last.options;
    if (agent instanceof Agent) this.#agents.add(agent);
    return this.#last;
  }

  /** Plugins, token files and identity providers may hang, or be gone for a moment. */
  async #authenticate(config: KubeConfig, text: string, ended: AbortSignal): Promise<RequestOptions> {
    const plugin = config.getCurrentUser()?.exec;
    const limit = this.#deadlineMilliseconds;
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(new Error(`none came within ${limit / 1000} s`)), limit);
    const signal = AbortSignal.any([ended, overdue.signal]);
    try {
      if (plugin !== undefined) await authenticateBy(plugin, config, dirname(this.#kubeconfigPath), signal);
      else authenticateByFile(config, this.#kubeconfigPath, text);
      readCertificates(config);
      const options: RequestOptions = {};
      await unlessAborted(config.applyToHTTPSOptions(options), signal);
      return options;
    } catch (cause) {
      const text = `the credentials of kubeconfig ${this.#kubeconfigPath} cannot be had: ${faultOf(cause)}`;
      throw new ClavigerError("ApiServer", text);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The plugin's answer takes the place of what the kubeconfig says of its user. */
async function authenticateBy(
  exec: unknown,
  config: KubeConfig,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const credential = await runCredentialPlugin(pluginOf(exec, folder), signal);
  const user = config.getCurrentUser();
  if (user === null) return;
  const { exec: _, ...rest } = user;
  if (credential.certData !== undefined) {
    delete rest.certFile;
    delete rest.keyFile;
  }
  config.users = config.users.map((each) => (each === user ? { ...rest, ...credential } : each));
}

/** client-node leaves a user's tokenFile out, which takes precedence over its token (client-go). */
function authenticateByFile(config: KubeConfig, path: string, text: string): void {
  const user = config.getCurrentUser();
  if (user === null) return;
  const raw = loadYaml<RawKubeconfig>(text).users?.find(({ name }) => name === user.name);
  const tokenFile = raw?.user?.tokenFile;
  if (typeof tokenFile !== "string" || tokenFile === "") return;
  const token = readSmall(resolve(dirname(path), tokenFile))
    .toString("utf8")
    .trim();
  config.users = config.users.map((each) => (each === user ? { ...user, token } : each));
}

/** client-node would read whatever lies at these paths, and wait for ever for a pipe. */
function readCertificates(config: KubeConfig): void {
  const inBase64 = (path: string) => readSmall(path).toString("base64");
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  config.clusters = config.clusters.map((each) => {
    const { caFile, ...rest } = each;
    return each !== cluster || !caFile ? each : { ...rest, caData: inBase64(caFile) };
  });
  config.users = config.users.map((each) => {
    if (each !== user) return each;
    const { certFile, keyFile, ...rest } = each;
    return {
      ...rest,
      ...(certFile && { certData: inBase64(certFile) }),
      ...(keyFile && { keyData: inBase64(keyFile) }),
    };
  });
}

/** Throws an Error that names the file. */
function readSmall(path: string): Buffer {
  try {
    return readRegularFile(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    throw new Error(`${path}: ${messageOf(cause)}`);
  }
}

/** The message of an error, but of one of the parser, which may quote the file, only the place: there are tokens in it. */
function faultOf(error: unknown): string {
  const { reason, mark } = error as { readonly reason?: unknown; readonly mark?: Mark };
  if (typeof reason !== "string") return messageOf(error);
  if (mark === undefined) return "it is not YAML";
  return `line ${mark.line + 1}, column ${mark.column + 1} is not YAML`;
}

/** Where js-yaml found a fault, from 0. */
interface Mark {
  readonly line: number;
  readonly column: number;
}

/** As far as client-node leaves it out. It has read the same file before. */
interface RawKubeconfig {
  readonly users?: readonly {
    readonly name?: unknown;
    readonly user?: { readonly tokenFile?: unknown };
  }[];
}

interface Kubeconfig {
  readonly config: KubeConfig;
  readonly text: string;
}

/** It names programs to run and servers to believe: nobody else may change it. */
function readKubeconfig(path: string): Kubeconfig {
  const config = new KubeConfig();
  try {
    const text = readOwnFile(path, MAX_FILE_BYTES);
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(path));
    return { config, text };
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `kubeconfig ${path} cannot be used: ${faultOf(cause)}`);
  }
}

function serverOf(config: KubeConfig, path: string): URL {
  const server = config.getCurrentCluster()?.server;
  if (server?.startsWith("https://") && URL.canParse(server)) return new URL(server);
  const text = `kubeconfig ${path} has no current context with an https server`;
  throw new ClavigerError("ConfigInvalid", text);
}

/** What a connection is made with. One made with other values must not be used in its place. */
const IDENTITY = ["ca", "cert", "key", "rejectUnauthorized", "servername"] as const;

/** client-node's agent opens a connection per call; behind a proxy it is the one that knows how. */
function keepAliveAgent(options: RequestOptions, before: Connection | undefined): RequestOptions["agent"] {
  if (!(options.agent instanceof Agent) || options.agent.constructor !== Agent) return options.agent;
  const previous = before?.options;
  // Certificates and keys are read anew each time, so that no two are the same object.
  const isSame = IDENTITY.every((name) => String(previous?.[name]) === String(options[name]));
  if (isSame && previous?.agent instanceof OneIdentityAgent) return previous.agent;
  const identity = IDENTITY.filter((name) => options[name] !== undefined);
  return new OneIdentityAgent({
    keepAlive: true,
    ...Object.fromEntries(identity.map((name) => [name, options[name]])),
  });
}

/**
 * For calls that differ in their address alone. node:https otherwise writes certificates
 * and keys into the name of a connection, of several kilobytes, several times per call.
 */
class OneIdentityAgent extends Agent {
  override getName({ host, port }: RequestOptions = {}): string {
    return `${host}:${port}`;
  }
}

/** What comes of it, or why the signal aborts before. */
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
