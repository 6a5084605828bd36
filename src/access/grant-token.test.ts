import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Secret } from "../crypto/secret.ts";
import { GRANT_OPERATIONS } from "../keyring/grant-row.ts";
import { fileSeal } from "../seal/file.ts";
import { keyId } from "../testing/objects.ts";
import type { TokenGrant } from "./decide-access.ts";
import { makeGrantToken, readGrantToken, type TokenKey } from "./grant-token.ts";

const keyOf = (byte: number): TokenKey => {
  const seal = fileSeal(Secret.take(Buffer.alloc(32, byte)));
  return { rootKeyId: seal.rootKeyId, key: seal.derive("grant-token") };
};
const key = keyOf(1);
const grant: TokenGrant = {
  ...{ grantId: "ab".repeat(32), keyId: keyId(1), issuedAt: 1_767_323_045_678, expiresAt: 4_000_000_000_000 },
  ...{ operations: ["Decrypt", "GenerateDataKey", "Decapsulate"] },
  ...{ granteePrincipal: "arn:aws:iam::000000000000:role/shop/app" },
  ...{ retiringPrincipal: "arn:aws:iam::000000000000:user/alice" },
  constraint: { kind: "Subset", context: { tenant: "a", Ü: "😀" } },
};
const token = makeGrantToken(grant, key);

describe("a grant token", () => {
  test("says what the grant says, on every replica with the root key", () => {
    expect(readGrantToken(token, keyOf(1))).toEqual(grant);
  });
  test("of any grant comes back as it went", () => {
    const word = fc.string({ unit: "grapheme", maxLength: 40 });
    const grants = fc.record(
      {
        grantId: fc.constant(grant.grantId),
        keyId: fc.integer({ min: 0, max: 999 }).map(keyId),
        issuedAt: fc.nat(),
        granteePrincipal: fc.stringMatching(/^[a-zA-Z0-9:/_-]{1,256}$/),
        operations: fc.subarray([...GRANT_OPERATIONS]),
        expiresAt: fc.integer({ min: 1 }),
        retiringPrincipal: fc.stringMatching(/^[a-zA-Z0-9:/_-]{1,256}$/),
        constraint: fc.record({
          kind: fc.constantFrom("Equals" as const, "Subset" as const),
          context: fc.dictionary(word, word, { maxKeys: 8, noNullPrototype: true }),
        }),
      },
      { requiredKeys: ["grantId", "keyId", "issuedAt", "granteePrincipal", "operations"] },
    );
    fc.assert(
      fc.property(grants, (one) => {
        expect(readGrantToken(makeGrantToken(one, key), key)).toEqual(one);
      }),
      { numRuns: 200 },
    );
  });
  test("with any single bit flipped is refused", () => {
    const bytes = Buffer.from(token, "base64");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(readGrantToken(altered.toString("base64"), key)).toBeUndefined();
    }
  });
  test("of another root key is refused, also if it names ours", () => {
    expect(readGrantToken(token, keyOf(2))).toBeUndefined();
    expect(readGrantToken(token, { ...keyOf(2), rootKeyId: key.rootKeyId })).toBeUndefined();
  });
  test.each([
    ["cut", token.slice(0, -4)],
    ["empty", ""],
    ["lengthened", `${token}AAAA`],
    ["with a space", ` ${token}`],
    ["with a line break", `${token}\n`],
    ["without its padding", token.replace(/=+$/, "")],
    ["in the other alphabet", Buffer.from(token, "base64").toString("base64url")],
    ["too long", "A".repeat(8196)],
  ])("%s is refused", (_, text) => {
    expect(text).not.toBe(token);
    expect(readGrantToken(text, key)).toBeUndefined();
  });
  test("is at most 8192 characters: a longer constraint has none", () => {
    const long = (length: number) => ({
      ...grant,
      constraint: { kind: "Equals" as const, context: { a: "x".repeat(length) } },
    });
    expect(makeGrantToken(long(5_900), key).length).toBeLessThanOrEqual(8192);
    expect(() => makeGrantToken(long(6_100), key)).toThrow(/too long for a grant token/);
    expect(() => makeGrantToken({ ...grant, granteePrincipal: "a".repeat(257) }, key)).toThrow(/too long/);
  });
});

describe("the parser", () => {
  /** Returns a token with a right MAC over any body. */
  const signed = (body: Uint8Array): string =>
    Buffer.concat([body, createHmac("sha256", key.key.exposeSecretKey()).update(body).digest()]).toString(
      "base64",
    );
  const body = Buffer.from(token, "base64").subarray(0, -32);
  test.each([
    ["an operation that there is not", 50, 0xff],
    ["a constraint that there is not", 54, 3],
    ["a grantee beyond its end", 87, 0xff],
    ["a context that is not canonical", 91 + 39 + 36, 0xff],
  ])("refuses %s", (_, at, value) => {
    const altered = Buffer.from(body);
    altered[at] = value;
    expect(readGrantToken(signed(altered), key)).toBeUndefined();
  });
});
