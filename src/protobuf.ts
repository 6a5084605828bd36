import { isUtf8 } from "node:buffer";

/**
 * The few parts of Protocol Buffers' wire format that our messages (KMS v2, gRPC health, etcd) need:
 * length-delimited fields and varints.
 *
 * Loading a general protobuf library costs this process 35 ms of its start and 12 MB of its memory
 * (docs/dependencies.md); a test compares this code with such a library. Source:
 * protobuf.dev/programming-guides/encoding.
 */
const WIRE_VARINT = 0;
const WIRE_64_BIT = 1;
const WIRE_BYTES = 2;
const WIRE_32_BIT = 5;
/** Other implementations refuse a higher number, or read it as the field of its lower 32 bits. */
const MAX_FIELD = 2 ** 29 - 1;
/** A varint has at most ten bytes. */
const MAX_VARINT_BYTES = 10;

/** The bytes are not a message. grpc-js answers INTERNAL with this text, which names no content. */
export class MalformedMessage extends Error {}

/** Receives a field: bytes for a length-delimited field, a number for a varint. */
export type FieldVisitor = (field: number, value: Buffer | number) => void;

/** Calls `visit` for each field in order. 32- and 64-bit fields, which none of our messages has, are skipped. */
export function readFields(bytes: Buffer, visit: FieldVisitor): void {
  let position = 0;
  while (position < bytes.length) {
    const tag = readVarint(bytes, position);
    position = tag.end;
    const field = Math.floor(tag.value / 8);
    if (field === 0 || field > MAX_FIELD) throw new MalformedMessage("a field number that there is not");
    switch (tag.value % 8) {
      case WIRE_VARINT: {
        const varint = readVarint(bytes, position);
        position = varint.end;
        visit(field, varint.value);
        break;
      }
      case WIRE_BYTES: {
        const length = readVarint(bytes, position);
        position = length.end + length.value;
        if (position > bytes.length) throw new MalformedMessage("a field runs past the end");
        visit(field, bytes.subarray(length.end, position));
        break;
      }
      case WIRE_64_BIT:
        position += 8;
        break;
      case WIRE_32_BIT:
        position += 4;
        break;
      default:
        throw new MalformedMessage("unknown wire type");
    }
  }
  if (position > bytes.length) throw new MalformedMessage("a field runs past the end");
}

/**
 * Values above 2^53 lose their last bits. A length of that size lies beyond the end of any message anyway.
 */
function readVarint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw new MalformedMessage("a number runs past the end");
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  throw new MalformedMessage("a number has more than ten bytes");
}

/** Encodes a length-delimited field, or nothing for an empty value, as in proto3. */
export function bytesField(field: number, value: Uint8Array): Uint8Array[] {
  return value.length === 0 ? [] : entryField(field, value);
}

/** Encodes an entry of a map or list, even if it is empty. */
export function entryField(field: number, value: Uint8Array): Uint8Array[] {
  return [Uint8Array.from([...varint(field * 8 + WIRE_BYTES), ...varint(value.length)]), value];
}

export const stringField = (field: number, value: string): Uint8Array[] =>
  bytesField(field, Buffer.from(value, "utf8"));

/**
 * Encodes a message whose fields 1, 2, 3… are these texts or bytes, into one buffer. A field without content
 * is left out, as in proto3. For at most 15 fields, whose tags have one byte.
 */
export function encodeFields(...values: readonly (string | Uint8Array)[]): Buffer {
  const lengths = values.map((value) =>
    typeof value === "string" ? Buffer.byteLength(value) : value.length,
  );
  const size = lengths.reduce((sum, length) => sum + (length === 0 ? 0 : 1 + varintSize(length) + length), 0);
  const message = Buffer.allocUnsafe(size);
  let position = 0;
  for (const [index, value] of values.entries()) {
    const length = lengths[index] ?? 0;
    if (length === 0) continue;
    message[position] = (index + 1) * 8 + WIRE_BYTES;
    position = writeVarint(message, position + 1, length);
    if (typeof value === "string") message.write(value, position, "utf8");
    else message.set(value, position);
    position += length;
  }
  return message;
}

const varintSize = (value: number): number => (value < 0x80 ? 1 : 1 + varintSize(Math.floor(value / 0x80)));

/** Writes a varint. Returns the position after it. */
function writeVarint(target: Buffer, start: number, value: number): number {
  let position = start;
  let rest = value;
  while (rest > 0x7f) {
    target[position++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[position++] = rest;
  return position;
}

/** Encodes a varint field (enum, integer), or nothing for 0. */
export function varintField(field: number, value: number): Uint8Array[] {
  return value === 0 ? [] : [Uint8Array.from([...varint(field * 8 + WIRE_VARINT), ...varint(value)])];
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(varintSize(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/** Returns the bytes of a field. Throws MalformedMessage for a number. */
export function asBytes(value: Buffer | number): Buffer {
  if (typeof value === "number") throw new MalformedMessage("a field has the wrong type");
  return value;
}

/**
 * Returns the text of a field. Throws MalformedMessage for a number or for bytes that are not UTF-8. A byte
 * order mark is kept as text, so that two different texts never become equal.
 */
export function asText(value: Buffer | number): string {
  const bytes = asBytes(value);
  if (!isUtf8(bytes)) throw new MalformedMessage("a text is not UTF-8");
  return bytes.toString("utf8");
}
