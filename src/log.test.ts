import { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LogFields, type LogFormat, stderrLog } from "./log.ts";

/** A stream whose reader takes nothing until `drain`. */
class Stalled extends Writable {
  readonly taken: string[] = [];
  #waiting: (() => void) | undefined;

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.taken.push(String(chunk));
    this.#waiting = done;
  }

  /** Takes everything that waits. */
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

/** Returns a line of the log, as a reader sees it. */
function logged(message: string, fields: LogFields = {}, format: LogFormat = "text"): string {
  let text = "";
  const stream = new Writable({
    write(chunk, _, done) {
      text += String(chunk);
      done();
    },
  });
  stderrLog("plugin", stream, format)("warn", message, fields);
  return text;
}

describe("whatever others' texts hold", () => {
  const UNSAFE = /\p{C}|\p{Zl}|\p{Zp}/u;
  const hostile = fc.string({ unit: "binary", maxLength: 60 }).map((text) => `\x1b[2J\u202e\x9b\n${text}`);

  it("is one line that steers no terminal, and a field is JSON that has it as it was", () => {
    fc.assert(
      fc.property(hostile, hostile, (message, uid) => {
        const [line = "", rest, ...more] = logged(message, { uid }).split("\n");
        expect([rest, more]).toEqual(["", []]);
        expect(line).not.toMatch(UNSAFE);
        const field = line.slice(line.lastIndexOf(' uid="') + " uid=".length);
        expect(JSON.parse(field)).toBe(uid);
      }),
      { numRuns: 1_000 },
    );
  });

  it("is one line of JSON that steers no terminal, and has every text as it was", () => {
    fc.assert(
      fc.property(hostile, hostile, (message, uid) => {
        const text = logged(message, { uid, version: 3, absent: undefined }, "json");
        expect(text.match(/\n/g)).toHaveLength(1);
        expect(text.slice(0, -1)).not.toMatch(UNSAFE);
        const { time, ...rest } = JSON.parse(text);
        expect(Date.parse(time)).not.toBeNaN();
        expect(rest).toEqual({ level: "warn", process: "plugin", message, uid, version: 3 });
      }),
      { numRuns: 1_000 },
    );
  });

  it("a message without end is cut off in JSON too", () => {
    const { message } = JSON.parse(logged("x".repeat(100_000), {}, "json"));
    expect(message).toBe(`${"x".repeat(8_192)}… (91808 characters more)`);
  });

  it("a forged line in a message stays within the line of its message", () => {
    const text = logged("KeyServer a\n2026-01-01T00:00:00.000Z INFO  plugin: all is well");
    expect(text.match(/\n/g)).toHaveLength(1);
  });

  it("a field without end is cut off, and is JSON all the same", () => {
    const [, json = ""] = / uid=(".*)\n$/.exec(logged("m", { uid: "x".repeat(100_000) })) ?? [];
    expect(JSON.parse(json)).toBe(`${"x".repeat(1_024)}… (98976 characters more)`);
  });
});
