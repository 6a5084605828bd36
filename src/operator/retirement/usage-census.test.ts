import { describe, expect, it } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { StoredObjects } from "./usage.ts";
import { UsageCensus, uncounted } from "./usage-census.ts";

/** A census with counts and a clock that the test controls. */
function censusOf() {
  const asked: PromiseWithResolvers<StoredObjects | undefined>[] = [];
  let now = 0;
  let changes = 0;
  const census = new UsageCensus({
    take: () => {
      const answer = Promise.withResolvers<StoredObjects | undefined>();
      asked.push(answer);
      return answer.promise;
    },
    onChange: () => {
      changes += 1;
    },
    now: () => now,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    census,
    asked: () => asked.length,
    changes: () => changes,
    at(milliseconds: number) {
      now = milliseconds;
    },
    async answer(stored: StoredObjects | undefined) {
      asked.at(-1)?.resolve(stored);
      await settle();
    },
    async answerFirst(stored: StoredObjects) {
      asked[0]?.resolve(stored);
      await settle();
    },
    async fail(error: string | Error) {
      asked.at(-1)?.reject(typeof error === "string" ? new Error(error) : error);
      await settle();
    },
  };
}

describe("a count of what is stored under each key_id", () => {
  it("is impossible without etcd, and asked for again later", async () => {
    const { census, asked, answer, fail, at } = censusOf();
    census.begin(0);
    expect(census.countSince(0).kind).toBe("pending");
    await answer(undefined);
    expect(census.countSince(0)).toEqual({ kind: "impossible" });
    expect(uncounted(census.countSince(0))?.message).toMatch(/has no etcd in which to count/);
    census.begin(0);
    expect(asked()).toBe(1);
    at(30 * 86_400_000);
    expect(census.countSince(0)).toEqual({ kind: "impossible", askedAnew: true });
    census.begin(0);
    expect(asked()).toBe(2);
    await fail("no etcd endpoint answers");
    expect(uncounted(census.countSince(0))?.message).toMatch(/cannot be counted: no etcd endpoint answers/);
  });

  it("begins once, holds the decision back meanwhile, and tells when it is there", async () => {
    const { census, asked, changes, answer } = censusOf();
    expect(census.countSince(0).kind).toBe("pending");
    census.begin(0);
    census.begin(0);
    expect(asked()).toBe(1);
    expect(uncounted(census.countSince(0))?.message).toBe(
      "what is stored under the key is being counted in etcd",
    );
    await answer(() => 7);
    expect(changes()).toBe(1);
    const count = census.countSince(0);
    expect(count.kind === "counted" && count.stored("any")).toBe(7);
    expect(uncounted(count)).toBeUndefined();
  });

  it.each([
    { took: 1_000, good: 15_000 },
    { took: 60_000, good: 600_000 },
  ])("that took $took ms is good until $good ms after it began", async ({ took, good }) => {
    const { census, asked, at, answer } = censusOf();
    census.begin(0);
    at(took);
    await answer(() => 0);
    at(good - 1);
    expect(census.countSince(0).kind).toBe("counted");
    census.begin(0);
    expect(asked()).toBe(1);
    at(good);
    expect(census.countSince(0).kind).toBe("pending");
    census.begin(0);
    expect(asked()).toBe(2);
  });

  it("that failed says why, and is tried again ten seconds later", async () => {
    const { census, asked, at, fail, answer, changes } = censusOf();
    census.begin(0);
    await fail("etcd is down");
    expect(changes()).toBe(1);
    expect(uncounted(census.countSince(0))).toEqual({
      reason: "NotCounted",
      message: "what is stored under the key cannot be counted: etcd is down; tried again",
    });
    at(9_999);
    census.begin(0);
    expect(asked()).toBe(1);
    at(10_000);
    census.begin(0);
    expect(asked()).toBe(2);
    await answer(() => 0);
    expect(census.countSince(0).kind).toBe("counted");
  });

  it("that failed of an API server that asks to be left alone is not tried again before", async () => {
    const { census, asked, fail, at } = censusOf();
    census.begin(0);
    const cause = new KubeError(429, "too many requests", { causes: [], retryAfterSeconds: 30 });
    await fail(new ClavigerError("Etcd", "cannot check that secrets are stored in this etcd", { cause }));
    at(29_999);
    census.begin(0);
    expect(asked()).toBe(1);
    at(30_000);
    census.begin(0);
    expect(asked()).toBe(2);
  });

  it("that began before the ground changed is of no use, and another one begins at once", async () => {
    const { census, asked, at, answer } = censusOf();
    census.begin(0);
    at(400_000);
    await answer(() => 0);
    expect(census.countSince(0).kind).toBe("counted");
    expect(census.countSince(1).kind).toBe("pending");
    census.begin(1);
    expect(asked()).toBe(2);
    await answer(() => 3);
    const count = census.countSince(1);
    expect(count.kind === "counted" && count.stored("any")).toBe(3);
  });

  it("that runs when the ground changes is stopped, and what it comes to does not count", async () => {
    const { census, asked, changes, at, answer, answerFirst } = censusOf();
    census.begin(0);
    at(1_000);
    census.begin(1_000);
    expect(asked()).toBe(2);
    await answerFirst(() => 0);
    expect(changes()).toBe(0);
    expect(census.countSince(0).kind).toBe("pending");
    await answer(() => 5);
    expect(census.countSince(1_000).kind).toBe("counted");
  });

  it("waits for a time to come before which it would prove nothing", async () => {
    const { census, asked, at } = censusOf();
    census.begin(240_000);
    expect(asked()).toBe(0);
    at(240_000);
    census.begin(240_000);
    expect(asked()).toBe(1);
  });

  it("is forgotten when this operator begins to lead anew: etcd may have been restored", async () => {
    const { census, answer } = censusOf();
    census.begin(0);
    await answer(() => 0);
    census.forget();
    expect(census.countSince(0).kind).toBe("pending");
  });

  it("that is stopped tells nobody", async () => {
    const { census, changes, fail } = censusOf();
    census.begin(0);
    census.close();
    await fail("aborted");
    expect(changes()).toBe(0);
  });
});
