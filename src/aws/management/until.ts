import { setTimeout as sleep } from "node:timers/promises";

/** The time after which a caller is told that its change is not in force yet. */
const MOST_MILLISECONDS = 10_000;
const LOOK_MILLISECONDS = 25;

/** Waits until a condition holds, and returns the result of its last look; false if the time is over. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  milliseconds = MOST_MILLISECONDS,
  pause = LOOK_MILLISECONDS,
): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!(await holds())) {
    if (performance.now() >= end) return false;
    await sleep(pause);
  }
  return true;
}
