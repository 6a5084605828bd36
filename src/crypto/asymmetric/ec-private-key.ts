import { createPrivateKey, type KeyObject } from "node:crypto";
import type { Curve } from "./key-types.ts";

/** Returns DER: tag, length below 128, contents. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  if (contents.length > 127) throw new RangeError("a DER element of more than 127 bytes");
  return Buffer.concat([Uint8Array.of(tag, contents.length), contents]);
}

const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
const EC_PUBLIC_KEY = Buffer.from("06072a8648ce3d0201", "hex");
const integer = (value: number): Buffer => der(0x02, Uint8Array.of(value));

/** Returns the private key with a scalar. OpenSSL computes its public point (RFC 5915 lets it be left out). */
export function ecPrivateKey(curve: Curve, scalar: bigint): KeyObject {
  const bytes = toBytes(scalar, curve.bytes);
  const key = der(
    SEQUENCE,
    integer(0),
    der(SEQUENCE, EC_PUBLIC_KEY, Buffer.from(curve.oid, "hex")),
    der(OCTET_STRING, der(SEQUENCE, integer(1), der(OCTET_STRING, bytes))),
  );
  try {
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  } finally {
    bytes.fill(0);
    key.fill(0);
  }
}

/** Returns a number as `size` bytes, big-endian. */
export const toBytes = (value: bigint, size: number): Buffer =>
  Buffer.from(value.toString(16).padStart(size * 2, "0"), "hex");

/** Returns bytes, big-endian, as a number. */
export const toNumber = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);
