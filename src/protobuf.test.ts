import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  asBytes,
  asText,
  bytesField,
  encodeFields,
  MalformedMessage,
  readFields,
  stringField,
  varintField,
} from "./protobuf.ts";

const MAX_FIELD = 2 ** 29 - 1;
const fieldNumbers = fc.integer({ min: 1, max: MAX_FIELD });

interface Field {
  readonly field: number;
  readonly value: Buffer | number;
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  readFields(bytes, (field, value) => fields.push({ field, value }));
  return fields;
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("readFields", () => {
  it("visits each field in order, the repeated ones too", () => {
    expect(fieldsOf(hex("0a0161 1005 0a00 1a026263"))).toEqual([
      { field: 1, value: Buffer.from("a") },
      { field: 2, value: 5 },
      { field: 1, value: Buffer.alloc(0) },
      { field: 3, value: Buffer.from("bc") },
    ]);
  });

  it("reads back what the writers of this file write", () => {
    const field = fc.oneof(
      fc.record({ field: fieldNumbers, value: fc.uint8Array({ minLength: 1, maxLength: 300, size: "max" }) }),
      fc.record({ field: fieldNumbers, value: fc.maxSafeNat().map((value) => value + 1) }),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
        const bytes = Buffer.concat(
          fields.flatMap(({ field, value }) =>
            typeof value === "number" ? varintField(field, value) : bytesField(field, value),
          ),
        );
        const expected = fields.map(({ field, value }) => ({
          field,
          value: typeof value === "number" ? value : Buffer.from(value),
        }));
        expect(fieldsOf(bytes)).toEqual(expected);
      }),
    );
  });

  it("reads back texts and bytes that were written into one buffer, without those that are empty", () => {
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 300, size: "max" }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 15 }), (values) => {
        const expected = values
          .map((content, index) => ({ field: index + 1, value: Buffer.from(content) }))
          .filter((field) => field.value.length > 0);
        expect(fieldsOf(encodeFields(...values))).toEqual(expected);
      }),
    );
  });

  it("skips 32- and 64-bit fields", () => {
    expect(fieldsOf(hex("0d01020304 090102030405060708 1001"))).toEqual([{ field: 2, value: 1 }]);
  });

  it("gives views of the message, not copies", () => {
    const bytes = hex("0a0161");
    expect(asBytes(fieldsOf(bytes)[0]?.value ?? 0).buffer).toBe(bytes.buffer);
  });

  it.each([
    ["a tag without its end", "8a"],
    ["a field without a value", "0a"],
    ["a length past the end", "0a0261"],
    ["a length past every end", "0affffffffffffffffff0161"],
    ["a length without its end", "0a80"],
    ["a number without its end", "1080"],
    ["a number of eleven bytes", "10 ffffffffffffffffffff 01"],
    ["a 32-bit field cut short", "0d010203"],
    ["a 64-bit field cut short", "0901020304050607"],
    ["field number 0", "0201ff"],
    ["a field number past 2^29 - 1, which would be another one where 32 bits are read", "8a80808010 00"],
    ["a tag of ten bytes", "8affffffffffffffff01 00"],
    ["the start of a group", "0b0c"],
    ["the end of a group", "0c"],
    ["wire type 6", "0e00"],
    ["wire type 7", "0f00"],
  ])("refuses %s as malformed", (_, bytes) => {
    expect(() => fieldsOf(hex(bytes))).toThrow(MalformedMessage);
  });

  it("takes the last field number there is", () => {
    expect(fieldsOf(Buffer.concat(varintField(MAX_FIELD, 1)))).toEqual([{ field: MAX_FIELD, value: 1 }]);
  });

  it("takes numbers that are longer than they need to be", () => {
    expect(fieldsOf(hex("8a808000 8100 61"))).toEqual([{ field: 1, value: Buffer.from("a") }]);
  });

  it("reads any bytes, or refuses them as malformed and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          for (const { field } of fieldsOf(Buffer.from(bytes))) expect(field).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe("the writers", () => {
  it("write nothing for an empty value or 0, as proto3 has it", () => {
    expect(bytesField(1, new Uint8Array())).toEqual([]);
    expect(stringField(1, "")).toEqual([]);
    expect(varintField(1, 0)).toEqual([]);
  });

  it.each([
    [1, 127, "087f"],
    [1, 128, "088001"],
    [15, 300, "78ac02"],
    [16, 1, "800101"],
    [1, 2 ** 32, "088080808010"],
    [1, Number.MAX_SAFE_INTEGER, "08ffffffffffffff0f"],
  ])("write field %i with the number %i as the standard has it", (field, value, bytes) => {
    expect(Buffer.concat(varintField(field, value)).toString("hex")).toBe(bytes);
  });
});

describe("asText", () => {
  it("gives any text back as it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(asText(Buffer.from(text, "utf8"))).toBe(text);
      }),
    );
  });

  it("keeps a byte order mark: two texts never become one", () => {
    expect(asText(Buffer.from("\ufeffuid", "utf8"))).toBe("\ufeffuid");
  });

  it.each(["ff", "c080", "eda080", "f4908080", "61c3", "e282"])("refuses %s, which is not UTF-8", (bytes) => {
    expect(() => asText(hex(bytes))).toThrow(new MalformedMessage("a text is not UTF-8"));
  });

  it("refuses a number for what it is, as asBytes does", () => {
    expect(() => asText(5)).toThrow(new MalformedMessage("a field has the wrong type"));
    expect(() => asBytes(5)).toThrow(new MalformedMessage("a field has the wrong type"));
  });
});
