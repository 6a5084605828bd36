import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError, codeOf } from "../../errors.ts";
import { asOwner } from "../../files/as-owner.ts";
import { FileLock } from "../../keyring/file-lock.ts";

/** In the state folder: the folder of manifests may be read by others, who could hold the lock for ever. */
const LOCK_FILE = "manifests.lock";
/** An edit takes some milliseconds. */
const MOST_MILLISECONDS = 5_000;
const PAUSE_MILLISECONDS = 25;

/** Lets one process at a time edit the folder of manifests: each reads a file and writes it again. */
export class FolderLock {
  readonly #path: string;

  constructor(stateDir: string) {
    this.#path = join(stateDir, LOCK_FILE);
  }

  /** Does the work, which does not pause, while no other process does. Throws InUse after some seconds. */
  async hold<T>(work: () => T): Promise<T> {
    const end = performance.now() + MOST_MILLISECONDS;
    for (;;) {
      const lock = this.#acquire();
      if (lock !== undefined) return releasing(lock, work);
      if (performance.now() >= end) throw new ClavigerError("InUse", BUSY);
      await sleep(PAUSE_MILLISECONDS);
    }
  }

  #acquire(): FileLock | undefined {
    try {
      // Root runs a command now and then, and must not leave a lock that claviger's own user cannot take.
      return asOwner(dirname(this.#path), () => FileLock.acquire(this.#path, BUSY));
    } catch (error) {
      if (codeOf(error) === "InUse") return undefined;
      throw error;
    }
  }
}

const BUSY = "another process of claviger has been editing the manifests for seconds: try again";

function releasing<T>(lock: FileLock, work: () => T): T {
  try {
    return work();
  } finally {
    lock.release();
  }
}
