import { readConfig } from "../config/config.ts";
import { type Command, configPathOf, DAEMON_OPTIONS, logFormatOf, parseOptions } from "./command.ts";
import { parentGone } from "./serve/supervise.ts";
import { daemonLog } from "./terminal/daemon-log.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

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
    const { runApi } = await import("../aws/api.ts");
    await runApi(config, log, stop);
  },
};
