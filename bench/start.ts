import { setTimeout as sleep } from "node:timers/promises";
import type { Goal } from "./goals.ts";
import { makeNode } from "./keyrings.ts";
import { firstEncrypt } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugin, goPlugin, type Plugin, sourcePlugin } from "./plugins.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table } from "./table.ts";

/** So that kms-load has started and polls when the plugin is spawned. */
const HEAD_START_MILLISECONDS = 100;
/** So that a plugin has noticed that its client is gone, and has read its keyring, before it is stopped. */
const SETTLE_MILLISECONDS = 200;

interface Measured {
  readonly versions: number;
  readonly plugins: readonly [built: Plugin, source: Plugin, go: Plugin];
  readonly milliseconds: Rounds;
}

/** The time from the start of a plugin's process to its first good Encrypt. */
export async function start(bench: Bench): Promise<PartResult> {
  const measured: Measured[] = [];
  for (const versions of Object.values(bench.scale.versions)) measured.push(await prepare(bench, versions));
  for (let round = 0; round < bench.scale.starts; round += 1) {
    bench.progress(`start: round ${round + 1} of ${bench.scale.starts}`);
    for (const { plugins, milliseconds } of measured) {
      for (const plugin of inTurn(plugins, round))
        milliseconds.add(plugin.name, await timeStart(bench, plugin));
    }
  }
  return result(measured, bench);
}

async function prepare(bench: Bench, versions: number): Promise<Measured> {
  const node = await makeNode(`${bench.dir}/start-${versions}`, versions);
  const plugins = [builtPlugin(node), sourcePlugin(node), goPlugin(bench.peers, node.dir)] as const;
  // The first start fills the page cache and, for the sources, Node's compile cache.
  for (const plugin of plugins) await timeStart(bench, plugin);
  return { versions, plugins, milliseconds: new Rounds() };
}

async function timeStart({ peers }: Bench, plugin: Plugin): Promise<number> {
  const answered = firstEncrypt(peers.kmsLoad, plugin.socket);
  // Awaited below; until then a failure must not end the process.
  answered.catch(() => undefined);
  await sleep(HEAD_START_MILLISECONDS);
  const begun = Date.now();
  const started = await plugin.start();
  try {
    const milliseconds = (await answered) - begun;
    await sleep(SETTLE_MILLISECONDS);
    return milliseconds;
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
    tables: [table(measured)],
    goals: measured.slice(-1).map(goal),
  };
}

function table(measured: readonly Measured[]): Table {
  const names = measured[0]?.plugins.map(({ name }) => name) ?? [];
  return {
    header: [
      "ms to the first Encrypt",
      ...measured.map(({ versions }) => `${versions.toLocaleString("en-US")} versions`),
    ],
    rows: names.map((name) => [
      name,
      ...measured.map(({ milliseconds }) => {
        return `${figure(Math.min(...milliseconds.of(name)))} / ${figure(milliseconds.median(name))}`;
      }),
    ]),
  };
}

function goal({ versions, plugins: [built], milliseconds }: Measured): Goal {
  return {
    what: `First Encrypt after start with ${versions.toLocaleString("en-US")} versions (median)`,
    unit: " ms",
    value: milliseconds.median(built.name),
    limit: { atMost: 250 },
  };
}
