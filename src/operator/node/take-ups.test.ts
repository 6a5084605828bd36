import { describe, expect, test } from "vitest";
import type { KmsKeyId } from "../../crypto/ids.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { Heard } from "./decide-api-server.ts";
import { TakeUps } from "./take-ups.ts";

const SETTLE = 240_000;
const START = Date.parse("2026-01-02T03:00:00.250Z");
const KEY_ID = "0123456789abcdef0123456789abcdef" as KmsKeyId;

const heard = (configHash: string, changes: { startTime?: number; reloads?: number } = {}): Heard => ({
  kind: "word",
  word: { startTime: START, reloads: 0, hasFile: true, configHash, ...changes },
  at: 0,
});
const row = (changes: Partial<ObservationRow> = {}): ObservationRow => ({
  provider: "secrets",
  kmsKeyId: KEY_ID,
  servingSince: 1,
  encrypts: 1,
  settled: true,
  episodeSettled: true,
  episode: "one",
  ...changes,
});

/** A node's reports, one after another; the API server uses file "a" and then "b". */
class Node {
  readonly #takeUps = new TakeUps(SETTLE);
  uptime = 1_000_000;
  heard: Heard = heard("a");
  isTrying = false;
  before: KeyServerStatus | undefined;

  report(changes: Partial<ObservationRow> = {}) {
    const [found] = this.#takeUps.reported([row(changes)], this, this.uptime);
    return { encrypts: found?.encrypts, settled: found?.settled };
  }
  after(milliseconds: number): this {
    this.uptime += milliseconds;
    return this;
  }
}

describe("the Encrypts of an API server", () => {
  test("that does not say by what it goes => as the plugin counts them", () => {
    const node = new Node();
    node.heard = { kind: "unknown", why: "it is away" };
    node.isTrying = true;
    expect(node.report({ encrypts: 5, settled: false })).toEqual({ encrypts: 5, settled: false });
    expect(node.report({ encrypts: 6, settled: true })).toEqual({ encrypts: 6, settled: true });
  });
  test("that is started or reloads => each counts, and four minutes begin anew", () => {
    const node = new Node();
    node.report();
    expect(node.after(SETTLE).report()).toEqual({ encrypts: 1, settled: true });
    node.heard = heard("b", { reloads: 1 });
    expect(node.report({ encrypts: 2 })).toEqual({ encrypts: 2, settled: false });
    expect(node.after(SETTLE - 1).report({ encrypts: 2 })).toEqual({ encrypts: 2, settled: false });
    expect(node.after(1).report({ encrypts: 2 })).toEqual({ encrypts: 2, settled: true });
    node.heard = heard("b", { startTime: START + 60_000 });
    expect(node.report({ encrypts: 3, settled: false })).toEqual({ encrypts: 3, settled: false });
  });
  test("that is started, and has not said so yet => the plugin's count is enough to be unsettled", () => {
    const node = new Node();
    node.report();
    expect(node.after(SETTLE).report({ encrypts: 2, settled: false })).toEqual({
      encrypts: 2,
      settled: false,
    });
  });
  test("that tries another file on the disk => what it does for that counts for nothing", () => {
    const node = new Node();
    node.report();
    node.after(SETTLE).report();
    node.isTrying = true;
    for (let encrypts = 2; encrypts < 8; encrypts++) {
      expect(node.after(60_000).report({ encrypts, settled: false })).toEqual({ encrypts: 1, settled: true });
    }
    node.isTrying = false;
    expect(node.report({ encrypts: 8, settled: false })).toEqual({ encrypts: 2, settled: false });
    expect(node.report({ encrypts: 8, settled: true })).toEqual({ encrypts: 2, settled: true });
  });
  test("that takes up the file after some tries => all count, and four minutes begin anew", () => {
    const node = new Node();
    node.report();
    node.after(SETTLE).isTrying = true;
    node.report({ encrypts: 4, settled: false });
    node.heard = heard("b", { reloads: 1 });
    node.isTrying = false;
    expect(node.report({ encrypts: 6, settled: false })).toEqual({ encrypts: 6, settled: false });
    expect(node.after(SETTLE).report({ encrypts: 6 })).toEqual({ encrypts: 6, settled: true });
  });
  test("that switches to another key_id while it tries a file => no Encrypt proves it, four minutes do", () => {
    const node = new Node();
    node.report();
    node.after(SETTLE).isTrying = true;
    node.report();
    const next = { episode: "two", settled: false, episodeSettled: false };
    expect(node.report({ ...next, encrypts: 3 })).toEqual({ encrypts: 0, settled: false });
    expect(node.report({ ...next, encrypts: 5, episodeSettled: true })).toEqual({
      encrypts: 0,
      settled: true,
    });
  });
  test("that switches to another key_id and tries nothing => each counts", () => {
    const node = new Node();
    node.report();
    expect(node.report({ episode: "two", encrypts: 0, settled: false }).encrypts).toBe(0);
    expect(node.report({ episode: "two", encrypts: 1, settled: false }).encrypts).toBe(1);
  });
  test("of an older plugin, which does not say how long its episode is => its own word", () => {
    const node = new Node();
    node.report();
    node.after(SETTLE).isTrying = true;
    const { episodeSettled: _, ...old } = row({ settled: false });
    expect(new TakeUps(0).reported([old], node, node.uptime)[0]).toMatchObject({ settled: false });
  });
});

describe("an operator that is started again", () => {
  const reported = (changes: object = {}): KeyServerStatus => ({
    apiServer: { startTime: "2026-01-02T03:00:00Z", configHash: "a", encryptionConfig: "Loaded" },
    providers: [
      {
        ...{ name: "secrets", socket: "/s", serves: "apps/secrets" },
        ...{ episode: "one", encrypts: 1, settled: true },
        ...changes,
      },
    ],
  });
  test.each<readonly [string, KeyServerStatus | undefined, boolean]>([
    ["nothing has happened since => settled as before", reported(), true],
    ["nothing was reported => four minutes", undefined, false],
    ["it was not settled => four minutes", reported({ settled: false }), false],
    ["another episode => four minutes", reported({ episode: "zero" }), false],
    ["an Encrypt since => four minutes", reported({ encrypts: 0 }), false],
    [
      "another process => four minutes",
      { ...reported(), apiServer: { startTime: "2026-01-02T03:00:01Z", configHash: "a" } },
      false,
    ],
    [
      "another file => four minutes",
      { ...reported(), apiServer: { startTime: "2026-01-02T03:00:00Z", configHash: "b" } },
      false,
    ],
  ])("%s", (_, before, settled) => {
    const node = new Node();
    node.before = before;
    expect(node.report()).toEqual({ encrypts: 1, settled });
    expect(node.after(SETTLE).report()).toEqual({ encrypts: 1, settled: true });
  });
  test("while a file is tried => the tries before it count for nothing still", () => {
    const node = new Node();
    node.before = reported();
    node.isTrying = true;
    expect(node.report({ encrypts: 9, settled: false }).encrypts).toBe(1);
  });
});
