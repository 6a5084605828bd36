import { expect, test } from "vitest";
import { apiServerId, apiServerIdHash } from "../../kube/api-server-id.ts";
import type { ApiServerWord } from "../../kube/api-server-metrics.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { ApiServerWatch } from "./api-server-watch.ts";

const word = (changes: Partial<ApiServerWord> = {}): ApiServerWord => ({
  startTime: 1_000,
  idHash: apiServerIdHash(apiServerId("node-1")),
  configHash: `sha256:${"a".repeat(64)}`,
  reloads: 0,
  hasFile: true,
  ...changes,
});

/** A watch that is ticked once a second; `answers` are by the second. */
class Watched {
  readonly asked: number[] = [];
  answer: ApiServerWord | Error = word();
  isAwaited = false;
  second = 0;
  readonly watch = new ApiServerWatch({
    ask: async () => {
      this.asked.push(this.second);
      if (this.answer instanceof Error) throw this.answer;
      return this.answer;
    },
    machine: { hostnames: ["node-1"], isOwnAddress: () => true },
    uptime: () => this.second * 1_000,
  });

  async pass(seconds: number): Promise<number> {
    let news = 0;
    for (const end = this.second + seconds; this.second < end; this.second++)
      if (await this.watch.tick(this.isAwaited, new AbortController().signal)) news++;
    return news;
  }
}

test("it is asked four times a minute, which is news once", async () => {
  const watched = new Watched();
  expect(await watched.pass(60)).toBe(1);
  expect(watched.asked).toEqual([0, 15, 30, 45]);
  expect(watched.watch.heard).toMatchObject({ kind: "word", id: apiServerId("node-1") });
});

test("another answer is awaited, or something happened => it is asked sooner", async () => {
  const watched = new Watched();
  await watched.pass(1);
  watched.isAwaited = true;
  await watched.pass(10);
  expect(watched.asked).toEqual([0, 5, 10]);
  watched.isAwaited = false;
  watched.watch.hurry();
  await watched.pass(1);
  expect(watched.asked.at(-1)).toBe(11);
});

test("it is restarted => its last word stands meanwhile, and it is asked again soon", async () => {
  const watched = new Watched();
  await watched.pass(1);
  watched.answer = new Error("ECONNREFUSED");
  expect(await watched.pass(30)).toBe(0);
  expect(watched.watch.heard.kind).toBe("word");
  expect(watched.asked.slice(1, 4)).toEqual([15, 17, 19]);
  watched.answer = word({ startTime: 31_000 });
  expect(await watched.pass(3)).toBe(1);
});

test("nothing is heard of it for five minutes => nobody knows, and why", async () => {
  const watched = new Watched();
  await watched.pass(1);
  watched.answer = new Error("ECONNREFUSED");
  await watched.pass(301);
  expect(watched.watch.heard).toEqual({ kind: "unknown", why: expect.stringContaining("ECONNREFUSED") });
});

test("a load balancer answers by another API server => nobody knows, and what to do", async () => {
  const watched = new Watched();
  watched.answer = word({ idHash: apiServerIdHash(apiServerId("node-2")) });
  await watched.pass(20);
  expect(watched.watch.heard).toMatchObject({
    kind: "unknown",
    why: expect.stringContaining("not a load balancer"),
  });
});

test("claviger may not read the metrics => it says which file to apply, and the operator does not wait", async () => {
  const watched = new Watched();
  watched.answer = new KubeError(403, "forbidden");
  await watched.pass(20);
  expect(watched.watch.heard).toMatchObject({
    kind: "unknown",
    why: expect.stringContaining("deploy/rbac.yaml"),
  });
  await watched.watch.first;
});

test("it asks to be left alone => it is not asked before, whatever is awaited or happens", async () => {
  const watched = new Watched();
  watched.isAwaited = true;
  watched.answer = new KubeError(429, "too many requests", { causes: [], retryAfterSeconds: 20 });
  await watched.pass(3);
  watched.watch.hurry();
  await watched.pass(20);
  expect(watched.asked).toEqual([0, 20]);
});
