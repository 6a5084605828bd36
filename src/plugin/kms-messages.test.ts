import { join } from "node:path";
import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedMessage } from "../protobuf.ts";
import {
  type Codec,
  decryptRequest,
  decryptResponse,
  encryptRequest,
  encryptResponse,
  statusRequest,
  statusResponse,
} from "./kms-messages.ts";

/**
 * Compares our codecs with protobufjs and proto/kms-v2.proto, which no other code of ours reads, so that
 * wrong field numbers are found.
 */
const PROTO = join(import.meta.dirname, "..", "..", "proto", "kms-v2.proto");
const definitions = loadSync(PROTO, { defaults: true });

/** A message in the form of protobufjs: annotations are an object. */
type Plain = object;

/** How a field is read: unchanged, as a map entry, or not at all. */
type Kind = "leaf" | "entry" | "skipped";

interface Subject {
  readonly name: string;
  /** Our encoder and decoder, from and to the plain form. */
  readonly encode: (plain: Plain) => Buffer;
  readonly decode: (bytes: Buffer) => Plain;
  readonly reference: {
    readonly encode: (plain: Plain) => Buffer;
    readonly decode: (bytes: Buffer) => Plain;
  };
  readonly values: fc.Arbitrary<Plain>;
  /** Fields that our decoder ignores (the annotations of a response). */
  readonly ignored: readonly string[];
  readonly fields: ReadonlyMap<number, Kind>;
}

const text = fc.string({ unit: "binary", maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 300, size: "max" }).map((value) => Buffer.from(value));
/** protobufjs cannot keep __proto__ as a name in its objects. */
const annotationName = text.filter((name) => name !== "__proto__");
const annotations = fc.dictionary(annotationName, bytes, { maxKeys: 4, noNullPrototype: true });

const leaves = (...numbers: number[]) => numbers.map((number): [number, Kind] => [number, "leaf"]);

const subjects: readonly Subject[] = [
  subject("StatusRequest", statusRequest, fc.constant({}), []),
  subject(
    "StatusResponse",
    statusResponse,
    fc.record({ version: text, healthz: text, keyId: text }),
    leaves(1, 2, 3),
  ),
  subject("EncryptRequest", encryptRequest, fc.record({ plaintext: bytes, uid: text }), leaves(1, 2)),
  {
    ...subject("EncryptResponse", encryptResponse, fc.record({ ciphertext: bytes, keyId: text }), [
      ...leaves(1, 2),
      [3, "skipped"],
    ]),
    ignored: ["annotations"],
  },
  {
    ...subject("DecryptRequest", { encode: () => Buffer.alloc(0), decode: () => ({}) }, fc.constant({}), [
      ...leaves(1, 2, 3),
      [4, "entry"],
    ]),
    values: fc.record({ ciphertext: bytes, uid: text, keyId: text, annotations }),
    encode: (plain) => decryptRequest.encode(decryptRequestOf(plain)),
    decode: (message) => {
      const decoded = decryptRequest.decode(message);
      return { ...decoded, annotations: Object.fromEntries(decoded.annotations) };
    },
  },
  subject("DecryptResponse", decryptResponse, fc.record({ plaintext: bytes }), leaves(1)),
];

function subject<T extends object>(
  name: string,
  codec: Codec<T>,
  values: fc.Arbitrary<T>,
  fields: readonly [number, Kind][],
): Subject {
  return {
    name,
    // The values come from `values`, which makes Ts.
    encode: (plain) => codec.encode(plain as T),
    decode: (message) => ({ ...codec.decode(message) }),
    reference: referenceOf(name),
    values: values.map((value) => ({ ...value })),
    ignored: [],
    fields: new Map(fields),
  };
}

function referenceOf(name: string): Subject["reference"] {
  const definition = definitions[`v2.${name}`];
  if (definition?.format !== "Protocol Buffer 3 DescriptorProto") {
    throw new Error(`${name} is not a message of ${PROTO}`);
  }
  const { serialize, deserialize } = definition as MessageTypeDefinition<object, Reference>;
  return {
    encode: (plain) => Buffer.from(serialize(plain)),
    decode: (message) => withBuffers(deserialize(message)),
  };
}

interface Reference {
  readonly annotations?: Readonly<Record<string, Uint8Array>>;
}

/** protobufjs represents a missing value of an entry as an array, and every other value as a Buffer. */
function withBuffers({ annotations, ...rest }: Reference): Plain {
  if (annotations === undefined) return rest;
  const entries = Object.entries(annotations).map(([name, value]) => [name, Buffer.from(value)]);
  return { ...rest, annotations: Object.fromEntries(entries) };
}

