import { expect, test, vi } from "vitest";
import { ClavigerError } from "../errors.ts";
import { KubeError } from "../kube/kube-error.ts";
import type { Log } from "../log.ts";
import { WorkQueue, type WorkQueueOptions } from "./work-queue.ts";

/** Only ends a test that hangs. */
const deadline = { timeout: 60_000, interval: 5 };

/** Items that are texts: KIND NAMESPACE/NAME, or KIND. */
const texts = {
  keyOf: (item: string) => item,
  namespaceOf: (item: string) => item.split(" ")[1]?.split("/")[0] ?? "",
};

/** Starts a queue that runs until the test is over, and returns the lines that it logged. */
function running(work: (key: string) => Promise<void>, options: Partial<WorkQueueOptions<string>> = {}) {
  const lines: string[] = [];
  const log: Log = (level, message) => lines.push(`${level} ${message}`);
  const queue = new WorkQueue(work, log, { random: () => 1, ...texts, ...options });
  const controller = new AbortController();
  const ended = queue.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
  };
  return { queue, lines, controller, ended, stop, [Symbol.asyncDispose]: stop };
}

/** Makes work that waits to be released. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

test("keys that are added => each is worked on, in order, also what was added before it ran", async () => {
  const done: string[] = [];
  const queue = new WorkQueue(
    async (key) => void done.push(key),
    () => undefined,
    texts,
  );
  queue.add("a");
  queue.add("b");
  const controller = new AbortController();
  const ended = queue.run(controller.signal);
  await vi.waitFor(() => expect(done).toEqual(["a", "b"]), deadline);
  queue.add("c");
  await vi.waitFor(() => expect(done).toEqual(["a", "b", "c"]), deadline);
  controller.abort();
  await ended;
});

test("a key that waits is added again => it is worked on once", async () => {
  const first = gate();
  const done: string[] = [];
  await using used = running(async (key) => {
    done.push(key);
    if (key === "first") await first.opened;
  });
  used.queue.add("first");
  await vi.waitFor(() => expect(done).toEqual(["first"]), deadline);
  for (let i = 0; i < 5; i++) used.queue.add("a");
  used.queue.add("last");
  first.open();
  await vi.waitFor(() => expect(done).toContain("last"), deadline);
  expect(done).toEqual(["first", "a", "last"]);
});

test("a key that is worked on is added => it is worked on again afterwards, never twice at a time", async () => {
  const gates = [gate(), gate()];
  let at = 0;
  let most = 0;
  let runs = 0;
  await using used = running(async () => {
    at += 1;
    most = Math.max(most, at);
    await gates[runs++]?.opened;
    at -= 1;
  });
  used.queue.add("a");
  await vi.waitFor(() => expect(runs).toBe(1), deadline);
  used.queue.add("a");
  used.queue.add("a");
  gates[0]?.open();
  await vi.waitFor(() => expect(runs).toBe(2), deadline);
  gates[1]?.open();
  await vi.waitFor(() => expect(at).toBe(0), deadline);
  expect([most, runs]).toEqual([1, 2]);
});

test("a key fails => it is logged and tried again, and others are not held up", async () => {
  const done: string[] = [];
  let failures = 0;
  await using used = running(async (key) => {
    if (key === "bad" && failures < 3) {
      failures += 1;
      throw new Error(`failure ${failures}`);
    }
    done.push(key);
  });
  used.queue.add("bad");
  used.queue.add("good");
  await vi.waitFor(() => expect(done).toContain("bad"), deadline);
  expect(done).toEqual(["good", "bad"]);
  expect(used.lines).toEqual([
    ...[1, 2, 3].map((n) => `warn bad failed and is tried again: failure ${n}`),
    "info bad works again after 3 failures",
  ]);
});

/** Returns the milliseconds between the runs of one key within a time, by a clock that is advanced. */
async function gaps(
  milliseconds: number,
  work: (run: number, queue: WorkQueue<string>) => Promise<void>,
  options: Partial<WorkQueueOptions<string>> = {},
): Promise<{ readonly gaps: readonly number[]; readonly lines: readonly string[] }> {
  vi.useFakeTimers();
  try {
    const at: number[] = [];
    await using used = running(async () => work(at.push(performance.now()), used.queue), options);
    used.queue.add("a");
    await vi.advanceTimersByTimeAsync(milliseconds);
    used.controller.abort();
    await vi.runAllTimersAsync();
    return {
      gaps: at.slice(1).map((time, index) => Math.round((time - (at[index] ?? 0)) / 100) * 100),
      lines: used.lines,
    };
  } finally {
    vi.useRealTimers();
  }
}
const fail = async () => {
  throw new Error("no");
};

