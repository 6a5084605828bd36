import { stderrLog } from "../log.ts";
import { runPlugin } from "../plugin/plugin.ts";
import { type Command, configPathOf, parseOptions } from "./command.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const plugin: Command = {
  summary: "Serve the KMS v2 sockets of this node to its API server.",
  usage: "plugin [--standby] [--config FILE]",
  options: {
    "--standby": "if another plugin serves the sockets, wait and serve them as soon as it stops",
  },
  async run(args, timing) {
    const options = parseOptions(args, { config: { type: "string" }, standby: { type: "boolean" } });
    const log = stderrLog("plugin");
    const onHangUp = () => log("info", "received SIGHUP: reloading the configuration");
    const signal = stopSignal({ onHangUp });
    await runPlugin({
      configPath: configPathOf(options.config),
      standby: options.standby ?? false,
      log,
      signal,
      ...(timing && { timing }),
    });
  },
};
