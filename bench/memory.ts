import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Goal } from "./goals.ts";
import { driveLoad, LOADS } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugins, floor, goPlugin, type Plugin, running } from "./plugins.ts";
import { cpuMilliseconds, type MemorySample, parseStatus } from "./proc-status.ts";
import { figure, type Table } from "./table.ts";

interface Measured {
  readonly name: string;
  readonly idle: MemorySample;
  readonly loaded: MemorySample;
  /** CPU time per second without calls, in milliseconds. */
  readonly idleCpu: number;
}

/**
 * Measures the memory of claviger's plugin with few and with many versions, of grpc-js without keys, and of
 * the Go plugin.
 */
export async function memory(bench: Bench): Promise<PartResult> {
  const { small, large } = bench.scale.versions;
  const claviger: Measured[] = [];
  const others: Measured[] = [];
  for (const versions of [small, large]) {
    const { ours, beside } = await builtPlugins(bench, `${bench.dir}/memory-${versions}`, versions);
    const named = ({ name }: Plugin) => `${name}, ${versions.toLocaleString("en-US")} versions`;
    claviger.push(await measure(bench, ours, named(ours)));
    for (const other of beside) others.push(await measure(bench, other, named(other)));
  }
  for (const other of [floor("grpc-js", bench.dir), goPlugin(bench.peers, bench.dir)])
    others.push(await measure(bench, other, other.name));
  return result([...claviger, ...others], goals(claviger), bench);
}

async function measure(bench: Bench, plugin: Plugin, name: string): Promise<Measured> {
  bench.progress(`memory: ${name}`);
  const { settleSeconds, loadSeconds: seconds } = bench.scale.memory;
  await using plugins = await running([plugin], bench.peers);
  // claviger answers first and reads the rest of its keyring afterwards.
  await sleep(settleSeconds * 1000);
  const pid = plugins.processes[0]?.pid;
  const before = await cpuMilliseconds(pid);
  await sleep(settleSeconds * 1000);
  const idleCpu = ((await cpuMilliseconds(pid)) - before) / settleSeconds;
  const idle = await sample(pid);
  for (const load of LOADS) await driveLoad(bench.peers.kmsLoad, plugin.socket, { ...load, seconds });
  return { name, idle, idleCpu, loaded: await sample(pid) };
}

async function sample(pid: number | undefined): Promise<MemorySample> {
  return parseStatus(await readFile(`/proc/${pid}/status`, "utf8"));
}

function result(measured: readonly Measured[], goals: readonly Goal[], { scale }: Bench): PartResult {
  const { settleSeconds, loadSeconds } = scale.memory;
  return {
    title: "Memory",
    method:
      `Of the plugin's process, from /proc, in MB (10⁶ bytes): idle ${2 * settleSeconds} s after the start, and after ` +
      `${loadSeconds} s of each of six loads (see KMS v2 calls), which no API server makes. RSS counts the pages of the program's file, which all of its ` +
      `processes share; RssAnon does not. Peak is the highest RSS of the process's life. grpc-js alone is a server without ` +
      `keys, run from its sources, which takes some MB more: no plugin on Node is far below it. Idle CPU is that of ` +
      `${settleSeconds} s without a call.`,
    tables: [table(measured)],
    goals,
  };
}

function table(measured: readonly Measured[]): Table {
  return {
    header: ["MB", "idle RSS", "RssAnon", "after load RSS", "RssAnon", "peak RSS", "idle CPU ms/s"],
    rows: measured.map(({ name, idle, loaded, idleCpu }) => [
      name,
      ...[idle.rss, idle.anonymous, loaded.rss, loaded.anonymous, loaded.peak, idleCpu].map(figure),
    ]),
  };
}

/**
 * Uses the memory without calls, because a plugin is idle nearly all the time. The static pod requests this
 * much.
 */
function goals(claviger: readonly Measured[]): Goal[] {
  const value = Math.max(...claviger.map(({ idle }) => idle.rss));
  return [{ what: "The plugin's memory without calls", unit: " MB", value, limit: { atMost: 100 } }];
}
