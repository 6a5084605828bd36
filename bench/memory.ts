import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Goal } from "./goals.ts";
import { makeNode } from "./keyrings.ts";
import { driveLoad, LOADS } from "./kms-load.ts";
import type { Bench, PartResult } from "./part.ts";
import { builtPlugin, floor, goPlugin, type Plugin, running } from "./plugins.ts";
import { type MemorySample, parseStatus } from "./proc-status.ts";
import { figure, type Table } from "./table.ts";

interface Measured {
  readonly name: string;
  readonly idle: MemorySample;
  readonly loaded: MemorySample;
}

/** Memory of claviger's plugin with few and with many versions, of grpc-js without keys, and of the Go one. */
export async function memory(bench: Bench): Promise<PartResult> {
  const { small, large } = bench.scale.versions;
  const few = await makeNode(`${bench.dir}/memory-${small}`, small);
  const many = await makeNode(`${bench.dir}/memory-${large}`, large);
  const go = goPlugin(bench.peers, few.dir);
  const claviger: Measured[] = [];
  for (const [node, versions] of [
    [few, small],
    [many, large],
  ] as const) {
    const name = `claviger, ${versions.toLocaleString("en-US")} versions`;
    claviger.push(await measure(bench, builtPlugin(node), name));
  }
  const others: Measured[] = [];
  for (const other of [floor("grpc-js", few.dir), go]) others.push(await measure(bench, other, other.name));
  return result([...claviger, ...others], goal(claviger), bench);
}

async function measure(bench: Bench, plugin: Plugin, name: string): Promise<Measured> {
  bench.progress(`memory: ${name}`);
  const { settleSeconds, loadSeconds: seconds } = bench.scale.memory;
  await using plugins = await running([plugin], bench.peers);
  // claviger answers first and reads the rest of its keyring then.
  await sleep(settleSeconds * 1000);
  const idle = await sample(plugins.processes[0]?.pid);
  for (const load of LOADS) await driveLoad(bench.peers.kmsLoad, plugin.socket, { ...load, seconds });
  return { name, idle, loaded: await sample(plugins.processes[0]?.pid) };
}

async function sample(pid: number | undefined): Promise<MemorySample> {
  return parseStatus(await readFile(`/proc/${pid}/status`, "utf8"));
}

function result(measured: readonly Measured[], goals: readonly Goal[], { scale }: Bench): PartResult {
  const { settleSeconds, loadSeconds } = scale.memory;
  return {
    title: "Memory",
    method:
      `Of the plugin's process, from /proc, in MB (10⁶ bytes): idle ${settleSeconds} s after the start, and after ` +
      `${loadSeconds} s of each of the six loads above. RSS counts the pages of the program's file, which all of its ` +
      `processes share; RssAnon does not. Peak is the highest RSS of the process's life. grpc-js alone is a server without ` +
      `keys, run from its sources, which takes some MB more: no plugin on Node is far below it.`,
    tables: [table(measured)],
    goals,
  };
}

function table(measured: readonly Measured[]): Table {
  return {
    header: ["MB", "idle RSS", "RssAnon", "after load RSS", "RssAnon", "peak RSS"],
    rows: measured.map(({ name, idle, loaded }) => [
      name,
      ...[idle.rss, idle.anonymous, loaded.rss, loaded.anonymous, loaded.peak].map(figure),
    ]),
  };
}

/** Judged by the peak: what a memory limit sees. */
function goal(claviger: readonly Measured[]): Goal[] {
  const value = Math.max(...claviger.map(({ loaded }) => loaded.peak));
  return [{ what: "The plugin's memory at its peak", unit: " MB", value, limit: { atMost: 80 } }];
}
