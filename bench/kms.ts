import { driveLoad, LOADS, type Load } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugins, floor, goPlugin, type Plugin, running } from "./plugins.ts";
import { cpuMilliseconds } from "./proc-status.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table, times } from "./table.ts";

interface Measured {
  readonly load: Load;
  readonly p50: Rounds;
  readonly p99: Rounds;
  readonly rps: Rounds;
  /** CPU time of the plugin's process for a call, in microseconds. */
  readonly cpu: Rounds;
}

interface Candidates {
  readonly ours: Plugin;
  /** Another build of claviger, if one was named. */
  readonly beside: readonly Plugin[];
  readonly theirs: Plugin;
  /** Measured only under the loads of `hasFloors`. */
  readonly floors: readonly Plugin[];
}

/** The floors open nothing. */
const hasFloors = ({ op }: Load) => op !== "decrypt";

/** Measures latency and throughput of claviger's plugin and of the Go plugin. */
export async function kms(bench: Bench): Promise<PartResult> {
  const { node, ...builds } = await builtPlugins(bench, `${bench.dir}/kms`, bench.scale.versions.small);
  const candidates = {
    ...builds,
    theirs: goPlugin(bench.peers, node.dir),
    floors: [floor("node:http2", node.dir), floor("grpc-js", node.dir)],
  };
  const measured = LOADS.map((load) => ({
    load,
    p50: new Rounds(),
    p99: new Rounds(),
    rps: new Rounds(),
    cpu: new Rounds(),
  }));
  const all = everybody(candidates);
  await using servers = await running(all, bench.peers);
  const pids = new Map(all.map((plugin, index) => [plugin, servers.processes[index]?.pid]));
  bench.progress("kms: warm-up");
  // A plugin runs for months, so code that V8 has not compiled yet must not be measured.
  for (const { load } of measured)
    for (const plugin of under(load, candidates)) await drive(bench, plugin, load);
  const { rounds } = bench.scale.kms;
  for (let round = 0; round < rounds; round += 1) {
    bench.progress(`kms: round ${round + 1} of ${rounds}`);
    for (const one of measured) await measureRound(bench, candidates, one, round, pids);
  }
  return result(measured, candidates, bench);
}

const drive = ({ peers, scale }: Bench, { socket }: Plugin, load: Load) =>
  driveLoad(peers.kmsLoad, socket, { ...load, seconds: scale.kms.seconds });

const everybody = ({ theirs, floors, beside, ours }: Candidates) => [theirs, ...floors, ...beside, ours];

const under = (load: Load, candidates: Candidates) =>
  everybody(hasFloors(load) ? candidates : { ...candidates, floors: [] });

async function measureRound(
  bench: Bench,
  candidates: Candidates,
  measured: Measured,
  round: number,
  pids: ReadonlyMap<Plugin, number | undefined>,
) {
  for (const plugin of inTurn(under(measured.load, candidates), round)) {
    const pid = pids.get(plugin);
    const before = await cpuMilliseconds(pid);
    const { p50, p99, rps, calls } = await drive(bench, plugin, measured.load);
    measured.p50.add(plugin.name, p50);
    measured.p99.add(plugin.name, p99);
    measured.rps.add(plugin.name, rps);
    measured.cpu.add(plugin.name, ((await cpuMilliseconds(pid)) - before) * (1000 / calls));
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
      `The other tables have the median latency, and the CPU time of the plugin's process for a call: node:http2 and ` +
      `grpc-js alone answer without keys, with bytes as many as claviger's, and do not decrypt; in brackets the ratio to ` +
      `the Go plugin.`,
    tables: [
      table(measured, candidates),
      beside("p50", "p50", measured, candidates),
      beside("CPU µs a call", "cpu", measured, candidates),
    ],
    goals: [],
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

function beside(
  title: string,
  metric: "p50" | "cpu",
  measured: readonly Measured[],
  candidates: Candidates,
): Table {
  const { theirs } = candidates;
  const [, ...others] = everybody(candidates);
  return {
    header: [title, theirs.name, ...others.map(({ name }) => name)],
    rows: measured.map((one) => [
      describe(one.load),
      figure(one[metric].median(theirs.name)),
      ...others.map(({ name }) =>
        one[metric].of(name).length === 0
          ? "—"
          : `${figure(one[metric].median(name))} (${times(one[metric].ratio(name, theirs.name))})`,
      ),
    ]),
  };
}

export function describe({ op, connections }: Load): string {
  return `${op[0]?.toUpperCase()}${op.slice(1)}, ${connections} connection${connections === 1 ? "" : "s"}`;
}
