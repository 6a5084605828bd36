const SLICE_MILLISECONDS = 10;

/**
 * Keeps a long computation from delaying the other work of the process: sockets, timers, the leader's loop.
 */
export class TimeSlice {
  #began = performance.now();

  /** Call this between two steps: from time to time it yields to other work. */
  async pause(): Promise<void> {
    if (performance.now() - this.#began < SLICE_MILLISECONDS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#began = performance.now();
  }
}
