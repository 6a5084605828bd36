import { definitions, metricNames } from "./definitions.ts";
import type { WorkerReport, WorkerState } from "./reports.ts";
import { newTallies } from "./telemetry.ts";

/** A process that reports nothing for this long is stuck, or gone. */
const SILENT_MILLISECONDS = 5_000;

/** A process of the API, as its last report shows it. */
export interface WorkerTotals extends Omit<WorkerState, "follows"> {
  /** Undefined for a process that is silent. */
  readonly follows: boolean | undefined;
  readonly memoryBytes: number;
  /** Of all processes that had this number. */
  readonly cpuSeconds: number;
}

const ABSENT = { isReady: false, follows: undefined, inFlight: 0, connections: 0, grants: 0 };

interface Reported extends WorkerTotals {
  readonly at: number;
}

/** The sums of what the processes of the API report. */
export class Totals {
  readonly tallies = newTallies();
  readonly #workers: (Reported | undefined)[];

  constructor(workers: number) {
    this.#workers = Array.from({ length: workers }, () => undefined);
    for (const metric of metricNames) this.tallies[metric].begin(definitions[metric].begin);
  }

  /** Takes the report of a process. `now` is in milliseconds of a clock that never steps. */
  take(worker: number, { events, ...report }: WorkerReport, now: number): void {
    for (const metric of metricNames) this.tallies[metric].merge(events[metric]);
    const cpuSeconds = (this.#workers[worker]?.cpuSeconds ?? 0) + report.cpuSeconds;
    this.#workers[worker] = { ...report, cpuSeconds, at: now };
  }

  /** Returns every process that there should be: one that is silent is not ready. */
  workers(now: number): readonly WorkerTotals[] {
    return this.#workers.map((worker) => {
      if (worker === undefined) return { ...ABSENT, memoryBytes: 0, cpuSeconds: 0 };
      if (now - worker.at <= SILENT_MILLISECONDS) return worker;
      return { ...ABSENT, memoryBytes: 0, cpuSeconds: worker.cpuSeconds };
    });
  }
}
