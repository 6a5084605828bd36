import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import type { Log, LogFormat } from "../../log.ts";

const MIN_RESTART_MILLISECONDS = 500;
const MAX_RESTART_MILLISECONDS = 30_000;
/** After a run of this length a worker counts as healthy, and its next restart is quick again. */
const GOOD_RUN_MILLISECONDS = 60_000;
/** Requests in flight have five seconds. `serve` kills after ten. */
const STOP_MILLISECONDS = 8_000;
// The same extension as this file: a source in a checkout, compiled in a package.
const PROGRAM = join(import.meta.dirname, `api-worker${extname(import.meta.filename)}`);

export interface WorkersOptions {
  readonly count: number;
  readonly configPath: string;
  readonly format: LogFormat;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Runs processes that answer on one address, each started again when it ends, until aborted. node:cluster hands
 * each new connection to the next of them.
 */
export async function runWorkers(options: WorkersOptions): Promise<void> {
  const slots = Array.from({ length: options.count }, (_, slot) => slot);
  await Promise.all(slots.map((slot) => keepWorker(slot, options)));
}

async function keepWorker(slot: number, { configPath, format, log, signal }: WorkersOptions): Promise<void> {
  let delay = MIN_RESTART_MILLISECONDS;
  while (!signal.aborted) {
    const started = performance.now();
    cluster.setupPrimary({ exec: PROGRAM, args: [configPath, String(slot), format] });
    const how = await endOf(cluster.fork(), signal);
    if (signal.aborted) return;
    delay = performance.now() - started > GOOD_RUN_MILLISECONDS ? MIN_RESTART_MILLISECONDS : delay * 2;
    delay = Math.min(delay, MAX_RESTART_MILLISECONDS);
    log("error", `worker ${slot} of the API ended (${how}) and is started again in ${delay / 1000} s`);
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }
}

/** Returns how a worker ended. At the stop it is asked to end, and killed if it does not. */
async function endOf(worker: Worker, signal: AbortSignal): Promise<string> {
  const exited = once(worker, "exit");
  let insist: NodeJS.Timeout | undefined;
  const terminate = () => {
    worker.process.kill("SIGTERM");
    insist = setTimeout(() => worker.process.kill("SIGKILL"), STOP_MILLISECONDS);
  };
  signal.addEventListener("abort", terminate, { once: true });
  if (signal.aborted) terminate();
  try {
    const [code, killedBy]: unknown[] = await exited;
    return typeof killedBy === "string" ? killedBy : `exit code ${code}`;
  } catch (error) {
    // It could not be started.
    return messageOf(error);
  } finally {
    signal.removeEventListener("abort", terminate);
    clearTimeout(insist);
  }
}