function decryptRequestOf(plain: Plain) {
  const {
    ciphertext,
    uid,
    keyId,
    annotations: given,
  } = plain as {
    ciphertext: Buffer;
    uid: string;
    keyId: string;
    annotations: Record<string, Buffer>;
  };
  return { ciphertext, uid, keyId, annotations: new Map(Object.entries(given)) };
}

/** Returns the result that our decoder must return for the result of the reference. */
function ours({ ignored }: Subject, plain: Plain): Plain {
  return Object.fromEntries(Object.entries(plain).filter(([name]) => !ignored.includes(name)));
}

describe.each(subjects)("$name", (message) => {
  it("encoded by us is decoded by protobufjs", () => {
    fc.assert(
      fc.property(message.values, (plain) => {
        const read = message.reference.decode(message.encode(plain));
        expect(ours(message, read)).toEqual(plain);
      }),
    );
  });

  it("encoded by protobufjs is decoded by us", () => {
    const values = fc.tuple(message.values, annotations).map(([plain, more]) => {
      return message.ignored.length > 0 ? { ...plain, annotations: more } : plain;
    });
    fc.assert(
      fc.property(values, (plain) => {
        expect(message.decode(message.reference.encode(plain))).toEqual(ours(message, plain));
      }),
    );
  });

  it("is the same bytes from both, but for empty values, which protobufjs writes when given", () => {
    fc.assert(
      fc.property(message.values, (plain) => {
        fc.pre(isFilled(plain));
        expect(message.encode(plain)).toEqual(message.reference.encode(plain));
      }),
    );
  });

  it("without any bytes has all its defaults", () => {
    const empty = Buffer.alloc(0);
    expect(message.decode(empty)).toEqual(ours(message, message.reference.decode(empty)));
    expect(message.encode(message.decode(empty))).toHaveLength(0);
  });

  it("is decoded past unknown fields of every kind, wherever they stand", () => {
    fc.assert(
      fc.property(message.values, unknownFields, unknownFields, (plain, before, after) => {
        const bytes = Buffer.concat([before, message.encode(plain), after]);
        expect(message.decode(bytes)).toEqual(plain);
        expect(ours(message, message.reference.decode(bytes))).toEqual(plain);
      }),
    );
  });

  it("takes the last of a field that comes twice, as protobuf has it", () => {
    fc.assert(
      fc.property(message.values, message.values, (first, second) => {
        const bytes = Buffer.concat([message.encode(first), message.encode(second)]);
        expect(message.decode(bytes)).toEqual(ours(message, message.reference.decode(bytes)));
      }),
    );
  });

  it("of arbitrary bytes is decoded or malformed, and read as protobufjs reads it", () => {
    fc.assert(
      fc.property(hostile(message), (bytes) => {
        agrees(message, Buffer.from(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  it("cut off anywhere is decoded or malformed, and read as protobufjs reads it", () => {
    fc.assert(
      fc.property(message.values, (plain) => {
        const whole = message.encode(plain);
        for (let length = 0; length < Math.min(whole.length, 100); length++) {
          agrees(message, whole.subarray(0, length));
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("a DecryptRequest's annotations", () => {
  const request = { ciphertext: Buffer.alloc(0), uid: "", keyId: "" };

  it("are counted even when one has neither name nor value: a provider refuses any", () => {
    const encoded = decryptRequest.encode({ ...request, annotations: new Map([["", Buffer.alloc(0)]]) });
    expect(encoded).toEqual(Buffer.from("2200", "hex"));
    expect(decryptRequest.decode(encoded).annotations.size).toBe(1);
  });

  it("keep a name that objects treat in their own way", () => {
    const annotations = new Map([["__proto__", Buffer.from("value")]]);
    expect(decryptRequest.decode(decryptRequest.encode({ ...request, annotations })).annotations).toEqual(
      annotations,
    );
  });

  it("that are no message, or have a name that is not UTF-8, are malformed", () => {
    for (const bytes of ["2201ff", "22030a01ff", "220108", "20 01".replace(" ", "")]) {
      expect(() => decryptRequest.decode(Buffer.from(bytes, "hex"))).toThrow(MalformedMessage);
    }
  });
});

it("an error of a decoder shows none of the bytes", () => {
  const canary = Buffer.from("canary-canary");
  const malformed = [
    Buffer.concat([Buffer.from([0x0a, 100]), canary]),
    Buffer.concat([Buffer.from([0x12, canary.length + 1]), canary, Buffer.from([0xff])]),
    Buffer.concat([Buffer.from([0x22, canary.length]), canary]),
  ];
  for (const bytes of malformed) {
    expect(() => decryptRequest.decode(bytes)).toThrow(/^(?!.*(canary|63616e617279))/);
  }
});

/** Returns true if no value in it is empty, nor a name or value of an annotation. */
function isFilled(value: unknown): boolean {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length > 0;
  return Object.entries(value ?? {}).every(([name, part]) => name !== "" && isFilled(part));
}

/** Well-formed fields that no message of KMS v2 has. */
const unknownFields = fc
  .array(
    fc.record({ number: fc.integer({ min: 5, max: 2 ** 29 - 1 }), type: fc.constantFrom(0, 1, 2, 5), bytes }),
    { maxLength: 4 },
  )
  .map((fields) =>
    Buffer.concat(fields.map(({ number, type, bytes }) => rawField(number, type, bytes.subarray(0, 8)))),
  );

function rawField(number: number, type: number, content: Buffer): Buffer {
  const tag = varint(number * 8 + type);
  if (type === 0) return Buffer.concat([tag, varint(content.length * 12345)]);
  if (type === 2) return Buffer.concat([tag, varint(content.length), content]);
  return Buffer.concat([tag, Buffer.concat([content, Buffer.alloc(8)]).subarray(0, type === 1 ? 8 : 4)]);
}

function varint(value: number): Buffer {
  const digits: number[] = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) digits.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...digits, Number(rest)]);
}

/** Noise, and valid messages with some of their bytes changed, removed or inserted. */
function hostile({ values, reference }: Subject): fc.Arbitrary<Uint8Array> {
  const noise = fc.uint8Array({ maxLength: 80 });
  // Tags of the known fields and short lengths get past the first byte more often than noise.
  const likely = fc
    .array(fc.constantFrom(0, 1, 2, 3, 5, 0x08, 0x0a, 0x0d, 0x12, 0x1a, 0x22, 0x2a, 0x61, 0x80, 0xff), {
      maxLength: 40,
    })
    .map((list) => Uint8Array.from(list));
  const edits = fc.array(
    fc.record({ at: fc.nat(400), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  const edited = fc.tuple(values, edits).map(([plain, list]) => {
    const bytes = [...reference.encode(plain)];
    for (const { at, remove, insert } of list) bytes.splice(at % (bytes.length + 1), remove, ...insert);
    return Uint8Array.from(bytes);
  });
  return fc.oneof(noise, likely, edited);
}

/** Decodes with both. If we accept a message, protobufjs must read it in the same way. */
function agrees(message: Subject, bytes: Buffer): void {
  let decoded: Plain;
  try {
    decoded = message.decode(bytes);
  } catch (error) {
    // No other error may be thrown, because grpc-js sends its text to the caller.
    expect(error).toBeInstanceOf(MalformedMessage);
    return;
  }
  if (!readAlike(bytes, message.fields)) return;
  expect(ours(message, message.reference.decode(bytes))).toEqual(decoded);
}

/**
 * Returns true if the two may be compared. They differ, by intent, in how protobufjs reads
 * - a known field of another wire type (it reads the bytes as if they had the right type;
 *   we skip 32- and 64-bit fields as unknown, as Google's implementations do),
 * - a number of 6 to 9 bytes where it wants 32 bits (it takes ten).
 * - an entry that our decoder skips unread.
 * We refuse groups, text that is not UTF-8, field number 0 and lengths above 32 bits.
 */
function readAlike(bytes: Buffer, known: ReadonlyMap<number, Kind>): boolean {
  let position = 0;
  const number = (): { readonly value: bigint; readonly size: number } => {
    let value = 0n;
    for (let size = 0; ; size++) {
      const byte = bytes.readUInt8(position++);
      value |= BigInt(byte & 0x7f) << BigInt(7 * size);
      if (byte < 0x80) return { value, size: size + 1 };
    }
  };
  while (position < bytes.length) {
    const tag = number();
    const kind = known.get(Number(tag.value >> 3n));
    const type = Number(tag.value & 7n);
    if (tag.size > 5 || kind === "skipped" || (kind !== undefined && type !== 2)) return false;
    if (type === 0) number();
    else if (type === 1) position += 8;
    else if (type === 5) position += 4;
    else {
      const length = number();
      const end = position + Number(length.value);
      if (length.size > 5) return false;
      if (kind === "entry" && !readAlike(bytes.subarray(position, end), ENTRY)) return false;
      position = end;
    }
  }
  return true;
}

const ENTRY = new Map(leaves(1, 2));
