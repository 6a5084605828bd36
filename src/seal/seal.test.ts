import fc from "fast-check";
import { expect, it } from "vitest";
import { parseKeyId, parseVersionId, uuidFromBytes } from "../crypto/ids.ts";
import { KEY_SPECS, KEY_USAGES } from "../crypto/key-specs.ts";
import { type SealBinding, sealAad } from "./seal.ts";

const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(uuidFromBytes);
const bindings: fc.Arbitrary<SealBinding> = fc.record({
  keyId: uuid.map(parseKeyId),
  versionId: uuid.map(parseVersionId),
  number: fc.nat(),
  keySpec: fc.constantFrom(...KEY_SPECS),
  keyUsage: fc.constantFrom(...KEY_USAGES),
});

it("a binding has one AAD, whatever else its object holds and in whatever order", () => {
  fc.assert(
    fc.property(bindings, (binding) => {
      const more = { zone: "a", ...Object.fromEntries(Object.entries(binding).reverse()), ...binding };
      expect(sealAad(more)).toEqual(sealAad(binding));
    }),
  );
});

it("bindings that differ in any one field have different AADs", () => {
  fc.assert(
    fc.property(bindings, bindings, (one, other) => {
      for (const changed of changes(one, other)) {
        expect(sealAad(changed).equals(sealAad(one))).toBe(sameBinding(one, changed));
      }
    }),
  );
});

const changes = (one: SealBinding, other: SealBinding): SealBinding[] => [
  { ...one, keyId: other.keyId },
  { ...one, versionId: other.versionId },
  { ...one, number: other.number },
  { ...one, keySpec: other.keySpec },
  { ...one, keyUsage: other.keyUsage },
];

const sameBinding = (a: SealBinding, b: SealBinding): boolean =>
  a.keyId === b.keyId &&
  a.versionId === b.versionId &&
  a.number === b.number &&
  a.keySpec === b.keySpec &&
  a.keyUsage === b.keyUsage;
