import { readFileSync } from "node:fs";

/** A clock that never steps, and the boot of the machine that it belongs to. */
export interface MonotonicClock {
  /** Returns milliseconds by CLOCK_MONOTONIC (clock_gettime(2)), which all processes of one boot share. */
  now(): number;
  /** Names this boot of the machine; undefined if the system does not say. */
  readonly boot: string | undefined;
}

export function monotonicClock(): MonotonicClock {
  const boot = bootId();
  return { now: () => Number(process.hrtime.bigint() / 1_000_000n), boot };
}

/** Read from /proc (proc(5)); a container shows its host's. */
function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 64) || undefined;
  } catch {
    return undefined;
  }
}
