import { availableParallelism } from "node:os";
import { readConfig } from "../config/config.ts";
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
    const { checkApi, runApi } = await import("../aws/api.ts");
    checkApi(config);
    const count = config.api?.workers ?? Math.min(availableParallelism(), MOST_WORKERS);
    if (count > 1) {
      const { runWorkers } = await import("./serve/api-workers.ts");
      const logFormat = format ?? config.logFormat;
      return runWorkers({ count, configPath: config.path, format: logFormat, log, signal: stop });
    }
    giveWay();
    await runApi({ config, log, signal: stop });
  },
};
