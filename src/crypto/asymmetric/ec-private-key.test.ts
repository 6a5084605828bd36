import { createPublicKey, type KeyObject } from "node:crypto";
import { expect, test } from "vitest";
import { ecPrivateKey } from "./ec-private-key.ts";
import { type Curve, keyTypes } from "./key-types.ts";

const curves = Object.values(keyTypes).flatMap((type): Curve[] => (type.kind === "ec" ? [type.curve] : []));
const pointOf = (key: KeyObject) => {
  const { x, y } = createPublicKey(key).export({ format: "jwk" });
  return { x, y };
};

test.each(curves)(
  "the order of $name: one less than it times the base point is the base point's negative",
  (curve) => {
    const base = pointOf(ecPrivateKey(curve, 1n));
    const negative = pointOf(ecPrivateKey(curve, curve.order - 1n));
    expect(negative.x).toBe(base.x);
    expect(negative.y).not.toBe(base.y);
  },
);

test.each(curves)("$name: a scalar with leading zeros has the same length as any other", (curve) => {
  const length = (scalar: bigint) => ecPrivateKey(curve, scalar).export({ format: "jwk" }).d?.length;
  expect(length(5n)).toBe(length(curve.order - 5n));
});
