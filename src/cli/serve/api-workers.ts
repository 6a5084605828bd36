import cluster from "node:cluster";
import { extname, join } from "node:path";
import type { WorkerReport } from "../../aws/telemetry/reports.ts";
import type { Log, LogFormat } from "../../log.ts";
import { keepRunning } from "./keep-running.ts";

/** Requests in flight have five seconds. `serve` kills after ten. */
const STOP_MILLISECONDS = 8_000;
// The same extension as this file: a source in a checkout, compiled in a package.
const PROGRAM = join(import.meta.dirname, `api-worker${extname(import.meta.filename)}`);

/**
 * Returns the options of Node.js for a worker: those of this process, but for the young generation's limit. The image
 * sets it for the plugin, which makes little garbage; a worker makes much with each call.
 */
export const workerOptions = (options: readonly string[]): string[] =>
  options.filter((option) => !option.startsWith("--max-semi-space-size="));

export interface WorkersOptions {
  readonly count: number;
  readonly configPath: string;
  readonly format: LogFormat;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Takes the reports of the processes, by their numbers from 0. */
  readonly report: (worker: number, report: WorkerReport) => void;
}

/**
 * Runs processes that answer on one address, each started again when it ends, until aborted. node:cluster hands
 * each new connection to the next of them.
 */
export async function runWorkers(options: WorkersOptions): Promise<void> {
  const slots = Array.from({ length: options.count }, (_, slot) => slot);
  await Promise.all(slots.map((slot) => keepWorker(slot, options)));
}

const keepWorker = (
  slot: number,
  { configPath, format, log, signal, report }: WorkersOptions,
): Promise<void> =>
  keepRunning({
    start: () => {
      const execArgv = workerOptions(process.execArgv);
      cluster.setupPrimary({ exec: PROGRAM, args: [configPath, String(slot), format], execArgv });
      const worker = cluster.fork();
      // The error of a process that cannot be started is repeated here, and would end this process. keepRunning
      // hears of it from the process itself.
      worker.on("error", () => undefined);
      // It sends nothing but its reports (api-worker.ts).
      worker.on("message", (message: WorkerReport) => report(slot, message));
      return worker.process;
    },
    signal,
    stopTime: STOP_MILLISECONDS,
    onEnd: (how, seconds) =>
      log("error", `worker ${slot} of the API ended (${how}) and is started again in ${seconds} s`),
  });
