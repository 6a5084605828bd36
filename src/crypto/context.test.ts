import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalContext, type EncryptionContext, MAX_CONTEXT_BYTES } from "./context.ts";

const text = fc.string({ unit: "binary", maxLength: 12 });
/** Short names of few letters, so that names are often equal or begin with one another. */
const tight = fc.string({ unit: fc.constantFrom("a", "b", "\u0000", "\uff5e", "\u{1f600}"), maxLength: 3 });
const pairs = fc.uniqueArray(fc.tuple(fc.oneof(text, tight), fc.oneof(text, tight)), {
  selector: ([name]) => name,
  maxLength: 8,
});
const contextFrom = (list: readonly (readonly [string, string])[]): EncryptionContext =>
  Object.fromEntries(list);

describe("canonicalContext", () => {
  it("does not depend on the order of the pairs", () => {
    const shuffled = pairs.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(canonicalContext(contextFrom(other))).toEqual(canonicalContext(contextFrom(list)));
      }),
    );
  });

  it("is injective: whoever knows the layout reads the same pairs back", () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const read = readPairs(canonicalContext(contextFrom(list)));
        expect(new Map(read)).toEqual(new Map(list));
        expect(read).toHaveLength(list.length);
      }),
    );
  });

  it("gives two contexts the same bytes only if they are the same", () => {
    const few = fc.uniqueArray(fc.tuple(tight, tight), { selector: ([name]) => name, maxLength: 3 });
    fc.assert(
      fc.property(few, few, (a, b) => {
        const same = canonicalContext(contextFrom(a)).equals(canonicalContext(contextFrom(b)));
        expect(same).toBe(sameMap(new Map(a), new Map(b)));
      }),
      { numRuns: 1000 },
    );
  });

  it("sorts by UTF-8: a private plane comes after U+FF5E, where UTF-16 has it before", () => {
    const names = readPairs(canonicalContext({ "\u{1f600}": "1", "\uff5e": "2", z: "3" })).map(
      ([name]) => name,
    );
    expect(names).toEqual(["z", "\uff5e", "\u{1f600}"]);
  });

  it("takes names that JavaScript objects treat in their own way", () => {
    const context: EncryptionContext = JSON.parse('{"10":"a","9":"b","__proto__":"c","constructor":"d"}');
    expect(readPairs(canonicalContext(context)).map(([name]) => name)).toEqual([
      "10",
      "9",
      "__proto__",
      "constructor",
    ]);
  });

  it.each([{ "\ud83d": "value" }, { "\ude00": "value" }, { name: "a\ud83d" }, { name: "\ude00\ud83d" }])(
    "refuses text without a UTF-8 form: %j",
    (context) => {
      expect(() => canonicalContext(context)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    },
  );

  it("takes 8192 bytes and not one more, lengths included", () => {
    const value = "x".repeat(MAX_CONTEXT_BYTES - 9);
    expect(canonicalContext({ a: value })).toHaveLength(MAX_CONTEXT_BYTES);
    expect(() => canonicalContext({ a: `${value}x` })).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
    expect(() => canonicalContext({ a: value, b: "" })).toThrow("exceeds 8192 bytes");
  });

  it("echoes no name and no value in its errors", () => {
    const canary = "canary".repeat(2000);
    for (const context of [{ a: canary }, { [canary]: "" }, { "canary\ud83d": "canary" }]) {
      expect(() => canonicalContext(context)).toThrow(/^(?!.*canary)/);
    }
  });
});

function readPairs(bytes: Buffer): [string, string][] {
  const read: [string, string][] = [];
  let position = 0;
  const next = (): string => {
    const length = bytes.readUInt32BE(position);
    const part = bytes.toString("utf8", position + 4, position + 4 + length);
    position += 4 + length;
    return part;
  };
  while (position < bytes.length) read.push([next(), next()]);
  return read;
}

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
