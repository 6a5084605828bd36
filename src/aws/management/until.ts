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

/** A refusal costs a read of the object, so it is looked for less often than the keyring. */
const LOOKS_FOR_EACH_READ = 10;

/**
 * Waits until this process follows a change of an object. `refuse` throws if the operator refuses the change.
 * Returns false if the time is over.
 */
export function untilFollowed(isFollowed: () => boolean, refuse: () => Promise<void>): Promise<boolean> {
  let looks = 0;
  return until(async () => {
    if (isFollowed()) return true;
    looks += 1;
    if (looks % LOOKS_FOR_EACH_READ === 0) await refuse();
    return false;
  });
}
