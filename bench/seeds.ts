import { join } from "node:path";
import type { Goal } from "./goals.ts";
import { openSeeds, sealSeeds } from "./kms-load.ts";
import { openBao } from "./openbao.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugins, goPlugin, networkPlugin, type Plugin, running } from "./plugins.ts";
import { timeStart } from "./start.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table, times } from "./table.ts";

interface Measured {
  readonly count: number;
  /** Until the last Decrypt. */
  readonly milliseconds: Rounds;
  /** CPU time of the plugin's process until then. */
  readonly cpu: Rounds;
}

/** A restart of a whole control-plane node: the plugin starts, and an API server reads objects of many seeds. */
export async function seeds(bench: Bench): Promise<PartResult> {
  const { ours, beside, node } = await builtPlugins(bench, `${bench.dir}/seeds`, bench.scale.versions.small);
  await using bao = await openBao(node.dir);
  const network = bao === undefined ? [] : [networkPlugin(bench.peers, node.dir, bao)];
  const plugins = [ours, ...beside, ...network, goPlugin(bench.peers, node.dir)];
  const counts = bench.scale.seeds;
  const files = await sealAll(bench, plugins);
  const measured = counts.map((count) => ({ count, milliseconds: new Rounds(), cpu: new Rounds() }));
  for (let round = 0; round < bench.scale.starts; round += 1) {
    bench.progress(`seeds: round ${round + 1} of ${bench.scale.starts}`);
    for (const { count, milliseconds, cpu } of measured) {
      for (const plugin of inTurn(plugins, round)) {
        const client = () => openSeeds(bench.peers.kmsLoad, plugin.socket, files(plugin, count));
        const started = await timeStart(plugin, client);
        milliseconds.add(plugin.name, started.milliseconds);
        cpu.add(plugin.name, started.cpu);
      }
    }
  }
  return result(measured, plugins, bench);
}

/** Has all seeds sealed, and returns the files that they are in. */
async function sealAll({ dir, peers, scale }: Bench, plugins: readonly Plugin[]) {
  const file = ({ name }: Plugin, count: number) => join(dir, `seeds-${name}-${count}.json`);
  await using _running = await running(plugins, peers);
  for (const plugin of plugins) {
    for (const count of scale.seeds)
      await sealSeeds(peers.kmsLoad, plugin.socket, file(plugin, count), count);
  }
  return file;
}

function result(measured: readonly Measured[], plugins: readonly Plugin[], { scale }: Bench): PartResult {
  return {
    title: "Start with many seeds",
    method:
      `This measures the time from the spawn of the plugin's process until a client has a good Status, a good Encrypt ` +
      `and a Decrypt of each distinct data key seed. The client polls every 2 ms, then sends ten Decrypts at a time on ` +
      `one connection, as a starting API server does. Each start of an API server creates one seed, so stored data has ` +
      `as many seeds as the API servers that wrote it had starts. Each plugin was started ${scale.starts} times, ` +
      `alternating. "Go plugin, OpenBao" keeps no key: it calls the transit engine of an OpenBao server (in memory, on ` +
      `loopback, without TLS) for each Encrypt and Decrypt; it is left out if no \`bao\` is on the PATH. Figures are medians in ms; in brackets is the median of the rounds' ratios to the Go plugin.`,
    tables: [latencies(measured, plugins), cpuTimes(measured, plugins)],
    goals: measured.slice(-1).map(goal),
  };
}

const headings = (measured: readonly Measured[]) =>
  measured.map(({ count }) => `${count.toLocaleString("en-US")} seed${count === 1 ? "" : "s"}`);

function latencies(measured: readonly Measured[], plugins: readonly Plugin[]): Table {
  const go = plugins.at(-1)?.name ?? "";
  return {
    header: ["ms to the last Decrypt", ...headings(measured)],
    rows: plugins.map(({ name }) => [
      name,
      ...measured.map(
        ({ milliseconds }) => `${figure(milliseconds.median(name))} (${times(milliseconds.ratio(name, go))})`,
      ),
    ]),
  };
}

function cpuTimes(measured: readonly Measured[], plugins: readonly Plugin[]): Table {
  return {
    header: ["CPU ms until then", ...headings(measured)],
    rows: plugins.map(({ name }) => [name, ...measured.map(({ cpu }) => figure(cpu.median(name)))]),
  };
}

function goal({ count, milliseconds }: Measured): Goal {
  return {
    what: `Start and Decrypt of ${count.toLocaleString("en-US")} seeds (median)`,
    unit: " ms",
    value: milliseconds.median("claviger"),
    limit: { atMost: 1_000 },
  };
}
