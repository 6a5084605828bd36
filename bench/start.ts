import { setTimeout as sleep } from "node:timers/promises";
import type { Goal } from "./goals.ts";
import { firstEncrypt } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugins, goPlugin, type Plugin, sourcePlugin } from "./plugins.ts";
import { cpuMilliseconds } from "./proc-status.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table } from "./table.ts";

/** Time for kms-load to start and poll before the plugin is spawned. */
const HEAD_START_MILLISECONDS = 100;
/** Time for a plugin to notice that its client is gone, and to read its keyring, before it is stopped. */
const SETTLE_MILLISECONDS = 200;

interface Measured {
  readonly versions: number;
  readonly plugins: readonly Plugin[];
  readonly milliseconds: Rounds;
  /** CPU time of the process until then. */
  readonly cpu: Rounds;
}

/** Measures the time from the start of a plugin's process to its first successful Encrypt. */
export async function start(bench: Bench): Promise<PartResult> {
  const measured: Measured[] = [];
  for (const versions of Object.values(bench.scale.versions)) measured.push(await prepare(bench, versions));
  for (let round = 0; round < bench.scale.starts; round += 1) {
    bench.progress(`start: round ${round + 1} of ${bench.scale.starts}`);
    for (const { plugins, milliseconds, cpu } of measured) {
      for (const plugin of inTurn(plugins, round)) {
        const started = await timeStart(plugin, untilFirstEncrypt(bench, plugin));
        milliseconds.add(plugin.name, started.milliseconds);
        cpu.add(plugin.name, started.cpu);
      }
    }
  }
  return result(measured, bench);
}

async function prepare(bench: Bench, versions: number): Promise<Measured> {
  const { ours, beside, node } = await builtPlugins(bench, `${bench.dir}/start-${versions}`, versions);
  const plugins = [ours, ...beside, sourcePlugin(node), goPlugin(bench.peers, node.dir)];
  // The first start fills the page cache and Node's compile cache.
  for (const plugin of plugins) await timeStart(plugin, untilFirstEncrypt(bench, plugin));
  return { versions, plugins, milliseconds: new Rounds(), cpu: new Rounds() };
}

const untilFirstEncrypt =
  ({ peers }: Bench, { socket }: Plugin) =>
  () =>
    firstEncrypt(peers.kmsLoad, socket);

/**
 * Starts a plugin for a client that polls its socket already; gives the time from the spawn of its process to the
 * moment that `client` resolves with, in epoch milliseconds, and the CPU time of the process until then.
 */
export async function timeStart(
  plugin: Plugin,
  client: () => Promise<number>,
): Promise<{ readonly milliseconds: number; readonly cpu: number }> {
  const answered = client();
  // The promise is awaited below, and until then a failure must not end the process.
  answered.catch(() => undefined);
  await sleep(HEAD_START_MILLISECONDS);
  const begun = Date.now();
  const started = await plugin.start();
  try {
    const milliseconds = (await answered) - begun;
    const cpu = await cpuMilliseconds(started.pid);
    await sleep(SETTLE_MILLISECONDS);
    return { milliseconds, cpu };
  } finally {
    await started.stop();
  }
}

function result(measured: readonly Measured[], { scale }: Bench): PartResult {
  return {
    title: "Start",
    method:
      `From the spawn of the process to the first good Encrypt, for which a client in another process polls every 2 ms; ` +
      `sealed versions in the keyring, 100 of a key; ${scale.starts} starts each, alternating, with warm file caches. ` +
      `Milliseconds, min / median. The Go plugin has one key whatever the column says.`,
    tables: [
      table("ms to the first Encrypt", "milliseconds", measured),
      table("CPU ms until then", "cpu", measured),
    ],
    goals: measured.slice(-1).map(goal),
  };
}

function table(title: string, metric: "milliseconds" | "cpu", measured: readonly Measured[]): Table {
  const names = measured[0]?.plugins.map(({ name }) => name) ?? [];
  return {
    header: [title, ...measured.map(({ versions }) => `${versions.toLocaleString("en-US")} versions`)],
    rows: names.map((name) => [
      name,
      ...measured.map(({ [metric]: rounds }) => {
        return `${figure(Math.min(...rounds.of(name)))} / ${figure(rounds.median(name))}`;
      }),
    ]),
  };
}

function goal({ versions, milliseconds }: Measured): Goal {
  return {
    what: `First Encrypt after start with ${versions.toLocaleString("en-US")} versions (median)`,
    unit: " ms",
    value: milliseconds.median("claviger"),
    limit: { atMost: 250 },
  };
}
