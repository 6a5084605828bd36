import { setTimeout as sleep } from "node:timers/promises";
import type { Etcd } from "../controlplane/etcd.ts";

/** Longer than one write takes, and far shorter than any timeout of etcd or its clients. */
const TURN_MILLISECONDS = 20;

/**
 * Lets a process run for half of the time: it is paused and continued in turns, as on a machine that gives it
 * half of the CPU time that it needs. `stop` lets it run normally again.
 */
export class HalfSpeed {
  readonly #pid: number;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(pid: number) {
    this.#pid = pid;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const begun = performance.now();
      process.kill(this.#pid, "SIGSTOP");
      try {
        await sleep(TURN_MILLISECONDS);
      } finally {
        process.kill(this.#pid, "SIGCONT");
      }
      // On a busy machine the pause may have been longer, so the process runs for as long as it was paused.
      await sleep(performance.now() - begun);
    }
  }
}

/** Writes values one after another, directly to etcd. Returns the mean time of a write. */
export async function millisecondsOfWrite(etcd: Etcd): Promise<number> {
  // The first calls of a process take longer than its later calls.
  await writeValues(etcd);
  const begun = performance.now();
  await writeValues(etcd);
  const mean = (performance.now() - begun) / WRITES;
  await etcd.delete(KEY);
  return mean;
}

const KEY = "/half-speed";
const WRITES = 300;

async function writeValues(etcd: Etcd): Promise<void> {
  for (let index = 0; index < WRITES; index += 1) await etcd.put(KEY, Buffer.from(String(index)));
}
