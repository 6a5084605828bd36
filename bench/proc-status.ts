import { readFile } from "node:fs/promises";

/** A process's memory in MB (10⁶ bytes). */
export interface MemorySample {
  readonly rss: number;
  /** Memory without a file behind it. */
  readonly anonymous: number;
  /** The highest rss so far. */
  readonly peak: number;
}

/** Reads the text of /proc/PID/status (proc_pid_status(5)), whose "kB" are 1,024 bytes. */
export function parseStatus(text: string): MemorySample {
  const megabytes = (field: string) => {
    const kibibytes = new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/PID/status has no ${field}`);
    return (Number(kibibytes) * 1024) / 1_000_000;
  };
  return { rss: megabytes("VmRSS"), anonymous: megabytes("RssAnon"), peak: megabytes("VmHWM") };
}

/** sysconf(_SC_CLK_TCK), 100 on every Linux of today. */
const MILLISECONDS_A_TICK = 10;

/** The CPU time of a process and all of its threads in milliseconds, from the text of /proc/PID/stat (proc_pid_stat(5)). */
export function parseCpuMilliseconds(text: string): number {
  // The name before it may hold spaces and brackets.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error("/proc/PID/stat has no CPU time");
  return ticks * MILLISECONDS_A_TICK;
}

/** The CPU time that a running process has taken so far. */
export const cpuMilliseconds = async (pid: number | undefined): Promise<number> =>
  parseCpuMilliseconds(await readFile(`/proc/${pid}/stat`, "utf8"));
