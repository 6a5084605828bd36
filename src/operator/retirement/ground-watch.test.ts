import { describe, expect, test } from "vitest";
import type { KeyServer } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { keyServer } from "../../testing/objects.ts";
import { GroundWatch } from "./ground-watch.ts";

type Provider = NonNullable<KeyServerStatus["providers"]>[number];
const provider = (changes: Partial<Provider> = {}): Provider => ({
  ...{ name: "p", socket: "/p", serves: "apps/secrets" },
  ...{ kmsKeyId: "k1", episode: "e1", encrypts: 1, settled: true },
  ...changes,
});
const reports = (...providers: readonly Provider[]): KeyServer[] => [keyServer("one", { providers })];
const MINUTE = 60_000;

describe("since when the ground is as it is", () => {
  test.each<readonly [string, readonly KeyServer[], number]>([
    ["nothing changed => since it was first seen", reports(provider()), 0],
    [
      "the API server asked Status again => the same",
      reports(provider({ lastStatusTime: "2026-01-02T03:04:05Z" })),
      0,
    ],
    ["it settled no more => since then", reports(provider({ settled: false })), MINUTE],
    ["it was restarted, and all else is the same => since then", reports(provider({ encrypts: 2 })), MINUTE],
    [
      "the node came back as it was, in another episode => since then",
      reports(provider({ episode: "e2" })),
      MINUTE,
    ],
    ["it serves another key_id => since then", reports(provider({ kmsKeyId: "k2" })), MINUTE],
    ["another provider came => since then", reports(provider(), provider({ name: "q" })), MINUTE],
    [
      "a provider is not reported any more => its API server may write for four minutes",
      reports(),
      5 * MINUTE,
    ],
    ["a node is not reported any more => the same", [], 5 * MINUTE],
  ])("%s", (_, after, expected) => {
    const watch = new GroundWatch();
    watch.since(reports(provider()), 0);
    expect(watch.since(after, MINUTE)).toBe(expected);
    expect(watch.since(after, 2 * MINUTE)).toBe(expected);
  });

  test("a change while another is waited for => the wait is no shorter", () => {
    const watch = new GroundWatch();
    watch.since(reports(provider()), 0);
    watch.since(reports(), MINUTE);
    expect(watch.since(reports(provider()), 2 * MINUTE)).toBe(5 * MINUTE);
  });

  test("another operator led meanwhile => since now", () => {
    const watch = new GroundWatch();
    watch.since(reports(provider()), 0);
    watch.forget();
    expect(watch.since(reports(provider()), MINUTE)).toBe(MINUTE);
  });
});
