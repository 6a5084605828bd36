import { run } from "../test/controlplane/run.ts";

/** A report of kms-load. Latencies are in microseconds. */
export interface LoadReport {
  readonly p50: number;
  readonly p99: number;
  readonly rps: number;
  /** All calls of the run, those before the measurement too. */
  readonly calls: number;
}

/** A kind of load. */
export interface Load {
  readonly op: "status" | "encrypt" | "decrypt";
  readonly connections: number;
}

/** The kinds of load that are measured. */
export const LOADS: readonly Load[] = [1, 16].flatMap((connections) =>
  (["status", "encrypt", "decrypt"] as const).map((op) => ({ op, connections })),
);

/** Calls on each connection before the measurement, and the Encrypts that make the ciphertexts to be decrypted. */
const WARM_UP = 100;
const SEEDS = 64;

/**
 * Drives the plugin at `socket` for `seconds`. Throws if any call failed, because the figures would mean
 * nothing.
 */
export async function driveLoad(
  kmsLoad: string,
  socket: string,
  { op, connections, seconds }: Load & { readonly seconds: number },
): Promise<LoadReport> {
  const output = await runLoad(kmsLoad, [
    ...["--socket", socket, "--op", op],
    ...["--connections", String(connections), "--seconds", String(seconds), "--warmup", String(WARM_UP)],
  ]);
  const errors = numberIn(output, "errors");
  const requests = numberIn(output, "requests");
  if (errors > 0) throw new Error(`${errors} of ${requests} ${op} calls failed`);
  return {
    calls: requests + connections * (WARM_UP + (op === "decrypt" ? SEEDS : 0)),
    p50: numberIn(output, "p50_us"),
    p99: numberIn(output, "p99_us"),
    rps: numberIn(output, "rps"),
  };
}

/**
 * Polls `socket` until a Status and an Encrypt succeed. Resolves with the epoch milliseconds of that moment.
 */
export async function firstEncrypt(kmsLoad: string, socket: string): Promise<number> {
  return numberIn(await runLoad(kmsLoad, ["--socket", socket, "--wait"]), "unix_ms");
}

/** Has `count` distinct seeds sealed and keeps them in `file`. */
export async function sealSeeds(kmsLoad: string, socket: string, file: string, count: number): Promise<void> {
  await runLoad(kmsLoad, ["--socket", socket, "--seal", file, "--requests", String(count)]);
}

/**
 * Polls as `firstEncrypt` does, then has all seeds of `file` opened, ten at a time on one connection, as an API
 * server does at its start; resolves with the epoch milliseconds of the last answer.
 */
export async function openSeeds(kmsLoad: string, socket: string, file: string): Promise<number> {
  return numberIn(await runLoad(kmsLoad, ["--socket", socket, "--open", file]), "unix_ms");
}

async function runLoad(kmsLoad: string, args: readonly string[]): Promise<object> {
  const { code, stdout, stderr } = await run(kmsLoad, args);
  if (code !== 0) throw new Error(`kms-load ${args.join(" ")} failed: ${stderr}`);
  const output: unknown = JSON.parse(stdout);
  if (typeof output !== "object" || output === null) throw new Error(`kms-load printed ${stdout}`);
  return output;
}

function numberIn(output: object, field: string): number {
  const value = Object.entries(output).find(([name]) => name === field)?.[1];
  if (typeof value !== "number") throw new Error(`kms-load's output has no number ${field}`);
  return value;
}
