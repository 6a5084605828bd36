import { run } from "../../test/controlplane/run.ts";

/** A report of aws-load. Latencies are those of good answers, in microseconds. */
export interface AwsLoadReport {
  readonly requests: number;
  /** Requests that were answered with ThrottlingException. */
  readonly shed: number;
  /** Requests that were not sent in time, because their connection waited for an answer. */
  readonly skipped: number;
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  /** The CPU time of the client for a request, in microseconds. */
  readonly clientCpu: number;
}

/** A load of aws-load. */
export interface AwsLoad {
  readonly address: string;
  /** The certificate to trust; without it the API speaks plain HTTP. */
  readonly ca?: string | undefined;
  /** A JSON list of signed requests. */
  readonly file: string;
  readonly connections: number;
  readonly seconds: number;
  readonly warmup: number;
  /** True if the client gets only what others leave: it stands for clients on other machines. */
  readonly givesWay?: boolean;
  /** Requests a second, whether answers come or not; without it each connection sends after each answer. */
  readonly rate?: number;
}

/** Sends a load. Throws if any request failed, because the figures would mean nothing; a shed request has not failed. */
export async function sendLoad(awsLoad: string, load: AwsLoad): Promise<AwsLoadReport> {
  const command = [...(load.givesWay === true ? ["nice", "-n", "19"] : []), awsLoad, ...argumentsOf(load)];
  const { code, stdout, stderr } = await run(command[0] ?? "", command.slice(1), { deadline: 120_000 });
  if (code !== 0) throw new Error(`aws-load failed: ${stderr}`);
  const report = JSON.parse(stdout);
  if (report.errors > 0) throw new Error(`${report.errors} of ${report.requests} requests failed: ${stderr}`);
  return {
    requests: report.requests,
    shed: report.shed,
    skipped: report.skipped,
    rps: report.rps,
    p50: report.p50_us,
    p99: report.p99_us,
    clientCpu: report.cpu_us,
  };
}

function argumentsOf({ address, ca, file, connections, seconds, warmup, rate = 0 }: AwsLoad): string[] {
  return [
    ...["--address", address, "--requests", file, ...(ca === undefined ? [] : ["--ca", ca])],
    ...["--connections", String(connections), "--seconds", String(seconds)],
    ...["--warmup", String(warmup), "--rate", String(rate)],
  ];
}
