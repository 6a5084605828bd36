import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { stderrLog } from "./log.ts";

/** A stream whose reader takes nothing until it is told to. */
class Stalled extends Writable {
  readonly taken: string[] = [];
  #waiting: (() => void) | undefined;

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.taken.push(String(chunk));
    this.#waiting = done;
  }

  /** Takes all that waits. */
  async drain(): Promise<void> {
    while (this.writableLength > 0) {
      const done = this.#waiting;
      this.#waiting = undefined;
      done?.();
      await new Promise(setImmediate);
    }
  }
}

it("keeps no more than four megabytes for a reader that has stalled, and says how many lines were dropped", async () => {
  const stream = new Stalled();
  const log = stderrLog("plugin", stream);
  const lines = 40_000;
  for (let line = 0; line < lines; line += 1) log("warn", `Decrypt failed: ${"x".repeat(200)}`);
  expect(stream.writableLength).toBeLessThan(4.1 * 1024 * 1024);
  await stream.drain();
  const kept = stream.taken.length;
  log("info", "the reader is back");
  log("info", "and stays");
  await stream.drain();
  const [dropped, back, ...rest] = stream.taken.slice(kept);
  expect(dropped).toMatch(
    new RegExp(`^\\S+ WARN  plugin: ${lines - kept} lines were dropped, as nobody read this log\n$`),
  );
  expect(back).toMatch(/ INFO {2}plugin: the reader is back\n$/);
  expect(rest).toEqual([expect.stringMatching(/ INFO {2}plugin: and stays\n$/)]);
});
