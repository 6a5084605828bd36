import type { Events, Telemetry } from "./telemetry.ts";

const REPORT_MILLISECONDS = 1_000;

/** The state of one process of the API. */
export interface WorkerState {
  /** True if it answers requests. */
  readonly isReady: boolean;
  /** True if it can read the keyring's file, and so follows the operator. */
  readonly follows: boolean;
  readonly inFlight: number;
  readonly connections: number;
  readonly grants: number;
}

/** A report of one process of the API to the process that serves the metrics. */
export interface WorkerReport extends WorkerState {
  /** The events since the last report. */
  readonly events: Events;
  /** The processor time since the last report. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/**
 * Sends a report every second. Returns a function that ends this with a last report. Events since the last report
 * of a process that is killed are lost; what it had reported stays counted, so no counter ever decreases.
 */
export function sendReports(
  telemetry: Telemetry,
  state: () => WorkerState,
  send: (report: WorkerReport) => void,
): () => void {
  let cpu = 0;
  const report = () => {
    const before = cpu;
    cpu = cpuSeconds();
    const memoryBytes = process.memoryUsage.rss();
    send({ ...state(), events: telemetry.take(), cpuSeconds: cpu - before, memoryBytes });
  };
  const timer = setInterval(report, REPORT_MILLISECONDS);
  report();
  return () => {
    clearInterval(timer);
    report();
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
