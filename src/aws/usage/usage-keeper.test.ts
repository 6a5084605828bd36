import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readNodeGrantUsage } from "../../keyring/usage/grant-usage.ts";
import { temporaryFolder } from "../../testing/keyring.ts";
import { UsageKeeper } from "./usage-keeper.ts";

const START = Date.parse("2026-11-30T12:00:00Z");
const usage = (operation: string, at = START + 5) => ({ operation, at, requestId: `request-${at}` });

let folder: ReturnType<typeof temporaryFolder>;
let lines: string[];
beforeEach(() => {
  folder = temporaryFolder();
  lines = [];
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
  folder.remove();
});

const keeper = (now = START, slot = 0) =>
  new UsageKeeper({ stateDir: folder.path, slot, log: (_, line) => lines.push(line), now });
const file = (slot = 0) => join(folder.path, `key-usage-${slot}.json`);
const minute = () => vi.advanceTimersByTimeAsync(60_000);

describe("the usage of keys", () => {
  it("is the last that was noted, and none since recording began otherwise", () => {
    const tracker = keeper();
    expect(tracker.of("a")).toEqual({ since: START });
    tracker.note(["a", "b"], usage("ReEncrypt"));
    tracker.note(["b"], usage("Decrypt", START + 9));
    expect(tracker.of("a")).toEqual({ since: START, last: usage("ReEncrypt") });
    expect(tracker.of("b")).toEqual({ since: START, last: usage("Decrypt", START + 9) });
  });

  it("is known after a restart, with the time from which it is complete", async () => {
    const before = keeper();
    before.note(["a"], usage("Sign"));
    await before.close();
    expect(keeper(START + 1000).of("a")).toEqual({ since: START, last: usage("Sign") });
  });

  it("of a process that was killed is known up to the last minute", async () => {
    const before = keeper().start();
    before.note(["a"], usage("Sign"));
    await minute();
    await vi.waitFor(() => expect(keeper(START + 1).of("a").last).toEqual(usage("Sign")), {
      timeout: 10_000,
    });
    before.note(["a"], usage("Verify", START + 61_000));
    expect(keeper(START + 1).of("a").last).toEqual(usage("Sign"));
    await before.close();
  });

  it("nothing new => no write", async () => {
    const tracker = keeper().start();
    tracker.note(["a"], usage("Sign"));
    await minute();
    await vi.waitFor(() => expect(readdirSync(folder.path)).toEqual(["key-usage-0.json"]), {
      timeout: 10_000,
    });
    writeFileSync(file(), "as it was left");
    await minute();
    await tracker.close();
    expect(readFileSync(file(), "utf8")).toBe("as it was left");
  });

  it("by several processes is told by each of them, the last one first", async () => {
    const [one, two] = [keeper(START, 0), keeper(START + 100, 1)];
    one.note(["a"], usage("Sign", START + 200));
    two.note(["a"], usage("Verify", START + 300));
    await two.close();
    expect(one.of("a")).toEqual({ since: START + 100, last: usage("Verify", START + 300) });
    expect(two.of("a").last).toEqual(usage("Verify", START + 300));
  });

  it.each([
    ["cut off", '{"since":1,"keys":{"a":["Sign",1'],
    ["not ours", '["a"]'],
    ["empty", ""],
  ])("a file that is %s => recording begins again, and says since when", (_, text) => {
    writeFileSync(file(), text);
    expect(keeper(START + 7).of("a")).toEqual({ since: START + 7 });
  });

  it("a damaged entry => the other keys' entries are used", () => {
    const keys = { a: ["Sign", 1, "r"], b: ["Destroy", 1, "r"], c: ["Sign", "1", "r"], d: 7 };
    Object.assign(keys, { e: ["Sign", 1, "r", "event-1"] });
    writeFileSync(file(), JSON.stringify({ since: 1, keys }));
    const tracker = keeper();
    expect(tracker.of("a").last).toEqual({ operation: "Sign", at: 1, requestId: "r" });
    expect(tracker.of("e").last).toMatchObject({ requestId: "r", eventId: "event-1" });
    for (const damaged of ["b", "c", "d"]) expect(tracker.of(damaged)).toEqual({ since: 1 });
  });

  it("a disk that refuses => one line in the log, and a write once it does not", async () => {
    const tracker = keeper();
    mkdirSync(`${file()}.new`);
    tracker.note(["a"], usage("Sign"));
    await tracker.close();
    await tracker.close();
    expect(lines).toEqual([expect.stringContaining("key-usage-0.json cannot be written")]);
    rmdirSync(`${file()}.new`);
    await tracker.close();
    expect(keeper(START + 1).of("a").last).toEqual(usage("Sign"));
  });
});

describe("the uses of grants", () => {
  const uses = () => Object.fromEntries(readNodeGrantUsage(folder.path));

  it("are counted by all processes, and go on after a restart", async () => {
    const one = keeper(START, 0);
    one.noteGrants(["a", "b"], START + 5);
    one.noteGrants(["a"], START + 9);
    await one.close();
    const [again, two] = [keeper(START, 0), keeper(START, 1)];
    again.noteGrants(["a"], START + 7);
    two.noteGrants(["b"], START + 3);
    await Promise.all([again.close(), two.close()]);
    expect(uses()).toEqual({ a: { uses: 3, lastAt: START + 9 }, b: { uses: 2, lastAt: START + 5 } });
  });

  it("of a grant that has ended are forgotten some minutes later, as its token may still be on its way", async () => {
    const now = Date.now();
    const isGood = (grantId: string) => grantId === "good";
    const tracker = new UsageKeeper({ stateDir: folder.path, log: () => {}, now, isGood });
    tracker.noteGrants(["good", "ended"], now - 3_600_000);
    tracker.noteGrants(["new"], now);
    await tracker.close();
    expect(Object.keys(uses())).toEqual(["good", "new"]);
  });

  it.each(["", '{"grants":{"a":[1', '{"grants":[]}', '{"grants":{"a":[-1,2],"b":["1",2],"c":7}}'])(
    "in a file with %j are none",
    (text) => {
      writeFileSync(join(folder.path, "grant-usage-0.json"), text);
      expect(uses()).toEqual({});
    },
  );
});
