import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { RangeOutcome } from "./etcd-client.ts";
import type { EtcdEntry, RangeRequest } from "./etcd-messages.ts";
import { scan } from "./etcd-scan.ts";

const BYTES = 10_000;

/** Answers as etcd does, and adds up how many keys it had to count. */
class Keys {
  readonly #keys: readonly Buffer[];
  counted = 0;
  calls = 0;

  constructor(keys: readonly Buffer[]) {
    this.#keys = keys.toSorted(Buffer.compare);
  }

  async range({ key, rangeEnd, limit }: RangeRequest): Promise<RangeOutcome> {
    const [from, to] = [this.#place(key), this.#place(rangeEnd)];
    const count = to - from;
    this.calls += 1;
    this.counted += count;
    const entries = this.#keys.slice(from, Math.min(to, from + limit)).map(
      (one): EtcdEntry => ({
        key: one,
        value: Buffer.alloc(0),
        modRevision: 1,
      }),
    );
    return {
      kind: "page",
      bytes: entries.length * BYTES,
      clusterId: 1,
      revision: 1,
      entries,
      more: count > limit,
      count,
    };
  }

  /** Returns the index of the first key that is not before the given key. */
  #place(key: Buffer): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const before = (this.#keys[middle] ?? key).compare(key) < 0;
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const MANY = 50_000;
const many = (name: (n: number) => string): Buffer[] =>
  Array.from({ length: MANY }, (_, n) => Buffer.from(`/registry/secrets/${name(n)}`));
const hash = (n: number): string => createHash("sha256").update(String(n)).digest("hex").slice(0, 36);

describe("a scan visits every key once and in order, and etcd counts few keys more than once", () => {
  test.each<readonly [string, readonly Buffer[]]>([
    ["numbers", many((n) => `default/seed-${n}`)],
    ["numbers of one length", many((n) => `default/${String(n).padStart(12, "0")}`)],
    ["random names", many((n) => `default/${hash(n)}`)],
    ["a few names in each of many namespaces", many((n) => `${hash(n % 5_000)}/token-${n}`)],
    ["one large namespace among many small ones", many((n) => (n % 10 > 0 ? `prod/${n}` : `ns-${n}/a`))],
    ["names that begin alike", many((n) => `apps/sh.helm.release.v1.${hash(n % 9_000)}.v${n}`)],
    ["no key", []],
    ["one key", many((n) => `a/${n}`).slice(0, 1)],
    [
      "bytes that no API server writes",
      [0xff, 0xfe, 0xff].map((byte, n) =>
        Buffer.concat([Buffer.from("/registry/secrets/"), Buffer.alloc(n + 1, byte)]),
      ),
    ],
  ])("%s", async (_, keys) => {
    const outside = ["/registry/secret", "/registry/secrets", "/registry/secrets0"].map((key) =>
      Buffer.from(key),
    );
    const etcd = new Keys([...keys, ...outside]);
    const seen: string[] = [];
    const visit = ({ key }: EtcdEntry) => seen.push(key.toString("latin1"));
    const outcome = await scan(etcd, "/registry/secrets/", {
      revision: 0,
      signal: new AbortController().signal,
      visit,
    });
    expect(outcome).toEqual({ kind: "done", revision: 1 });
    const wanted = keys.toSorted(Buffer.compare).map((key) => key.toString("latin1"));
    expect(seen.length).toBe(wanted.length);
    expect(seen.findIndex((key, index) => key !== wanted[index])).toBe(-1);
    // It would be 120 times as many if each page's range went to the end of all keys.
    expect(etcd.counted).toBeLessThanOrEqual(keys.length * 12);
    expect(etcd.calls).toBeLessThanOrEqual(10 + keys.length / 50);
  });
});

/** Answers as kine does: a range ends with a folder, whichever end is requested. */
class Folders extends Keys {
  override range(request: RangeRequest): Promise<RangeOutcome> {
    const end = Buffer.from(request.rangeEnd);
    end.writeUInt8(end.readUInt8(end.length - 1) - 1, end.length - 1);
    return super.range(end.toString().endsWith("/") ? request : { ...request, rangeEnd: request.key });
  }
}

test("something like etcd gives fewer keys than it says that there are => the scan fails", async () => {
  const etcd = new Folders(many((n) => `default/seed-${n}`));
  const scanned = scan(etcd, "/registry/secrets/", {
    revision: 0,
    signal: new AbortController().signal,
    visit: () => undefined,
  });
  await expect(scanned).rejects.toThrow(/has 50000 keys under \/registry\/secrets\/ and gave \d+ of them/);
});
