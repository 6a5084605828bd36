import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse, stringify } from "yaml";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { keepOnExit, removeOnExit } from "../controlplane/reaper.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { hasTestTiming, TEST_PROGRAM } from "../program/timing.ts";
import { KmsTestClient } from "./kms.ts";

const ROOT = join(import.meta.dirname, "..", "..");
export const CLAVIGER = join(ROOT, "bin", "claviger.js");
const EXAMPLE = join(ROOT, "examples", "standalone");
const API_VERSION = "kms.claviger.dev/v1alpha1";

export type Command = "serve" | "plugin" | "operator" | "api";

/** The NodeConfig of examples/standalone as its file has it. */
export interface ConfigFile {
  readonly stateDir: string;
  readonly seal: { readonly file: { readonly path: string } };
  readonly socketGroup?: number;
  readonly providers: readonly {
    readonly name: string;
    readonly socket: string;
    readonly key?: string;
    readonly alias?: string;
  }[];
  readonly manifests: string;
  readonly metrics?: {
    readonly listen?: string;
    readonly operatorListen?: string;
    readonly apiListen?: string;
  };
  readonly audit?: { readonly path: string };
  readonly aws?: { readonly listen: string; readonly credentials: string; readonly workers?: number };
}

/** One run of a command, with all of its output. */
export class Run {
  readonly process: RunningProcess;
  readonly logPath: string;

  constructor(process_: RunningProcess, logPath: string) {
    this.process = process_;
    this.logPath = logPath;
  }

  text(): Promise<string> {
    return readFile(this.logPath, "utf8");
  }

  /**
   * Returns the first line that matches. Waits for it, and gives up when the process has ended without it.
   */
  line(pattern: RegExp): Promise<string> {
    return eventually(`a line like ${pattern} in ${basename(this.logPath)}`, async () => {
      const wasAlive = this.process.alive;
      const found = (await this.text()).split("\n").find((line) => pattern.test(line));
      if (found === undefined && !wasAlive) this.process.mustLive();
      return found;
    });
  }
}

/**
 * A copy of examples/standalone in its own folder, and the processes in it. `await using` ends and removes
 * all.
 */
export class Installation {
  readonly dir: string;
  readonly #runs: Run[] = [];
  readonly #clients: KmsTestClient[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Creates a copy without the AWS KMS API and its key. */
  static async create(change?: (config: ConfigFile) => ConfigFile): Promise<Installation> {
    const installation = await Installation.createWhole();
    await rm(join(installation.keysDir, "orders.yaml"));
    await installation.configure(({ aws: _, ...config }) => change?.(config) ?? config);
    return installation;
  }

  /** Creates a copy of the example as it is. Its AWS KMS API must get another address. */
  static async createWhole(): Promise<Installation> {
    // Short, because a socket's path has at most 107 bytes.
    const dir = await mkdtemp(join(tmpdir(), "cs-"));
    removeOnExit(dir);
    const installation = new Installation(dir);
    // Copies only files that are checked in, because somebody may have run the example in place.
    await cp(join(EXAMPLE, "claviger.yaml"), installation.configPath);
    await cp(join(EXAMPLE, "keys"), installation.keysDir, { recursive: true });
    return installation;
  }

  get configPath(): string {
    return join(this.dir, "claviger.yaml");
  }

  get keysDir(): string {
    return join(this.dir, "keys");
  }

  get stateDir(): string {
    return join(this.dir, "state");
  }

  get keyringPath(): string {
    return join(this.stateDir, "keyring.db");
  }

  get rootKeyPath(): string {
    return join(this.stateDir, "root.key");
  }

  get runDir(): string {
    return join(this.dir, "run");
  }

