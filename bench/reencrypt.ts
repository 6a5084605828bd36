import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { KubeClient } from "../src/kube/client.ts";
import { rewrite } from "../src/storage/rewrite/rewriter.ts";
import { apiResources } from "../src/storage/served/api-resources.ts";
import type { ApiServer } from "../test/controlplane/apiserver.ts";
import { run } from "../test/controlplane/run.ts";
import { ApiClient } from "./api-client.ts";
import type { Goal } from "./goals.ts";
import type { Bench, PartResult } from "./part.ts";
import { type MemorySample, parseStatus } from "./proc-status.ts";
import { startTwins } from "./sites.ts";
import { Rounds } from "./statistics.ts";
import { figure, type Table, times } from "./table.ts";

const CONNECTIONS = 8;
/** 1 KiB in base64. */
const SECRET_BYTES = 768;
const CREATE = "create";
const REWRITE = "rewrite";
const SECRETS = "/api/v1/namespaces/default/secrets";

/** Measures how fast Secrets are written back under another key, compared with how fast they are created. */
export async function reencrypt(bench: Bench): Promise<PartResult> {
  const { rounds, perRound, sizes } = bench.scale.reencrypt;
  const rates = await withTwins(bench, "rates", async (twins) => {
    const measured = new Rounds();
    for (let round = 0; round < rounds; round += 1) {
      bench.progress(`reencrypt: round ${round + 1} of ${rounds}`);
      // Each API server finds the other's Secrets stale.
      const [writer, rewriter] = inOrder(twins, round);
      measured.add(CREATE, await create(writer, `r${round}`, perRound));
      measured.add(REWRITE, await timeRewrite(rewriter, perRound * (round + 1)));
    }
    return measured;
  });
  const samples = await withTwins(bench, "memory", async (twins) => {
    const measured: MemorySample[] = [];
    for (const [round, size] of sizes.entries()) {
      bench.progress(`reencrypt: memory with ${size} Secrets`);
      const [writer, rewriter] = inOrder(twins, round);
      await create(writer, `m${round}`, size - (sizes[round - 1] ?? 0));
      measured.push(await sampleRewrite(rewriter, size));
    }
    return measured;
  });
  return result(bench, rates, samples);
}

type Twins = readonly [ApiServer, ApiServer];

const inOrder = ([a, b]: Twins, round: number): Twins => (round % 2 === 0 ? [a, b] : [b, a]);

async function withTwins<T>(bench: Bench, name: string, work: (twins: Twins) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack();
  return await work(await startTwins(bench, stack, join(bench.dir, `reencrypt-${name}`)));
}

/** Returns Secrets created per second. */
async function create(server: ApiServer, prefix: string, count: number): Promise<number> {
  const api = await ApiClient.create(server, CONNECTIONS);
  const value = randomBytes(SECRET_BYTES).toString("base64");
  try {
    return await api.rate(count, (index) => {
      const body = JSON.stringify({ metadata: { name: `${prefix}-${index}` }, data: { value } });
      return api.send("POST", SECRETS, body);
    });
  } finally {
    api.close();
  }
}

/** Returns Secrets rewritten per second, lists included. */
async function timeRewrite(server: ApiServer, count: number): Promise<number> {
  const client = new KubeClient(await server.kubeconfig());
  const { signal } = new AbortController();
  const resources = await apiResources(client, ["secrets"], signal);
  const begun = performance.now();
  const report = await rewrite({ client, resources, signal, limits: { maxParallelism: CONNECTIONS } });
  const elapsed = performance.now() - begun;
  expectAll(report.rewritten, count);
  return count / (elapsed / 1000);
}

/** Returns the memory of a process that has rewritten all Secrets and done nothing else. */
async function sampleRewrite(server: ApiServer, count: number): Promise<MemorySample> {
  const script = join(import.meta.dirname, "rewriting.ts");
  const { code, stdout, stderr } = await run(process.execPath, [script, await server.kubeconfig()]);
  if (code !== 0) throw new Error(`the rewriting process failed:\n${stdout}${stderr}`);
  const [rewritten, ...status] = stdout.split("\n");
  expectAll(Number(rewritten), count);
  return parseStatus(status.join("\n"));
}

function expectAll(rewritten: number, count: number): void {
  if (rewritten !== count) throw new Error(`${rewritten} Secrets were rewritten, not ${count}`);
}

function result(bench: Bench, rates: Rounds, samples: readonly MemorySample[]): PartResult {
  const { rounds, perRound, sizes } = bench.scale.reencrypt;
  return {
    title: "Re-encryption",
    method:
      `Two API servers on one etcd (no fsync) with two keys of claviger's plugin in opposite order: what one of them ` +
      `writes is stale to the other. ${rounds} rounds, in each ${perRound.toLocaleString("en-US")} Secrets of 1 KiB created through ` +
      `one, then all Secrets so far rewritten through the other, over eight connections both. Figures are medians ` +
      `over the rounds; in brackets the median of the rounds' ratios. Memory is that of a process that does ` +
      `nothing but rewrite, with up to 32 connections, from /proc, in MB (10⁶ bytes).`,
    tables: [rateTable(rates), memoryTable(sizes, samples)],
    goals: [goal(rates)],
  };
}

const rateTable = (rates: Rounds): Table => ({
  header: ["", "per second"],
  rows: [
    ["Secrets created", figure(rates.median(CREATE))],
    ["Secrets rewritten", `${figure(rates.median(REWRITE))} (${times(rates.ratio(REWRITE, CREATE))})`],
  ],
});

const memoryTable = (sizes: readonly number[], samples: readonly MemorySample[]): Table => ({
  header: ["MB of the rewriting process", "RSS at the end", "RssAnon", "peak RSS"],
  rows: samples.map(({ rss, anonymous, peak }, index) => [
    `${(sizes[index] ?? 0).toLocaleString("en-US")} Secrets`,
    ...[rss, anonymous, peak].map(figure),
  ]),
});

const goal = (rates: Rounds): Goal => ({
  what: "Secrets rewritten/s ÷ created/s",
  unit: "×",
  value: rates.ratio(REWRITE, CREATE),
  limit: { atLeast: 0.75 },
});
