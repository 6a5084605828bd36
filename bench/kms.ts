import type { Goal } from "./goals.ts";
import { makeNode } from "./keyrings.ts";
import { driveLoad, LOADS, type Load } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugin, floor, goPlugin, type Plugin, running } from "./plugins.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table, times } from "./table.ts";

interface Measured {
  readonly load: Load;
  readonly p50: Rounds;
  readonly p99: Rounds;
  readonly rps: Rounds;
}

interface Candidates {
  readonly ours: Plugin;
  readonly theirs: Plugin;
  /** Measured under the loads of `hasFloors`. */
  readonly floors: readonly Plugin[];
}

/** The floors open nothing, and one caller at a time shows what a call takes. */
const hasFloors = ({ op, connections }: Load) => connections === 1 && op !== "decrypt";

/** Latency and throughput of claviger's plugin beside the Go one. */
export async function kms(bench: Bench): Promise<PartResult> {
  const node = await makeNode(`${bench.dir}/kms`, bench.scale.versions.small);
  const candidates = {
    ours: builtPlugin(node),
    theirs: goPlugin(bench.peers, node.dir),
    floors: [floor("node:http2", node.dir), floor("grpc-js", node.dir)],
  };
  const measured = LOADS.map((load) => ({ load, p50: new Rounds(), p99: new Rounds(), rps: new Rounds() }));
  const { ours, theirs, floors } = candidates;
  await using _servers = await running([ours, theirs, ...floors], bench.peers);
  bench.progress("kms: warm-up");
  // A plugin lives for months: what V8 has not compiled yet is not what is measured.
  for (const { load } of measured)
    for (const plugin of under(load, candidates)) await drive(bench, plugin, load);
  const { rounds } = bench.scale.kms;
  for (let round = 0; round < rounds; round += 1) {
    bench.progress(`kms: round ${round + 1} of ${rounds}`);
    for (const one of measured) await measureRound(bench, candidates, one, round);
  }
  return result(measured, candidates, bench);
}

const drive = ({ peers, scale }: Bench, { socket }: Plugin, load: Load) =>
  driveLoad(peers.kmsLoad, socket, { ...load, seconds: scale.kms.seconds });

const under = (load: Load, { ours, theirs, floors }: Candidates) => [
  ours,
  theirs,
  ...(hasFloors(load) ? floors : []),
];

async function measureRound(bench: Bench, candidates: Candidates, measured: Measured, round: number) {
  for (const plugin of inTurn(under(measured.load, candidates), round)) {
    const { p50, p99, rps } = await drive(bench, plugin, measured.load);
    measured.p50.add(plugin.name, p50);
    measured.p99.add(plugin.name, p99);
    measured.rps.add(plugin.name, rps);
  }
}

function result(measured: readonly Measured[], candidates: Candidates, { scale }: Bench): PartResult {
  const { rounds, seconds } = scale.kms;
  return {
    title: "KMS v2 calls",
    method:
      `grpc-go's client over a unix socket, each connection with one call in flight, in a process of its own; ` +
      `after a warm-up, ${rounds} rounds of ${seconds} s per candidate and load, alternating. ` +
      `Latencies in µs; figures are medians over the rounds, ratios the medians of the rounds' ratios (claviger ÷ Go plugin). ` +
      `The second table shows where the time of one caller's call goes: node:http2 and grpc-js alone answer without ` +
      `keys, with bytes as many as claviger's; in brackets the ratio to the Go plugin.`,
    tables: [table(measured, candidates), floorsTable(measured, candidates)],
    goals: goals(measured, candidates),
  };
}

function table(measured: readonly Measured[], { ours, theirs }: Candidates): Table {
  const metrics = ["p50", "p99", "rps"] as const;
  return {
    header: ["call", ...metrics.flatMap((metric) => [`${metric} ${ours.name}`, theirs.name, "ratio"])],
    rows: measured.map((one) => [
      describe(one.load),
      ...metrics.flatMap((metric) => [
        figure(one[metric].median(ours.name)),
        figure(one[metric].median(theirs.name)),
        times(one[metric].ratio(ours.name, theirs.name)),
      ]),
    ]),
  };
}

function floorsTable(measured: readonly Measured[], { ours, theirs, floors }: Candidates): Table {
  return {
    header: ["p50", ...[theirs, ...floors, ours].map(({ name }) => name)],
    rows: measured
      .filter(({ load }) => hasFloors(load))
      .map(({ load, p50 }) => [
        describe(load),
        figure(p50.median(theirs.name)),
        ...[...floors, ours].map(
          ({ name }) => `${figure(p50.median(name))} (${times(p50.ratio(name, theirs.name))})`,
        ),
      ]),
  };
}

export function describe({ op, connections }: Load): string {
  return `${op[0]?.toUpperCase()}${op.slice(1)}, ${connections} connection${connections === 1 ? "" : "s"}`;
}

function goals(measured: readonly Measured[], { ours, theirs }: Candidates): Goal[] {
  return measured
    .filter(({ load }) => load.connections === 1 && load.op !== "status")
    .map(({ load, p50 }) => ({
      what: `${describe(load)}: p50 ÷ the Go plugin's`,
      unit: "×",
      value: p50.ratio(ours.name, theirs.name),
      limit: { atMost: 1.3 },
    }));
}
