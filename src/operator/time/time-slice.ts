const SLICE_MILLISECONDS = 10;

/** Keeps a long computation from holding up the other work of the process: sockets, timers, the leader's loop. */
export class TimeSlice {
  #began = performance.now();

  /** Call this between two steps: now and then it lets others have their turn. */
  async pause(): Promise<void> {
    if (performance.now() - this.#began < SLICE_MILLISECONDS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#began = performance.now();
  }
}
