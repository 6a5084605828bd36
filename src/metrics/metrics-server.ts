import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { ClavigerError, messageOf } from "../errors.ts";
import { type Complain, Keeper, type Running } from "../keeper.ts";
import type { FromWorker, ToWorker, WorkerData } from "./metrics-worker.ts";

/** How long a scrape in flight may take to end at a stop. */
const DRAIN_MILLISECONDS = 1_000;
/** The text is held outside of the heap, and a caller can make this thread hold little else. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

type Render = () => Promise<string>;

/** A metrics server, or one that will listen as soon as its address is free. */
export interface MetricsDoor {
  /** Answers requests in flight, within a second, and cuts off the rest. */
  close(): Promise<void>;
}

/**
 * Serves metrics for a process that must not end if the address is taken: retries every second until closed.
 */
export function keepServingMetrics(address: string, render: Render, complain: Complain): MetricsDoor {
  return new Keeper(() => MetricsThread.start(address, render), complain).begin();
}

/**
 * Serves `render` at GET /metrics on HOST:PORT until closed, with at most one rendering a second. Throws
 * ConfigInvalid if it cannot listen on the address.
 */
export async function serveMetrics(
  address: string,
  render: Render,
  complain: Complain,
): Promise<MetricsDoor> {
  const start = () => MetricsThread.start(address, render);
  return new Keeper(start, complain).keep(await start());
}

/** The worker thread that listens. It asks this thread for a text, at most once a second. */
class MetricsThread implements Running {
  readonly #worker: Worker;
  readonly ended: Promise<Error>;

  private constructor(worker: Worker, ended: Promise<Error>) {
    this.#worker = worker;
    this.ended = ended;
  }

  /** Throws ConfigInvalid if it cannot listen on the address. */
  static async start(address: string, render: Render): Promise<MetricsThread> {
    const worker = startWorker(address);
    const ended = endOf(worker, address);
    const started = Promise.withResolvers<void>();
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "listening") started.resolve();
      else if (message.kind === "refused") started.reject(unusable(address, message.reason));
      else void renderFor(worker, render);
    });
    ended.then(started.reject);
    try {
      await started.promise;
      return new MetricsThread(worker, ended);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /** A half-sent request never ends by itself. */
  async close(): Promise<void> {
    const insist = setTimeout(() => void this.#worker.terminate(), DRAIN_MILLISECONDS);
    this.#worker.postMessage({ kind: "close" } satisfies ToWorker);
    await this.ended;
    clearTimeout(insist);
  }
}

function startWorker(address: string): Worker {
  const split = address.lastIndexOf(":");
  const host = address.slice(0, split).replace(/^\[(.*)\]$/, "$1");
  // The same extension as this file: a source in a checkout, compiled in a package.
  const file = new URL(`./metrics-worker${extname(import.meta.filename)}`, import.meta.url);
  return new Worker(file, {
    name: "metrics",
    workerData: { host, port: Number(address.slice(split + 1)) } satisfies WorkerData,
    env: {},
    execArgv: [],
    resourceLimits: LIMITS,
  });
}

function endOf(worker: Worker, address: string): Promise<Error> {
  return new Promise((resolve) => {
    worker.once("error", (cause) => resolve(unusable(address, messageOf(cause), cause)));
    worker.once("exit", () => resolve(unusable(address, "their thread has ended")));
  });
}

const unusable = (address: string, reason: string, cause?: unknown): ClavigerError =>
  new ClavigerError("ConfigInvalid", `metrics address ${address}: ${reason}`, { cause });

/** Never rejects: if the text cannot be rendered, the answer is an error. */
async function renderFor(worker: Worker, render: Render): Promise<void> {
  const body = await render().then(
    (text) => new TextEncoder().encode(text),
    () => undefined,
  );
  worker.postMessage({ kind: "rendered", body } satisfies ToWorker, body === undefined ? [] : [body.buffer]);
}
