/** A process's memory in MB (10⁶ bytes). */
export interface MemorySample {
  readonly rss: number;
  /** Not backed by a file: its own. */
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
