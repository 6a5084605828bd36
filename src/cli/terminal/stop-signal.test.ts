import { EventEmitter } from "node:events";
import { describe, expect, test } from "vitest";
import { SAME_REQUEST_MILLISECONDS, type StopSignalOptions, stopSignal } from "./stop-signal.ts";

const prepare = (options: StopSignalOptions = {}) => {
  const signals = new EventEmitter();
  const clock = { now: 1_000 };
  const exits: number[] = [];
  const stop = stopSignal({ ...options, signals, now: () => clock.now, exit: (code) => exits.push(code) });
  return { signals, clock, exits, stop };
};

describe("a request to stop", () => {
  test("aborts with the signal's name", () => {
    const { signals, stop, exits } = prepare();
    expect(stop.aborted).toBe(false);
    signals.emit("SIGTERM");
    expect(stop.reason).toEqual(new Error("received SIGTERM"));
    expect(exits).toEqual([]);
  });

  test.each(["SIGINT", "SIGTERM"])("handed on once more by npm as %s => the stop goes on", (again) => {
    const { signals, clock, stop, exits } = prepare();
    signals.emit("SIGINT");
    clock.now += SAME_REQUEST_MILLISECONDS;
    signals.emit(again);
    expect(stop.reason).toEqual(new Error("received SIGINT"));
    expect(exits).toEqual([]);
  });

  test("made again by somebody who finds it too slow => the process ends at once", () => {
    const { signals, clock, exits } = prepare();
    signals.emit("SIGINT");
    signals.emit("SIGINT");
    clock.now += SAME_REQUEST_MILLISECONDS + 1;
    signals.emit("SIGTERM");
    expect(exits).toEqual([1]);
  });
});

describe("a terminal that closes (SIGHUP)", () => {
  test("stops a command as Ctrl-C does, so that it cleans up", () => {
    const { signals, stop } = prepare();
    signals.emit("SIGHUP");
    expect(stop.reason).toEqual(new Error("received SIGHUP"));
  });

  test("is told to a process that outlives it, each time, and is no request to stop", () => {
    let hangUps = 0;
    const { signals, clock, stop, exits } = prepare({ onHangUp: () => (hangUps += 1) });
    signals.emit("SIGHUP");
    clock.now += SAME_REQUEST_MILLISECONDS + 1;
    signals.emit("SIGHUP");
    expect({ hangUps, aborted: stop.aborted, exits }).toEqual({ hangUps: 2, aborted: false, exits: [] });
    signals.emit("SIGTERM");
    signals.emit("SIGHUP");
    expect({ aborted: stop.aborted, exits }).toEqual({ aborted: true, exits: [] });
  });
});
