import { describe, expect, test } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { CallLimiter, pushBackOf, ServerAway } from "./call-limiter.ts";

const signal = new AbortController().signal;
const busy = (retryAfterSeconds?: number) =>
  new KubeError(429, "busy", { causes: [], ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
const limiter = (maxParallelism = 32, patienceMilliseconds = 60_000) =>
  new CallLimiter({ maxParallelism, patienceMilliseconds });

describe("what an error says of the server", () => {
  test.each([
    ["429 with a time", busy(3), { mayPass: true, retryAfterSeconds: 3 }],
    ["503", new KubeError(503, "x"), { mayPass: true }],
    ["504", new KubeError(504, "x"), { mayPass: true }],
    ["500, a webhook's for instance", new KubeError(500, "x"), { mayPass: false }],
    ["no answer", new ClavigerError("ApiServer", "reset"), { mayPass: true }],
    ["403 is an answer", new KubeError(403, "x"), undefined],
    ["404 is an answer", new KubeError(404, "x"), undefined],
    ["a defect of ours", new TypeError("x"), undefined],
  ])("%s", (_, error, expected) => expect(pushBackOf(error)).toEqual(expected));
});

/**
 * Makes `count` calls that all wait for one another. Resolves with how many of them the limiter let run at
 * once.
 */
async function atOnce(limit: CallLimiter, count: number): Promise<number> {
  let running = 0;
  let most = 0;
  const call = async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await Promise.all(Array.from({ length: count }, () => limit.run(call, { signal })));
  return most;
}

test("calls => eight at once at first, more as all goes well, never more than the limit", async () => {
  expect(await atOnce(limiter(), 8)).toBe(8);
  expect(await atOnce(limiter(3), 100)).toBe(3);
  const grown = limiter(20);
  await atOnce(grown, 1_000);
  expect(await atOnce(grown, 1_000)).toBe(20);
});

test("one busy moment for all calls => half as many at once, not ever fewer", async () => {
  const limit = limiter();
  let refusals = 8;
  const call = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    if (refusals-- > 0) throw busy(0);
  };
  await Promise.all(Array.from({ length: 8 }, () => limit.run(call, { signal })));
  expect(await atOnce(limit, 5)).toBeGreaterThanOrEqual(4);
});

test("a busy server => the call is made again until it works", async () => {
  let tries = 0;
  const call = async () => {
    tries += 1;
    if (tries < 5) throw busy(0);
    return "done";
  };
  expect(await limiter().run(call, { signal })).toBe("done");
  expect(tries).toBe(5);
});

test.each([
  ["an answer", new KubeError(403, "no"), 1],
  ["a failure that is not known to pass", new KubeError(500, "webhook"), 3],
] as const)("%s => is thrown", async (_, error, expected) => {
  let tries = 0;
  const call = async () => {
    tries += 1;
    throw error;
  };
  await expect(limiter().run(call, { signal })).rejects.toBe(error);
  expect(tries).toBe(expected);
});

test("forbidden right after the server was away => the call is made again until it works", async () => {
  const answers = [new ClavigerError("ApiServer", "reset"), new KubeError(403, "cannot patch")];
  const call = async () => {
    const answer = answers.shift();
    if (answer !== undefined) throw answer;
    return "done";
  };
  expect(await limiter().run(call, { signal })).toBe("done");
});

test("what the caller deals with => is thrown at once", async () => {
  const error = busy();
  const call = () => Promise.reject(error);
  await expect(limiter().run(call, { signal, isAnswer: () => true })).rejects.toBe(error);
});

test("nothing gets through for longer than the patience => the server is away", async () => {
  const call = () => Promise.reject(new ClavigerError("ApiServer", "reset"));
  await expect(limiter(8, 50).run(call, { signal })).rejects.toBeInstanceOf(ServerAway);
});

test("an abort => ends calls that run, calls that wait, and calls that pause", async () => {
  const stop = new AbortController();
  const limit = limiter(1);
  const pausing = limit.run(() => Promise.reject(busy(60)), { signal: stop.signal });
  const waiting = limit.run(async () => "never", { signal: stop.signal });
  setImmediate(() => stop.abort());
  await expect(pausing).rejects.toThrow(/abort/);
  await expect(waiting).rejects.toThrow(/abort/);
});
