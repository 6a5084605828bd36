import { readWatchedConfig } from "../config/watched-config.ts";
import { type Command, configPathOf, DAEMON_OPTIONS, logFormatOf, parseOptions } from "./command.ts";
import { daemonLog } from "./terminal/daemon-log.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const plugin: Command = {
  summary: "Serve the KMS v2 sockets of this node to its API server.",
  usage: "plugin [--standby] [--log-format text|json] [--config FILE]",
  options: {
    "--standby": "if another plugin serves the sockets, wait and serve them as soon as it stops",
  },
  async run(args, timing) {
    const options = parseOptions(args, {
      ...DAEMON_OPTIONS,
      standby: { type: "boolean" },
    });
    const format = logFormatOf(options);
    const configuration = readWatchedConfig(configPathOf(options.config));
    const log = daemonLog("plugin", format ?? configuration.config.logFormat);
    const onHangUp = () => log("info", "received SIGHUP: reloading the configuration");
    const signal = stopSignal({ onHangUp });
    const { runPlugin } = await import("../plugin/plugin.ts");
    await runPlugin({
      configuration,
      standby: options.standby ?? false,
      log,
      signal,
      ...(timing && { timing }),
    });
  },
};
