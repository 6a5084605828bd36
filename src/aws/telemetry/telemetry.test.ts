import { beforeEach, describe, expect, test } from "vitest";
import { exposition } from "./exposition.ts";
import { sendReports, type WorkerReport, type WorkerState } from "./reports.ts";
import { Telemetry } from "./telemetry.ts";
import { Totals } from "./totals.ts";

const READY: WorkerState = { isReady: true, follows: true, inFlight: 2, connections: 3, grants: 5 };

let totals: Totals;
beforeEach(() => {
  totals = new Totals(2);
});

/** Reports a process' events to the totals. */
function report(worker: number, telemetry: Telemetry, state = READY, now = 0): void {
  const usage = { cpuSeconds: 0.5, memoryBytes: 1000 };
  totals.take(worker, { ...state, ...usage, events: telemetry.take() }, now);
}
const linesOf = (metric: string, now = 0): string[] =>
  exposition({ totals, now })
    .split("\n")
    .filter((line) => line.startsWith(metric));

/** Returns a process that has answered so many Encrypts. */
function answering(times: number): Telemetry {
  const telemetry = new Telemetry();
  for (let call = 0; call < times; call += 1)
    telemetry.answered({ operation: "Encrypt", status: 200 }, performance.now() - 10);
  return telemetry;
}

describe("the metrics of several processes", () => {
  test("are the sums of what each has reported since its last report", () => {
    const [first, second] = [answering(2), answering(3)];
    report(0, first);
    report(1, second);
    report(0, first);
    expect(linesOf("claviger_aws_request_duration_seconds_bucket")).toEqual(
      ["0.001 0", "0.005 0", "0.025 5", "0.1 5", "0.5 5", "2.5 5", "+Inf 5"].map((bucket) => {
        const [bound, count] = bucket.split(" ");
        return `claviger_aws_request_duration_seconds_bucket{operation="Encrypt",result="ok",le="${bound}"} ${count}`;
      }),
    );
    expect(linesOf("claviger_aws_requests_in_flight ")).toEqual(["claviger_aws_requests_in_flight 4"]);
    expect(linesOf("claviger_aws_grants ")).toEqual(["claviger_aws_grants 5"]);
  });

  test("a process that ends and is started again takes no count away", () => {
    report(0, answering(7));
    report(0, answering(1));
    expect(linesOf("claviger_aws_request_duration_seconds_count")).toEqual([
      'claviger_aws_request_duration_seconds_count{operation="Encrypt",result="ok"} 8',
    ]);
    expect(linesOf("claviger_aws_worker_cpu_seconds_total")[0]).toBe(
      'claviger_aws_worker_cpu_seconds_total{worker="0"} 1',
    );
  });

  test("a process that has not started, or is silent for six seconds, is not ready", () => {
    report(0, new Telemetry());
    const ready = (now: number) => linesOf("claviger_aws_worker_ready", now).map((line) => line.slice(-1));
    expect(ready(4_000)).toEqual(["1", "0"]);
    expect(ready(6_000)).toEqual(["0", "0"]);
  });

  test("counters that alerts read begin with 0", () => {
    const text = exposition({ totals, now: 0 });
    for (const series of [
      'claviger_aws_requests_total{result="failed"} 0',
      'claviger_aws_shed_total{reason="load"} 0',
      'claviger_aws_api_server_question_duration_seconds_count{question="TokenReview",outcome="failed"} 0',
    ])
      expect(text).toContain(`${series}\n`);
  });

  test("the last report comes at the end of a process, with what it has counted since", () => {
    const telemetry = new Telemetry();
    const reports: WorkerReport[] = [];
    const end = sendReports(
      telemetry,
      () => READY,
      (sent) => reports.push(sent),
    );
    telemetry.shed("load");
    end();
    expect(reports.map(({ events }) => events.shed.map(({ count }) => count))).toEqual([[], [1]]);
    expect(reports.at(-1)?.memoryBytes).toBeGreaterThan(1e6);
  });
});

describe("an answer", () => {
  test.each([
    ["ThrottlingException", 400, "throttled"],
    ["Throttling", 400, "throttled"],
    ["AccessDeniedException", 400, "refused"],
    ["DependencyTimeoutException", 500, "failed"],
  ])("%s counts as %s %s", (error, status, result) => {
    const telemetry = new Telemetry();
    telemetry.answered({ operation: "Sign", error, status }, performance.now());
    report(0, telemetry);
    expect(linesOf("claviger_aws_errors_total")).toEqual([`claviger_aws_errors_total{error="${error}"} 1`]);
    expect(linesOf("claviger_aws_requests_total")).toContain(
      `claviger_aws_requests_total{result="${result}"} 1`,
    );
    expect(linesOf("claviger_aws_request_duration_seconds_count")).toEqual([
      `claviger_aws_request_duration_seconds_count{operation="Sign",result="${result}"} 1`,
    ]);
  });
});