test("a key fails again and again => it is tried later each time; a success forgets that", async () => {
  const failing = [true, true, true, false, true, false];
  const tried = await gaps(10_000, async (run, queue) => {
    if (run === 4) setTimeout(() => queue.add("a"), 1_000);
    if (failing[run - 1] === true) await fail();
  });
  expect(tried.gaps).toEqual([100, 200, 400, 1_000, 100]);
});

test("a failing pass is followed by news of what it wrote itself => it is not tried at the pace of its own writes", async () => {
  const tried = await gaps(60_000, async (_, queue) => {
    // A watch may be faster than the answer, or slower.
    queue.add("a");
    setTimeout(() => queue.add("a"), 10);
    await fail();
  });
  expect(tried.gaps.slice(0, 8)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test("news of a key that has failed for long => it is tried within five seconds", async () => {
  const tried = await gaps(600_000, async (run, queue) => {
    if (run === 15) setTimeout(() => queue.add("a"), 1_000);
    await fail();
  });
  expect(tried.gaps.slice(12, 16)).toEqual([30_000, 30_000, 5_000, 30_000]);
});

test("a key fails for ever => the pause has a limit", async () => {
  const tried = await gaps(86_400_000, fail);
  expect(Math.max(...tried.gaps)).toBe(30_000);
  expect(tried.gaps.length).toBeGreaterThan(2_800);
});

test("work that must not be done too often fails => it is retried after its least pause, also if there is news of it", async () => {
  const tried = await gaps(
    200_000,
    async (run, queue) => {
      if (run === 2) queue.add("a");
      await fail();
    },
    { leastRetryMilliseconds: 60_000 },
  );
  expect(tried.gaps).toEqual([60_000, 60_000, 60_000]);
});

test("conflict upon conflict => each later than the one before, counted, and told once they are no everyday ones", async () => {
  let conflicts = 0;
  const tried = await gaps(120_000, async (run, queue) => {
    conflicts = queue.conflictCount;
    if (run <= 12) throw new ClavigerError("Conflict", "somebody was faster");
  });
  expect(tried.gaps).toEqual([
    ...[100, 200, 400, 800, 1_600, 3_200],
    ...[6_400, 12_800, 25_600, 30_000, 30_000].slice(0, tried.gaps.length - 6),
  ]);
  expect(tried.gaps.length).toBeGreaterThan(8);
  expect(conflicts).toBe(tried.gaps.length);
  expect(tried.lines).toEqual(["warn a failed and is tried again: somebody was faster"]);
});

test("news of its own stale view after every conflict => a key is tried every five seconds at most", async () => {
  const tried = await gaps(120_000, async (_, queue) => {
    queue.add("a");
    throw new ClavigerError("Conflict", "somebody was faster");
  });
  expect(tried.gaps.length).toBeLessThan(32);
});

test("pauses are jittered => two queues that met the same do not come back in step", async () => {
  const pauses = async (random: () => number) => (await gaps(1_000, fail, { random })).gaps;
  expect(await pauses(() => 0)).toEqual([100, 100, 200, 400].slice(0, 4));
  expect(await pauses(() => 1)).toEqual([100, 200, 400]);
});

test("a key fails in the same way for hours => a line every ten minutes, with how often it came", async () => {
  const { lines } = await gaps(3_600_000, fail);
  expect(lines[0]).toBe("warn a failed and is tried again: no");
  expect(lines[1]).toMatch(/^warn a failed and is tried again: no; \d+ more failures like the one before$/);
  expect(lines.length).toBeLessThan(8);
});

/** Returns when passes of many keys ran, in milliseconds, by a clock that is advanced. */
async function passes(
  keys: number,
  milliseconds: number,
  work: (key: string) => Promise<void>,
): Promise<readonly number[]> {
  vi.useFakeTimers();
  try {
    const at: number[] = [];
    const begun = performance.now();
    await using used = running(async (key) => {
      at.push(performance.now() - begun);
      await work(key);
    });
    for (let i = 0; i < keys; i++) used.queue.add(`MasterKey tenant/${i}`);
    await vi.advanceTimersByTimeAsync(milliseconds);
    used.controller.abort();
    await vi.runAllTimersAsync();
    return at;
  } finally {
    vi.useRealTimers();
  }
}

test.each([
  ["nobody answers", new ClavigerError("ApiServer", "connect ECONNREFUSED")],
  ["429", new KubeError(429, "too many requests")],
  ["503", new KubeError(503, "service unavailable")],
])("%s to two thousand keys => one is tried for all, every ten seconds in the end", async (_, error) => {
  const at = await passes(2_000, 600_000, async () => {
    throw error;
  });
  expect(at.length).toBeLessThan(75);
  expect(at.length).toBeGreaterThan(55);
});

test("the API server asks to be left alone for a time => no key is worked on within it", async () => {
  const busy = new KubeError(429, "too many requests", { causes: [], retryAfterSeconds: 7 });
  const at = await passes(50, 60_000, async () => {
    throw busy;
  });
  expect(at.length).toBeLessThan(10);
  expect(Math.min(...at.slice(1).map((time, index) => time - (at[index] ?? 0)))).toBeGreaterThanOrEqual(
    6_990,
  );
});

test("500 to every write of two thousand keys for ten minutes => some passes a second, and all are done soon after", async () => {
  const done = new Set<string>();
  // Read within the passes, because the clock is the real one outside of them.
  let begun: number | undefined;
  let failing = 0;
  const at = await passes(2_000, 720_000, async (key) => {
    begun ??= performance.now();
    if (performance.now() - begun < 600_000) {
      failing += 1;
      throw new KubeError(500, "internal error");
    }
    done.add(key);
  });
  expect(failing / 600).toBeLessThan(5);
  expect(done.size).toBe(2_000);
  expect(at.length).toBeGreaterThan(2_000);
});

test("a pass rests after its work => news of that time makes one pass", async () => {
  vi.useFakeTimers();
  try {
    const at: number[] = [];
    await using used = running(
      async () => {
        at.push(performance.now());
        await new Promise((resolve) => setTimeout(resolve, 100));
      },
      { restAfter: (milliseconds) => 2 * milliseconds },
    );
    const news = setInterval(() => used.queue.add("node"), 5);
    await vi.advanceTimersByTimeAsync(3_000);
    clearInterval(news);
    used.controller.abort();
    await vi.runAllTimersAsync();
    expect(at.length).toBeGreaterThanOrEqual(9);
    expect(at.length).toBeLessThanOrEqual(10);
  } finally {
    vi.useRealTimers();
  }
});

test("two thousand new keys wait and one that is in use changes => it comes next but one", async () => {
  const first = gate();
  const done: string[] = [];
  await using used = running(
    async (key) => {
      done.push(key);
      if (done.length === 1) await first.opened;
    },
    { laneOf: (key) => (key.endsWith("in-use") ? "prompt" : "bulk") },
  );
  for (let i = 0; i < 2_000; i++) used.queue.add(`MasterKey apps/${i}`);
  // A look at everything makes it wait among the others at first.
  used.queue.add("MasterKey apps/in-use", "bulk");
  await vi.waitFor(() => expect(done).toHaveLength(1), deadline);
  used.queue.add("MasterKey apps/in-use");
  first.open();
  await vi.waitFor(() => expect(done).toContain("MasterKey apps/in-use"), deadline);
  expect(done.indexOf("MasterKey apps/in-use")).toBeLessThanOrEqual(2);
  await vi.waitFor(() => expect(done).toHaveLength(2_001), deadline);
});

test("asked for later => it is worked on then", async () => {
  const done: string[] = [];
  await using used = running(async (key) => void done.push(key));
  used.queue.addAfter("a", 1);
  await vi.waitFor(() => expect(done).toEqual(["a"]), deadline);
});

test("asked for later and then now => once, now", async () => {
  const done: string[] = [];
  await using used = running(async (key) => void done.push(key));
  used.queue.addAfter("a", 2 ** 30);
  used.queue.add("a");
  await vi.waitFor(() => expect(done).toEqual(["a"]), deadline);
});

test("asked for later and then sooner => sooner", async () => {
  const done: string[] = [];
  await using used = running(async (key) => void done.push(key));
  used.queue.addAfter("a", 2 ** 30);
  used.queue.addAfter("a", 1);
  await vi.waitFor(() => expect(done).toEqual(["a"]), deadline);
});

test("asked for soon and then later => soon stands", async () => {
  const done: string[] = [];
  await using used = running(async (key) => void done.push(key));
  used.queue.addAfter("a", 1);
  used.queue.addAfter("a", 2 ** 30);
  await vi.waitFor(() => expect(done).toEqual(["a"]), deadline);
});

test("stopped => the key in hand is finished, what waits is left", async () => {
  const first = gate();
  const done: string[] = [];
  const started: string[] = [];
  const { queue, controller, ended } = running(async (key) => {
    started.push(key);
    await first.opened;
    done.push(key);
  });
  queue.add("a");
  queue.add("b");
  await vi.waitFor(() => expect(started).toEqual(["a"]), deadline);
  controller.abort();
  first.open();
  await ended;
  expect(done).toEqual(["a"]);
  expect(started).toEqual(["a"]);
});

test("stopped while idle, or before it began => it ends", async () => {
  await running(async () => undefined).stop();
  await new WorkQueue(
    async () => undefined,
    () => undefined,
    texts,
  ).run(AbortSignal.abort());
});

test("stopped while a failed key waits => no timer is left that would keep the process alive", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const { queue, lines, stop } = running(async () => {
    throw new Error("no");
  });
  queue.add("a");
  await vi.waitFor(() => expect(lines).toHaveLength(1), deadline);
  queue.addAfter("b", 2 ** 30);
  const before = timers();
  await stop();
  await vi.waitFor(() => expect(timers()).toBeLessThan(before), deadline);
});

test("a key fails because the queue was stopped => no word of a warning, and no count: it is not tried again here", async () => {
  const started = gate();
  const cut = gate();
  const used = running(async () => {
    started.open();
    await cut.opened;
    throw new ClavigerError("ApiServer", "cut off");
  });
  used.queue.add("a");
  await started.opened;
  used.controller.abort();
  cut.open();
  await used.ended;
  expect(used.lines).toEqual(["info a was cut short by the stop and is left to the next start: cut off"]);
  expect(used.queue.failureCount).toBe(0);
});

test("thousands of keys of one namespace wait => another namespace's key comes after one of them", async () => {
  const first = gate();
  const done: string[] = [];
  await using used = running(async (key) => {
    done.push(key);
    if (key === "MasterKey tenant/0") await first.opened;
  });
  for (let i = 0; i < 3_000; i++) used.queue.add(`MasterKey tenant/${i}`);
  await vi.waitFor(() => expect(done).toHaveLength(1), deadline);
  used.queue.add("KeyAlias shop/main");
  used.queue.add("KeyServers");
  first.open();
  await vi.waitFor(() => expect(done).toContain("KeyServers"), deadline);
  expect(done.slice(0, 4)).toEqual([
    "MasterKey tenant/0",
    "MasterKey tenant/1",
    "KeyAlias shop/main",
    "KeyServers",
  ]);
});

test("thousands of keys of one namespace fail => a hundred lines in the log, and another namespace's failure is told", async () => {
  vi.useFakeTimers();
  try {
    await using used = running(async (key) => {
      throw new Error(`no ${key}`);
    });
    for (let i = 0; i < 2_000; i++) used.queue.add(`MasterKey tenant/${i}`);
    await vi.advanceTimersByTimeAsync(60_000);
    used.queue.add("MasterKey shop/main");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(used.lines.join("\n")).toContain("no MasterKey shop/main");
    expect(used.lines.filter((line) => line.includes("tenant/")).length).toBeLessThan(200);
    used.controller.abort();
    await vi.runAllTimersAsync();
  } finally {
    vi.useRealTimers();
  }
});
