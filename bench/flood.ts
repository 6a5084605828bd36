import { freePort } from "../test/controlplane/ports.ts";
import { MetricsFlooder } from "../test/standalone/metrics-flooder.ts";
import type { Goal } from "./goals.ts";
import { makeNode } from "./keyrings.ts";
import { describe } from "./kms.ts";
import { driveLoad, LOADS, type Load } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugin, type Plugin, running } from "./plugins.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table, times } from "./table.ts";

const QUIET = "quiet";
const FLOODED = "flooded";

interface Measured {
  readonly load: Load;
  readonly p50: Rounds;
  readonly p99: Rounds;
}

/**
 * Measures how much a local user without rights, who floods the plugin's /metrics, slows down the API
 * server's calls.
 */
export async function flood(bench: Bench): Promise<PartResult> {
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  const node = await makeNode(`${bench.dir}/flood`, bench.scale.versions.small, undefined, { listen });
  const measured = LOADS.filter(({ connections }) => connections === 1).map((load) => ({
    load,
    p50: new Rounds(),
    p99: new Rounds(),
  }));
  const plugin = builtPlugin(bench.claviger, node);
  await using _plugin = await running([plugin], bench.peers);
  bench.progress("flood: warm-up");
  for (const { load } of measured) await drive(bench, plugin, load);
  const { rounds } = bench.scale.kms;
  for (let round = 0; round < rounds; round += 1) {
    bench.progress(`flood: round ${round + 1} of ${rounds}`);
    for (const state of inTurn([QUIET, FLOODED], round)) {
      await using _flooder = state === FLOODED ? await MetricsFlooder.start(port, node.dir) : undefined;
      for (const one of measured) await measureOne(bench, plugin, one, state);
    }
  }
  return result(measured, bench);
}

const drive = ({ peers, scale }: Bench, { socket }: Plugin, load: Load) =>
  driveLoad(peers.kmsLoad, socket, { ...load, seconds: scale.kms.seconds });

async function measureOne(bench: Bench, plugin: Plugin, measured: Measured, state: string): Promise<void> {
  const { p50, p99 } = await drive(bench, plugin, measured.load);
  measured.p50.add(state, p50);
  measured.p99.add(state, p99);
}

function result(measured: readonly Measured[], { scale }: Bench): PartResult {
  const { rounds, seconds } = scale.kms;
  return {
    title: "Calls during a flood of /metrics",
    method:
      `One caller of claviger's plugin, as above, while another process, of a user without rights, scrapes the plugin's ` +
      `metrics as fast as it can: a connection with 2,000 pipelined requests, and twelve loops that connect again and ` +
      `again with 200 each. ${rounds} rounds of ${seconds} s per call, quiet and flooded alternating. Latencies in µs; ` +
      `figures are medians over the rounds, ratios the medians of the rounds' ratios (flooded ÷ quiet).`,
    tables: [table(measured)],
    goals: measured.filter(({ load }) => load.op !== "encrypt").map(goal),
  };
}

function table(measured: readonly Measured[]): Table {
  return {
    header: ["call", ...["p50", "p99"].flatMap((metric) => [`${metric} ${QUIET}`, FLOODED, "ratio"])],
    rows: measured.map(({ load, p50, p99 }) => [
      describe(load),
      ...[p50, p99].flatMap((figures) => [
        figure(figures.median(QUIET)),
        figure(figures.median(FLOODED)),
        times(figures.ratio(FLOODED, QUIET)),
      ]),
    ]),
  };
}

function goal({ load, p99 }: Measured): Goal {
  return {
    what: `${describe(load)}, flood of /metrics: p99 ÷ quiet`,
    unit: "×",
    value: p99.ratio(FLOODED, QUIET),
    limit: { atMost: 2 },
  };
}
