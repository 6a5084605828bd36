import { expect, it } from "vitest";
import { eventually, Hopeless, pauseAfter } from "./wait.ts";

it("eventually returns what the probe gives first besides undefined and false", async () => {
  const answers: (string | undefined | false)[] = [undefined, false, "there"];
  expect(await eventually("it is there", async () => answers.shift(), { every: 1 })).toBe("there");
});

it("eventually outlives errors of the probe", async () => {
  let calls = 0;
  const probe = async () => {
    calls += 1;
    if (calls < 3) throw new Error("not yet");
    return calls;
  };
  expect(await eventually("three calls", probe, { every: 1 })).toBe(3);
});

it("past the deadline, eventually names the condition and the last error", async () => {
  const probe = async () => {
    throw new Error("fetch failed", { cause: new Error("connection refused") });
  };
  await expect(eventually("the server is up", probe, { deadline: 20, every: 1 })).rejects.toThrow(
    "not within 0.02 s: the server is up (fetch failed: connection refused)",
  );
});

it("eventually does not wait for a probe that hangs", async () => {
  const probe = () => new Promise<string>(() => undefined);
  await expect(eventually("an answer", probe, { deadline: 20 })).rejects.toThrow(
    "an answer (the last probe did not answer)",
  );
});

it("a probe that hangs at the end does not hide what the one before it saw", async () => {
  let calls = 0;
  const probe = () => {
    calls += 1;
    return calls === 1 ? Promise.reject(new Error("node-2 is behind")) : new Promise<string>(() => undefined);
  };
  await expect(eventually("an answer", probe, { deadline: 50, every: 1 })).rejects.toThrow(
    "an answer (node-2 is behind)",
  );
});

it.each([
  ["a short probe", 10, 100, 100],
  ["a probe that starts a program", 400, 100, 800],
  ["a probe that was not answered", 60_000, 100, 3_000],
  ["a short probe that is made seldom", 10, 5_000, 5_000],
  ["a long probe that is made seldom", 60_000, 5_000, 5_000],
])("after %s of %i ms, made every %i ms, the next one is made %i ms later", (_, took, every, pause) => {
  expect(pauseAfter(took, every)).toBe(pause);
});

it("eventually stops at once when the probe says that it is hopeless", async () => {
  const probe = async () => {
    throw new Hopeless("the process has ended");
  };
  await expect(eventually("an answer", probe)).rejects.toThrow("the process has ended");
});