  socket(provider = "secrets"): string {
    return join(this.runDir, `${provider}.sock`);
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** Rewrites the configuration in one step, as editors and Kubernetes volumes do. */
  async configure(change: (config: ConfigFile) => ConfigFile): Promise<void> {
    await this.replace(this.configPath, stringify(change(await this.readConfig())));
  }

  async readConfig(): Promise<ConfigFile> {
    return parse(await readFile(this.configPath, "utf8"));
  }

  /** Writes `text` to `path` in one step. */
  async replace(path: string, text: string): Promise<void> {
    const draft = `${path}.draft`;
    await writeFile(draft, text);
    await rename(draft, path);
  }

  /** Writes a manifest file of these documents. */
  manifest(file: string, ...documents: readonly object[]): Promise<void> {
    return this.replace(
      join(this.keysDir, file),
      documents.map((document) => stringify(document)).join("---\n"),
    );
  }

  /** Starts a command. Does not wait until it is ready. */
  start(command: Command, environment: Readonly<Record<string, string>> = {}): Promise<Run> {
    return this.startAs([process.execPath], command, environment);
  }

  /** Does the same through a program that starts Node, such as setpriv or prlimit. */
  async startAs(
    [binary = "", ...prefix]: readonly string[],
    command: Command,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Run> {
    const log = join(this.dir, `${command}-${this.#runs.length}.log`);
    const program = hasTestTiming(environment) ? TEST_PROGRAM : CLAVIGER;
    const args = [...prefix, "--max-semi-space-size=1", program, command, "--config", this.configPath];
    const running = await startProcess({ name: command, binary, args, log, home: this.dir, environment });
    const started = new Run(running, log);
    this.#runs.push(started);
    return started;
  }

  /** Runs a command to its end. */
  run(...args: readonly string[]): Promise<CommandResult> {
    return claviger(args, this.dir);
  }

  runWithConfig(command: string, ...args: readonly string[]): Promise<CommandResult> {
    return this.run(command, "--config", this.configPath, ...args);
  }

  /** Returns a client of a socket, which is closed with the installation. */
  client(provider?: string): KmsTestClient {
    const client = new KmsTestClient(this.socket(provider));
    this.#clients.push(client);
    return client;
  }

  /** Waits until a provider answers Status, and returns its key_id. */
  serving(provider?: string): Promise<string> {
    return eventually(`provider ${provider ?? "secrets"} serves`, async () => {
      using client = new KmsTestClient(this.socket(provider));
      return (await client.status()).key_id;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#runs.map(({ process: running }) => running.stop()));
    await rm(this.dir, { recursive: true, force: true, maxRetries: 10 });
    keepOnExit(this.dir);
  }
}

/** Runs the command line to its end. Its output is on two pipes. */
export function claviger(args: readonly string[], cwd: string = tmpdir()): Promise<CommandResult> {
  const env = { PATH: process.env.PATH, HOME: cwd };
  return run(process.execPath, [CLAVIGER, ...args], { cwd, env, deadline: 120_000 });
}

export const masterKey = (name: string, spec: object = {}, namespace = "claviger-system"): object => ({
  apiVersion: API_VERSION,
  kind: "MasterKey",
  metadata: { namespace, name },
  spec,
});

export const keyAlias = (name: string, masterKeyName: string, namespace = "claviger-system"): object => ({
  apiVersion: API_VERSION,
  kind: "KeyAlias",
  metadata: { namespace, name },
  spec: { masterKey: masterKeyName },
});

export const keyGrant = (name: string, masterKeyName: string, spec: object = {}): object => ({
  apiVersion: API_VERSION,
  kind: "KeyGrant",
  metadata: { namespace: "claviger-system", name },
  spec: {
    masterKey: masterKeyName,
    granteePrincipal: "arn:aws:iam::000000000000:user/reader",
    operations: ["Decrypt"],
    ...spec,
  },
});

/** Returns the ids of the processes that `pid` has started. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run("ps", ["-A", "-o", "pid=,ppid="]);
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  return rows.flatMap(([id, parent]) => (parent === pid && id !== undefined ? [id] : []));
}

/** Returns true if there is such a process and it has not ended yet. */
export async function isRunning(pid: number): Promise<boolean> {
  const { stdout } = await run("ps", ["-o", "stat=", "-p", String(pid)]);
  const state = stdout.trim();
  return state !== "" && !state.startsWith("Z");
}
