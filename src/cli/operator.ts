import { type NodeConfig, readConfig } from "../config/config.ts";
import type { Console } from "../console/console.ts";
import type { Log } from "../log.ts";
import { type Command, configPathOf, DAEMON_OPTIONS, logFormatOf, parseOptions } from "./command.ts";
import { parentGone } from "./serve/supervise.ts";
import { daemonLog } from "./terminal/daemon-log.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const operator: Command = {
  summary: "Follow the custom resources, keep this node's keyring in step, and lead if elected.",
  usage: "operator [--log-format text|json] [--config FILE]",
  async run(args, timing) {
    const options = parseOptions(args, DAEMON_OPTIONS);
    const format = logFormatOf(options);
    const config = readConfig(configPathOf(options.config));
    const log = daemonLog("operator", format ?? config.logFormat);
    const onHangUp = () =>
      log(
        "info",
        "received SIGHUP and ignored it: the operator reads its configuration only when it starts; restart it to apply a change",
      );
    const stop = AbortSignal.any([stopSignal({ onHangUp }), parentGone()]);
    const { runOperator } = await import("../operator/operator.ts");
    const page = await openConsole(config, log);
    try {
      await runOperator(config, log, stop, timing);
    } finally {
      await page?.close();
    }
  },
};

/** Standalone loads no Kubernetes client. */
async function openConsole(config: NodeConfig, log: Log): Promise<Console | undefined> {
  if (config.console === undefined) return undefined;
  const { serveConsole } = await import("../console/console.ts");
  return serveConsole(config, log);
}
