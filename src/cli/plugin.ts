import { stderrLog } from "../log.ts";
import { runPlugin } from "../plugin/plugin.ts";
import { type Command, configOption } from "./command.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const plugin: Command = {
  summary: "Serve the KMS v2 sockets of this node to its API server.",
  usage: "plugin [--config FILE]",
  async run(args, timing) {
    const log = stderrLog("plugin");
    const onHangUp = () => log("info", "received SIGHUP: reloading the configuration");
    const signal = stopSignal({ onHangUp });
    await runPlugin({ configPath: configOption(args), log, signal, ...(timing && { timing }) });
  },
};
