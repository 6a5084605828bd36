import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Secret } from "../crypto/secret.ts";
import { grantRow } from "../testing/grants.ts";
import { makeGrantToken, readGrantToken } from "./grant-token.ts";

/** `npm run fuzz` tries more than CI has time for. */
const FUZZ_RUNS = Number(process.env.CLAVIGER_TEST_FUZZ_RUNS ?? 2_000);

const key = { rootKeyId: "ab".repeat(16), key: Secret.take(Buffer.alloc(32, 7)) };
const constraint = { kind: "Subset", context: { tenant: "a" } } as const;
const token = makeGrantToken({ ...grantRow(1, { constraint }), issuedAt: 1 }, key);
const body = Buffer.from(token, "base64").subarray(0, -32);

/** Returns a token with a right MAC over any body. */
const signed = (altered: Uint8Array): string =>
  Buffer.concat([altered, createHmac("sha256", key.key.exposeSecretKey()).update(altered).digest()]).toString(
    "base64",
  );

test("whatever a grant token is => no grant", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String({ maxLength: 9000 })), (text) => {
      expect(readGrantToken(text, key)).toBeUndefined();
    }),
    { numRuns: FUZZ_RUNS },
  );
});

test("whatever a grant token with a right MAC says => a grant that has been written so, or none", () => {
  const edits = fc.array(fc.record({ at: fc.nat(body.length - 1), value: fc.nat(255) }), { maxLength: 6 });
  fc.assert(
    fc.property(edits, fc.nat(body.length), (changes, length) => {
      const altered = Buffer.from(body);
      for (const { at, value } of changes) altered[at] = value;
      const read = readGrantToken(signed(altered.subarray(0, length)), key);
      if (read !== undefined) expect(Object.keys(read)).toContain("granteePrincipal");
    }),
    { numRuns: FUZZ_RUNS },
  );
});
