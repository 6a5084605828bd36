import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { call } from "./https.ts";
import { freePort } from "./ports.ts";
import { type Launch, type RunningProcess, startProcess } from "./processes.ts";
import { putServingCertificate } from "./serving-certificate.ts";
import { eventually } from "./wait.ts";

/** The controllers without which a cluster's API would behave differently. */
export const USUAL_CONTROLLERS: readonly string[] = [
  "namespace-controller",
  "garbage-collector-controller",
  "serviceaccount-controller",
];

export interface ControllersOptions {
  readonly binary: string;
  /** Its own folder, for its certificate and its log; created if necessary. */
  readonly dir: string;
  /** The kubeconfig of a user who may do everything. */
  readonly kubeconfig: string;
  readonly controllers?: readonly string[];
}

/** The pause before a process that ended by itself is started again. */
const RESTART_MILLISECONDS = 1_000;

/**
 * A kube-controller-manager with a few controllers and no leader election: run one per control plane. If it
 * ends by itself it is started again, as by the kubelet: it gives up if the API server is not healthy for ten
 * seconds, KMS included, as while there is no key.
 */
export class Controllers {
  readonly #options: ControllersOptions;
  readonly #port: number;
  #process: RunningProcess | undefined;
  #stopped = new AbortController();

  private constructor(options: ControllersOptions, port: number) {
    this.#options = options;
    this.#port = port;
  }

  static async create(options: ControllersOptions): Promise<Controllers> {
    await mkdir(options.dir, { recursive: true });
    putServingCertificate(options.dir, "kube-controller-manager");
    return new Controllers(options, await freePort());
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the process. Resolves when its health check passes, which is before all caches are filled. */
  async start(): Promise<void> {
    const { binary, dir, kubeconfig, controllers = USUAL_CONTROLLERS } = this.#options;
    const args = [
      `--kubeconfig=${kubeconfig}`,
      `--controllers=${controllers.join(",")}`,
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      `--secure-port=${this.#port}`,
      `--cert-dir=${dir}`,
    ];
    const log = join(dir, "kube-controller-manager.log");
    const launch = { name: "kube-controller-manager", binary, args, log, home: dir };
    this.#stopped = new AbortController();
    this.#process = await startProcess(launch);
    void this.#keepRunning(launch, this.#process, this.#stopped.signal);
    await eventually("kube-controller-manager is healthy", async () => {
      if (this.#process?.alive === false) throw new Error(this.#process.lastLines());
      const ca = await readFile(join(dir, "kube-controller-manager.crt"), "utf8");
      const url = `https://127.0.0.1:${this.#port}/healthz`;
      const { status, body } = await call(url, { method: "GET", ca, deadline: 10_000 });
      if (status !== 200) throw new Error(`${status} ${body}`);
      return true;
    });
  }

  async #keepRunning(launch: Launch, first: RunningProcess, stopped: AbortSignal): Promise<void> {
    let running = first;
    for (;;) {
      await running.exited;
      await sleep(RESTART_MILLISECONDS, undefined, { signal: stopped }).catch(() => undefined);
      if (stopped.aborted) return;
      running = await startProcess(launch);
      this.#process = running;
      // It was stopped while it was being started.
      if (stopped.aborted) await running.kill9();
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#process?.stop();
  }

  /** Ends the controllers as a crash would. */
  async kill9(): Promise<void> {
    this.#stopped.abort();
    await this.#process?.kill9();
  }
}
