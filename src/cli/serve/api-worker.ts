/** A process of `claviger api` that answers requests beside others: its parent is the primary of node:cluster. */
import { runApi } from "../../aws/api.ts";
import type { WorkerReport } from "../../aws/telemetry/reports.ts";
import { readConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import { LOG_FORMATS } from "../../log.ts";
import { daemonLog } from "../terminal/daemon-log.ts";
import { complain } from "../terminal/print.ts";
import { stopSignal } from "../terminal/stop-signal.ts";
import { giveWay } from "./give-way.ts";
import { parentGone } from "./supervise.ts";

const [, , configPath = "", slot = "", wanted = ""] = process.argv;
const format = LOG_FORMATS.find((known) => known === wanted) ?? "text";
// A hang-up is the primary's to log.
const stop = AbortSignal.any([stopSignal({ onHangUp: () => undefined }), parentGone()]);
giveWay();
/** A channel that is gone has nobody at its other end. */
const report = (message: WorkerReport) => void process.send?.(message, undefined, {}, () => undefined);
try {
  const config = readConfig(configPath);
  await runApi({
    config,
    log: daemonLog(`api-${slot}`, format),
    signal: stop,
    slot: Number(slot),
    report: config.metrics.api === undefined ? undefined : report,
  });
} catch (error) {
  complain(messageOf(error));
  process.exitCode = 1;
} finally {
  if (process.connected) process.disconnect?.();
}
