import { join } from "node:path";
import { startProcess } from "../../test/controlplane/processes.ts";
import type { Goal } from "../goals.ts";
import { driveLoad } from "../kms-load.ts";
import type { Bench } from "../part.ts";
import { builtPlugin, running } from "../plugins.ts";
import { inTurn, Rounds } from "../statistics.ts";
import { figure, type Table, times } from "../table.ts";
import { writeRequests } from "./aws.ts";
import { type Candidate, type Candidates, OURS } from "./candidates.ts";
import { type AwsLoadReport, sendLoad } from "./load.ts";

const OPERATION = "GenerateDataKey";
/** Enough for requests to wait: fewer connections than this cannot have as many in flight as one worker answers. */
const CONNECTIONS = 1_000;
const TIMES_CAPACITY = 4;
const QUIET = "quiet";
/** A program that only counts, at the lowest priority: what any neighbour on the machine costs. */
const BUSY = "a busy loop";
const LOADED = "overload";
/** Every connection makes its handshake before the measurement. */
const WARM_UP = 2;
/** The time after the start in which connections are made, and before the end. */
const EDGE_SECONDS = 2;

/** What 4 times the capacity does to the API, and to the plugin beside it. */
export interface Overload {
  readonly capacity: number;
  readonly reports: readonly AwsLoadReport[];
  readonly calls: readonly PluginCall[];
  readonly goals: readonly Goal[];
}

interface PluginCall {
  readonly op: "status" | "decrypt";
  readonly p50: Rounds;
  readonly p99: Rounds;
}

/** Sends four times as many requests as the API answers, and calls the plugin meanwhile. */
export async function measureOverload(bench: Bench, dir: string, candidates: Candidates): Promise<Overload> {
  const api = candidates.all.find(({ name }) => name === OURS);
  if (api === undefined) throw new Error("the API of claviger is not among the candidates");
  const plugin = builtPlugin(bench.claviger, candidates.node);
  await using _plugin = await running([plugin], bench.peers);
  const file = join(dir, "overload.json");
  const { seconds } = bench.scale.kms;
  const capacity = await capacityOf(bench, api, file);
  const calls = (["status", "decrypt"] as const).map((op) => ({ op, p50: new Rounds(), p99: new Rounds() }));
  const reports: AwsLoadReport[] = [];
  const measureCalls = async (state: string) => {
    for (const call of calls) {
      const load = { op: call.op, connections: 1, seconds };
      const { p50, p99 } = await driveLoad(bench.peers.kmsLoad, plugin.socket, load);
      call.p50.add(state, p50);
      call.p99.add(state, p99);
    }
  };
  // Code that V8 has not compiled yet must not be measured.
  for (const { op } of calls)
    await driveLoad(bench.peers.kmsLoad, plugin.socket, { op, connections: 1, seconds });
  for (let round = 0; round < bench.scale.aws.rounds; round += 1) {
    bench.progress(`aws: overload, round ${round + 1} of ${bench.scale.aws.rounds}`);
    for (const state of inTurn([QUIET, BUSY, LOADED], round)) {
      if (state === QUIET) await measureCalls(QUIET);
      else if (state === BUSY) await beside(dir, () => measureCalls(BUSY));
      else reports.push(await overloaded(bench, api, file, capacity, () => measureCalls(LOADED)));
    }
  }
  return { capacity, reports, calls, goals: calls.map(goal) };
}

async function beside(dir: string, measure: () => Promise<void>): Promise<void> {
  const args = ["-n", "19", process.execPath, "-e", "for (;;);"];
  const loop = await startProcess({
    name: BUSY,
    binary: "nice",
    args,
    log: join(dir, "loop.log"),
    home: dir,
  });
  await measure();
  await loop.stop();
}

async function capacityOf(bench: Bench, api: Candidate, file: string): Promise<number> {
  await writeRequests(file, api, OPERATION);
  const { address, ca } = api;
  const load = { address, ca, file, connections: 16, seconds: bench.scale.aws.seconds, warmup: 20 };
  return (await sendLoad(bench.peers.awsLoad, load)).rps;
}

async function overloaded(
  bench: Bench,
  { ...api }: Candidate,
  file: string,
  capacity: number,
  meanwhile: () => Promise<void>,
): Promise<AwsLoadReport> {
  await writeRequests(file, api, OPERATION);
  const { address, ca } = api;
  const seconds = 2 * bench.scale.kms.seconds + 2 * EDGE_SECONDS;
  const load = { address, ca, file, connections: CONNECTIONS, seconds, warmup: WARM_UP };
  const rate = TIMES_CAPACITY * capacity;
  const sent = sendLoad(bench.peers.awsLoad, { ...load, rate, givesWay: true });
  // It is awaited below, and until then a failure must not end the process.
  sent.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, EDGE_SECONDS * 1_000));
  await meanwhile();
  return sent;
}

/** Returns the tables of the overload. */
export function overloadTables({ capacity, reports, calls }: Overload): Table[] {
  const median = (of: (report: AwsLoadReport) => number) => {
    const rounds = new Rounds();
    for (const report of reports) rounds.add(OURS, of(report));
    return figure(rounds.median(OURS));
  };
  return [
    {
      header: [`${OPERATION} at ${TIMES_CAPACITY} × capacity`, "value"],
      rows: [
        ["capacity, calls/s", figure(capacity)],
        ["answered, calls/s", median(({ rps }) => rps)],
        ["shed, % of the requests", median(({ shed, requests }) => (100 * shed) / requests)],
        [
          "not sent, % of the requests that were due",
          median(({ skipped, requests }) => (100 * skipped) / (skipped + requests)),
        ],
        ["p50 of the answered, ms", median(({ p50 }) => p50 / 1_000)],
        ["p99 of the answered, ms", median(({ p99 }) => p99 / 1_000)],
      ],
    },
    {
      header: [
        "the plugin beside it",
        ...["p50", "p99"].flatMap((metric) => [`${metric} ${QUIET}`, BUSY, LOADED]),
      ],
      rows: calls.map(({ op, p50, p99 }) => [
        op === "status" ? "Status, 1 connection" : "Decrypt, 1 connection",
        ...[p50, p99].flatMap((rounds) => [
          figure(rounds.median(QUIET)),
          ...[BUSY, LOADED].map(
            (state) => `${figure(rounds.median(state))} (${times(rounds.ratio(state, QUIET))})`,
          ),
        ]),
      ]),
    },
  ];
}

const goal = ({ op, p50 }: PluginCall): Goal => ({
  what: `The plugin's ${op === "status" ? "Status" : "Decrypt"} beside 4 × the API's capacity: p50 ÷ quiet`,
  unit: "×",
  value: p50.ratio(LOADED, QUIET),
  limit: { atMost: 1.2 },
});
