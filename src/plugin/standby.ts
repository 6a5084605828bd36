import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../errors.ts";
import { FileLock } from "../keyring/file-lock.ts";
import type { Log } from "../log.ts";
import { socketLock } from "./socket.ts";

/** How often the locks are tried. Nobody serves the sockets in the time between a release and the next try. */
const EVERY_MILLISECONDS = 25;

/**
 * Resolves when no other plugin holds any of these sockets, or when `signal` is aborted. An upgrade starts the
 * new plugin beside the old one, so that the sockets are without a plugin only from the stop of the old one to
 * the next try, and not while a process starts.
 */
export async function standBy(paths: readonly string[], log: Log, signal: AbortSignal): Promise<void> {
  for (let told: string | undefined; !signal.aborted; await sleep(EVERY_MILLISECONDS)) {
    const held = paths.find(isHeld);
    if (held === undefined) return;
    if (held !== told) {
      log(
        "info",
        `standby: another claviger plugin serves ${held}; this plugin serves it as soon as that one stops`,
      );
    }
    told = held;
  }
}

/** A lock that cannot be tried is reported by the start, in the words of that problem. */
function isHeld(path: string): boolean {
  // Without the file nobody has the lock. It is not created here: its folder is not checked yet.
  if (!existsSync(socketLock(path))) return false;
  try {
    FileLock.acquire(socketLock(path), "held").release();
    return false;
  } catch (error) {
    return codeOf(error) === "InUse";
  }
}
