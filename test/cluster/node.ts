import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Limits } from "../../src/config/limits.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { hasTestTiming, TEST_PROGRAM } from "../program/timing.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** The flags that the package's own scripts use for the long-running processes. */
const NODE_FLAGS = ["--max-semi-space-size=1"];

export type Part = "plugin" | "operator" | "api";

export interface NodeMetrics {
  readonly listen: string;
  readonly operatorListen: string;
}

export interface NodeOptions {
  readonly name: string;
  /** Everything of this node is in this folder. */
  readonly dir: string;
  /** The root key, which all nodes of the cluster share. */
  readonly rootKey: Buffer;
  readonly kubeconfig: string;
  /** The kubeconfig of the identity that rewrites stored objects. */
  readonly rewriterKubeconfig: string | undefined;
  /** Maps a provider's name to what it serves: `NAMESPACE/NAME` of a MasterKey or a KeyAlias. */
  readonly providers: Readonly<Record<string, { readonly key: string } | { readonly alias: string }>>;
  /** The EncryptionConfiguration of the API server next to it. */
  readonly encryptionConfig: string;
  readonly etcd: { readonly endpoints: readonly string[]; readonly censusIntervalMinutes?: number };
  readonly limits?: Partial<Limits>;
  /** The addresses at which the two parts serve their metrics. */
  readonly metrics?: NodeMetrics;
  /** The section `console` of its configuration. */
  readonly console?: { readonly listen: string };
  /** The section `aws` of its configuration. */
  readonly aws?: object;
  /** Added to the environment of every part, whenever it starts. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The claviger of one control-plane node: plugin and operator as separate processes. */
export class ClavigerNode {
  readonly name: string;
  readonly dir: string;
  readonly configPath: string;
  /** The folder of the release whose programs are started next; at first this checkout. */
  release = ROOT;
  readonly #options: NodeOptions;
  readonly #running = new Map<Part, RunningProcess>();

  private constructor(options: NodeOptions) {
    this.name = options.name;
    this.dir = options.dir;
    this.configPath = join(options.dir, "claviger.yaml");
    this.#options = options;
  }

  /** Writes configuration and root key. `start` starts the parts. */
  static async create(options: NodeOptions): Promise<ClavigerNode> {
    const node = new ClavigerNode(options);
    await mkdir(node.dir, { recursive: true, mode: 0o700 });
    await writeFile(node.rootKeyPath, options.rootKey, { mode: 0o600 });
    await writeFile(node.configPath, stringify(node.#config()));
    return node;
  }

  get rootKeyPath(): string {
    return join(this.dir, "root.key");
  }

  get stateDir(): string {
    return join(this.dir, "state");
  }

  get keyringPath(): string {
    return join(this.stateDir, "keyring.db");
  }

  socket(provider: string): string {
    return join(this.dir, "run", `${provider}.sock`);
  }

  logPath(part: Part): string {
    return join(this.dir, `${part}.log`);
  }

  log(part: Part): Promise<string> {
    return readFile(this.logPath(part), "utf8");
  }

  get encryptionConfigPath(): string {
    return this.#options.encryptionConfig;
  }

  running(part: Part): RunningProcess | undefined {
    const process_ = this.#running.get(part);
    return process_?.alive ? process_ : undefined;
  }

  /** Starts a part; `environment` is added to its environment. Does not wait until it is ready. */
  async start(part: Part, environment: Readonly<Record<string, string>> = {}): Promise<RunningProcess> {
    const all = { ...this.#options.environment, ...environment };
    const started = await startProcess({
      name: `${part} of ${this.name}`,
      binary: process.execPath,
      args: [
        ...(part === "plugin" ? NODE_FLAGS : []),
        this.#program(all),
        ...[part, "--config", this.configPath],
      ],
      log: this.logPath(part),
      home: this.dir,
      environment: all,
    });
    this.#running.set(part, started);
    return started;
  }

  /**
   * Returns the program that users run, unless the test needs another clock or shorter waits. A former
   * release read the variables itself.
   */
  #program(environment: Readonly<Record<string, string>>): string {
    if (this.release === ROOT && hasTestTiming(environment)) return TEST_PROGRAM;
    return join(this.release, "bin", "claviger.js");
  }

  async startBoth(): Promise<void> {
    await this.start("plugin");
    await this.start("operator");
  }

  async stop(part: Part): Promise<void> {
    await this.#running.get(part)?.stop();
  }

  async kill9(part: Part): Promise<void> {
    await this.#running.get(part)?.kill9();
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map((process_) => process_.kill9()));
  }

  #config(): object {
    return {
      apiVersion: "config.claviger.dev/v1alpha1",
      kind: "NodeConfig",
      nodeName: this.name,
      stateDir: "./state",
      seal: { file: { path: "./root.key" } },
      providers: Object.entries(this.#options.providers).map(([name, serves]) => ({
        name,
        socket: `./run/${name}.sock`,
        ...serves,
      })),
      kubeconfig: this.#options.kubeconfig,
      ...(this.#options.rewriterKubeconfig !== undefined && {
        rewriter: { kubeconfig: this.#options.rewriterKubeconfig },
      }),
      encryptionConfig: this.#options.encryptionConfig,
      etcd: this.#options.etcd,
      ...(this.#options.limits !== undefined && { limits: this.#options.limits }),
      ...(this.#options.metrics !== undefined && { metrics: this.#options.metrics }),
      ...(this.#options.console !== undefined && { console: this.#options.console }),
      ...(this.#options.aws !== undefined && { aws: this.#options.aws }),
    };
  }
}
