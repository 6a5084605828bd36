import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Goal } from "../goals.ts";
import type { Bench, PartResult } from "../part.ts";
import { cpuMilliseconds, parseStatus } from "../proc-status.ts";
import { inTurn, Rounds } from "../statistics.ts";
import { call } from "./call.ts";
import { type Candidate, LOCAL_KMS, MOTO, OURS, startCandidates } from "./candidates.ts";
import { layersTable, measureLayers } from "./layers.ts";
import { type AwsLoadReport, sendLoad } from "./load.ts";
import { inputOf, type MeasuredOperation, OPERATIONS } from "./operations.ts";
import { measureOverload, overloadTables } from "./overload.ts";
import { signedRequest } from "./signed-request.ts";
import { callTables, memoryTable } from "./tables.ts";

/** The numbers of connections, each with one request in flight. */
export const CONNECTIONS = [1, 16, 64] as const;
/** Distinct requests of a load: no server answers all of them from what the last one left. */
const REQUESTS = 64;
const WARM_UP = 20;

/** One kind of load, measured for all candidates in turn. */
export interface Measured {
  readonly operation: MeasuredOperation;
  readonly connections: number;
  readonly p50: Rounds;
  readonly p99: Rounds;
  readonly rps: Rounds;
  /** CPU time of the server's process for a call, in microseconds. */
  readonly cpu: Rounds;
  /** CPU time of the client for a call. */
  readonly clientCpu: Rounds;
}

/** Measures the AWS KMS API beside local-kms and moto: calls, memory, layers and overload. */
export async function aws(bench: Bench): Promise<PartResult> {
  const dir = join(bench.dir, "aws");
  const { rounds, seconds } = bench.scale.aws;
  await using candidates = await startCandidates(bench, dir);
  const { all, node } = candidates;
  const measured = OPERATIONS.flatMap((operation) =>
    CONNECTIONS.map((connections) => newMeasured(operation, connections)),
  );
  bench.progress("aws: warm-up");
  for (const one of measured) for (const candidate of all) await send(bench, dir, candidate, one);
  for (let round = 0; round < rounds; round += 1) {
    bench.progress(`aws: round ${round + 1} of ${rounds}`);
    for (const one of measured)
      for (const candidate of inTurn(all, round)) await measure(bench, dir, candidate, one);
  }
  const names = all.map(({ name }) => name);
  const tables = [...callTables(measured, names), memoryTable(await memoryOf(all))];
  const layers = await measureLayers(bench, node);
  const overload = await measureOverload(bench, dir, candidates);
  return {
    title: "The AWS KMS API",
    method:
      `${REQUESTS} signed requests, sent in turn over TLS 1.3 connections that stay open, each with one request in flight, by a ` +
      `client in Go that signs before it measures; after a warm-up, ${rounds} rounds of ${seconds} s per candidate and load, alternating. ` +
      "claviger has one worker and verifies signatures; `claviger` is an administrator, `by a grant` a caller who has a grant " +
      "with a constraint and nothing else; with `audit log` each call waits until its record is on the disk. local-kms and moto speak plain HTTP, verify no signature and allow everything; moto closes " +
      "each connection. Latencies in µs; figures are medians over the rounds; in brackets the median of the rounds' ratios to local-kms.",
    tables: [...tables, layersTable(layers, measured), ...overloadTables(overload)],
    goals: [...goalsOf(measured), ...overload.goals],
  };
}

const newMeasured = (operation: MeasuredOperation, connections: number): Measured => ({
  ...{ operation, connections, p50: new Rounds(), p99: new Rounds() },
  ...{ rps: new Rounds(), cpu: new Rounds(), clientCpu: new Rounds() },
});

async function measure(bench: Bench, dir: string, candidate: Candidate, measured: Measured): Promise<void> {
  const { report, cpu } = await send(bench, dir, candidate, measured);
  for (const metric of ["p50", "p99", "rps", "clientCpu"] as const)
    measured[metric].add(candidate.name, report[metric]);
  measured.cpu.add(candidate.name, cpu);
}

async function send(
  bench: Bench,
  dir: string,
  candidate: Candidate,
  { operation, connections }: Pick<Measured, "operation" | "connections">,
): Promise<{ readonly report: AwsLoadReport; readonly cpu: number }> {
  const file = join(dir, "requests.json");
  await writeRequests(file, candidate, operation);
  const { address, ca, process: process_ } = candidate;
  const before = await cpuMilliseconds(process_.pid);
  const load = { address, ca, file, connections, seconds: bench.scale.aws.seconds, warmup: WARM_UP };
  const report = await sendLoad(bench.peers.awsLoad, load);
  const calls = report.requests + connections * WARM_UP;
  return { report, cpu: ((await cpuMilliseconds(process_.pid)) - before) * (1000 / calls) };
}

/** Signs requests now: a signature is good for five minutes. */
export async function writeRequests(
  file: string,
  candidate: Candidate,
  operation: MeasuredOperation,
): Promise<void> {
  const requests: string[] = [];
  for (let n = 0; n < REQUESTS; n += 1) {
    const ciphertext = operation === "Decrypt" ? await ciphertextOf(candidate) : undefined;
    requests.push(await signedRequest(candidate, operation, inputOf(operation, candidate.keys, ciphertext)));
  }
  await writeFile(file, JSON.stringify(requests));
}

const ciphertexts = new WeakMap<Candidate, string[]>();

/** Returns one of the ciphertexts of a candidate, the last in its turn. */
async function ciphertextOf(candidate: Candidate): Promise<string> {
  const known = ciphertexts.get(candidate) ?? [];
  ciphertexts.set(candidate, known);
  if (known.length < REQUESTS) {
    const answer = await call(candidate, "Encrypt", inputOf("Encrypt", candidate.keys));
    known.unshift(answer.CiphertextBlob);
  } else known.unshift(known.pop() ?? "");
  return known[0] ?? "";
}

async function memoryOf(all: readonly Candidate[]) {
  const byProcess = new Map(
    all.map((candidate) => [candidate.process.pid, candidate.name]).toReversed() as [number, string][],
  );
  const samples = [...byProcess].map(async ([pid, name]) => ({
    name,
    sample: parseStatus(await readFile(`/proc/${pid}/status`, "utf8")),
  }));
  return (await Promise.all(samples)).toReversed();
}

function goalsOf(measured: readonly Measured[]): Goal[] {
  const wanted = measured.filter(
    ({ operation, connections }) => connections === 16 && ["GenerateDataKey", "Decrypt"].includes(operation),
  );
  const limits = [
    { peer: LOCAL_KMS, atLeast: 1 },
    { peer: MOTO, atLeast: 20 },
  ];
  return wanted.flatMap(({ operation, rps }) =>
    limits.map(
      ({ peer, atLeast }): Goal => ({
        what: `${operation}/s, 16 connections ÷ ${peer}'s`,
        unit: "×",
        value: rps.ratio(OURS, peer),
        limit: { atLeast },
      }),
    ),
  );
}
