import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeApiServer, json } from "../../src/testing/fake-api-server.ts";
import { call } from "./https.ts";

/** An API server's answer while a watch cache is being filled. */
const busy = { kind: "Status", code: 429, message: "storage is (re)initializing" };

describe("a test's own calls", () => {
  let server: FakeApiServer;
  let url: string;
  let ca: string;
  let calls = 0;

  beforeAll(async () => {
    server = await FakeApiServer.start();
    const [{ cluster }] = JSON.parse(readFileSync(server.kubeconfig, "utf8")).clusters;
    url = cluster.server;
    ca = Buffer.from(cluster["certificate-authority-data"], "base64").toString();
  });
  afterAll(() => server.stop());

  /** Answers this many calls with 429, and then all with 200. */
  const busyFor = (times: number, retryAfter?: string) => {
    calls = 0;
    server.answer((one) => {
      calls += 1;
      if (calls > times) return json({ kind: "List" })(one);
      if (retryAfter !== undefined) one.response.setHeader("retry-after", retryAfter);
      json(busy, 429)(one);
    });
  };

  it("429 with Retry-After => the call is made again after that time", async () => {
    busyFor(1, "1");
    const begun = performance.now();
    expect(await call(url, { method: "GET", ca })).toEqual({ status: 200, body: { kind: "List" } });
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(calls).toBe(2);
  });

  it("429 that lasts => is the answer, after ten retries", async () => {
    busyFor(1_000, "0");
    expect(await call(url, { method: "GET", ca })).toEqual({ status: 429, body: busy });
    expect(calls).toBe(11);
  });

  it("429 without Retry-After => is the answer at once", async () => {
    busyFor(1_000);
    expect(await call(url, { method: "GET", ca })).toEqual({ status: 429, body: busy });
    expect(calls).toBe(1);
  });

  it("a Retry-After beyond the deadline => the call rejects at its deadline", async () => {
    busyFor(1_000, "60");
    await expect(call(url, { method: "GET", ca, deadline: 300 })).rejects.toThrow(/abort/i);
  });
});
