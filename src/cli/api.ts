import { availableParallelism } from "node:os";
import type { ApiMetrics } from "../aws/telemetry/api-metrics.ts";
import { Complaints } from "../complaints.ts";
import { type NodeConfig, readConfig } from "../config/config.ts";
import type { Log, LogFormat } from "../log.ts";
import { type Command, configPathOf, DAEMON_OPTIONS, logFormatOf, parseOptions } from "./command.ts";
import { giveWay } from "./serve/give-way.ts";
import { parentGone } from "./serve/supervise.ts";
import { daemonLog } from "./terminal/daemon-log.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

/** More workers than this must be configured: each takes its memory. */
const MOST_WORKERS = 4;

export const api: Command = {
  summary: "Serve the AWS KMS API to applications.",
  usage: "api [--log-format text|json] [--config FILE]",
  async run(args) {
    const options = parseOptions(args, DAEMON_OPTIONS);
    const format = logFormatOf(options);
    const config = readConfig(configPathOf(options.config));
    const log = daemonLog("api", format ?? config.logFormat);
    const onHangUp = () =>
      log("info", "received SIGHUP and ignored it: restart the API to apply a changed configuration");
    const stop = AbortSignal.any([stopSignal({ onHangUp }), parentGone()]);
    const { checkApi } = await import("../aws/api.ts");
    checkApi(config);
    const count = config.api?.workers ?? Math.min(availableParallelism(), MOST_WORKERS);
    const metrics = await openMetrics(config, count, log);
    try {
      await serve({ config, count, format: format ?? config.logFormat, log, signal: stop, metrics });
    } finally {
      await metrics?.close();
    }
  },
};

interface Served {
  readonly config: NodeConfig;
  readonly count: number;
  readonly format: LogFormat;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly metrics: ApiMetrics | undefined;
}

/** Serves the API by this process, or by several that it starts. */
async function serve({ config, count, format, log, signal, metrics }: Served): Promise<void> {
  const report: ApiMetrics["take"] = (worker, what) => metrics?.take(worker, what);
  if (count > 1) {
    const { runWorkers } = await import("./serve/api-workers.ts");
    return runWorkers({ count, configPath: config.path, format, log, signal, report });
  }
  giveWay();
  const { runApi } = await import("../aws/api.ts");
  await runApi({ config, log, signal, report: metrics && ((what) => report(0, what)) });
}

async function openMetrics(config: NodeConfig, workers: number, log: Log): Promise<ApiMetrics | undefined> {
  const address = config.metrics.api;
  if (address === undefined) return undefined;
  const { ApiMetrics } = await import("../aws/telemetry/api-metrics.ts");
  const complaints = new Complaints(log);
  return ApiMetrics.open(address, config, {
    workers,
    complain: (error) => complaints.note("error", "metrics", error),
  });
}
