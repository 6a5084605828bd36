import { type Log, type LogFormat, stderrLog } from "../../log.ts";
import { guardedLog } from "../../repeat-guard.ts";

/** Returns the log of a process that runs for months: no line of it repeats without bound. */
export const daemonLog = (name: string, format: LogFormat): Log =>
  guardedLog(stderrLog(name, process.stderr, format));
