import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeEcdsaSignature, parseEcdsaSignature } from "./ecdsa-signature.ts";
import { type Curve, keyTypes } from "./key-types.ts";

const curves = Object.values(keyTypes).flatMap((type): Curve[] => (type.kind === "ec" ? [type.curve] : []));

test.each(curves)("$name: a signature is read as it was written", (curve) => {
  const number = fc.bigInt({ min: 1n, max: curve.order - 1n });
  fc.assert(
    fc.property(number, number, (r, s) => {
      const der = encodeEcdsaSignature({ r, s }, curve.bytes);
      expect(parseEcdsaSignature(der, curve)).toEqual({ r, s });
    }),
  );
});

test.each(curves)("$name: changed bytes are no signature, or the one encoding of another", (curve) => {
  const der = encodeEcdsaSignature({ r: curve.order - 1n, s: 127n }, curve.bytes);
  const change = fc.record({
    at: fc.nat(der.length - 1),
    value: fc.nat(255),
    cut: fc.nat(4),
    more: fc.nat(2),
  });
  fc.assert(
    fc.property(change, ({ at, value, cut, more }) => {
      const changed = Buffer.concat([der.subarray(0, der.length - cut), Buffer.alloc(more)]);
      if (at < changed.length) changed[at] = value;
      const parsed = parseEcdsaSignature(changed, curve);
      if (parsed !== undefined) expect(encodeEcdsaSignature(parsed, curve.bytes)).toEqual(changed);
    }),
    { numRuns: 500 },
  );
});

test("arbitrary bytes => no signature, and no crash", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), fc.constantFrom(...curves), (bytes, curve) => {
      const parsed = parseEcdsaSignature(bytes, curve);
      if (parsed !== undefined) expect(encodeEcdsaSignature(parsed, curve.bytes)).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 1_000 },
  );
});
