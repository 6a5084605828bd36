import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { ClavigerError, messageOf } from "../errors.ts";
import type { Running } from "../keeper.ts";
import type { ConsoleData, FromConsole, Renewable, ToConsole } from "./console-messages.ts";

/** How long an answer in flight may take at a stop. */
const DRAIN_MILLISECONDS = 1_000;
/** How often certificates and the kubeconfig are read again. */
const RENEW_MILLISECONDS = 60_000;
/** Four overviews at once, each of some megabytes of JSON. */
const LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 8 };
const PAGE = join(import.meta.dirname, "..", "..", "console");

export interface ConsoleThreadOptions {
  readonly address: string;
  readonly site: ConsoleData["site"];
  /** Reads what may be renewed on the disk. Throws ConfigInvalid. */
  readonly read: () => Renewable;
}

/** The worker thread that serves the page. */
export class ConsoleThread implements Running {
  readonly #worker: Worker;
  readonly #read: () => Renewable;
  readonly #renewing: NodeJS.Timeout;
  #settings: string;
  readonly ended: Promise<Error>;

  private constructor(worker: Worker, read: () => Renewable, settings: Renewable, ended: Promise<Error>) {
    this.#worker = worker;
    this.#read = read;
    this.#settings = JSON.stringify(settings);
    this.ended = ended;
    this.#renewing = setInterval(() => this.#renew(), RENEW_MILLISECONDS);
    ended.then(() => clearInterval(this.#renewing));
  }

  /** Throws ConfigInvalid if a file cannot be read or it cannot listen on the address. */
  static async start({ address, site, read }: ConsoleThreadOptions): Promise<ConsoleThread> {
    const settings = read();
    const worker = startWorker(address, site, settings);
    const ended = endOf(worker, address);
    const started = Promise.withResolvers<void>();
    worker.on("message", (message: FromConsole) => {
      if (message.kind === "listening") started.resolve();
      else started.reject(unusable(address, message.reason));
    });
    ended.then(started.reject);
    try {
      await started.promise;
      return new ConsoleThread(worker, read, settings, ended);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  async close(): Promise<void> {
    const insist = setTimeout(() => void this.#worker.terminate(), DRAIN_MILLISECONDS);
    this.#worker.postMessage({ kind: "close" } satisfies ToConsole);
    await this.ended;
    clearTimeout(insist);
  }

  /** Keeps the former settings while a file is being replaced. */
  #renew(): void {
    try {
      const settings = this.#read();
      const text = JSON.stringify(settings);
      if (text === this.#settings) return;
      this.#settings = text;
      this.#worker.postMessage({ kind: "renewed", settings } satisfies ToConsole);
    } catch {
      // The next attempt is a minute away.
    }
  }
}

function startWorker(address: string, site: ConsoleData["site"], settings: Renewable): Worker {
  const split = address.lastIndexOf(":");
  const host = address.slice(0, split).replace(/^\[(.*)\]$/, "$1");
  // The same extension as this file: a source in a checkout, compiled in a package.
  const file = new URL(`./console-worker${extname(import.meta.filename)}`, import.meta.url);
  const workerData: ConsoleData = {
    ...settings,
    host,
    port: Number(address.slice(split + 1)),
    site,
    page: PAGE,
  };
  return new Worker(file, { name: "console", workerData, env: {}, execArgv: [], resourceLimits: LIMITS });
}

function endOf(worker: Worker, address: string): Promise<Error> {
  return new Promise((resolve) => {
    worker.once("error", (cause) => resolve(unusable(address, messageOf(cause), cause)));
    worker.once("exit", () => resolve(unusable(address, "its thread has ended")));
  });
}

const unusable = (address: string, reason: string, cause?: unknown): ClavigerError =>
  new ClavigerError("ConfigInvalid", `console address ${address}: ${reason}`, { cause });
