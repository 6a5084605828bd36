import { toBytes, toNumber } from "./ec-private-key.ts";

/** The two numbers of an ECDSA signature. */
export interface EcdsaSignature {
  readonly r: bigint;
  readonly s: bigint;
}

/**
 * An ECDSA signature in DER (RFC 3279, section 2.2.3), as AWS KMS returns it:
 *
 *   SEQUENCE { INTEGER r, INTEGER s }
 *
 * A sequence of more than 127 bytes, for P-521, has its length in two bytes: 81 LENGTH.
 */
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const LONG_LENGTH = 0x81;

export function encodeEcdsaSignature({ r, s }: EcdsaSignature, bytes: number): Buffer {
  const numbers = Buffer.concat([integer(r, bytes), integer(s, bytes)]);
  const long = numbers.length > 127 ? [LONG_LENGTH] : [];
  return Buffer.concat([Uint8Array.of(SEQUENCE, ...long, numbers.length), numbers]);
}

function integer(value: bigint, bytes: number): Buffer {
  const padded = toBytes(value, bytes + 1);
  const start = padded.findIndex((byte) => byte !== 0);
  const contents = padded.subarray((padded[start] ?? 0) > 127 ? start - 1 : start);
  return Buffer.concat([Uint8Array.of(INTEGER, contents.length), contents]);
}

/**
 * Returns the numbers of a signature; undefined unless they are from 1 to order - 1 and in DER: a signature
 * has one encoding.
 */
export function parseEcdsaSignature(
  signature: Uint8Array,
  { order, bytes }: { readonly order: bigint; readonly bytes: number },
): EcdsaSignature | undefined {
  const contents = signature[1] === LONG_LENGTH ? 3 : 2;
  const first = integerAt(signature, contents, bytes);
  const second = first && integerAt(signature, first.end, bytes);
  if (first === undefined || second === undefined) return undefined;
  const parsed = { r: first.value, s: second.value };
  if ([parsed.r, parsed.s].some((value) => value === 0n || value >= order)) return undefined;
  // Whatever is not DER is encoded otherwise.
  return encodeEcdsaSignature(parsed, bytes).equals(signature) ? parsed : undefined;
}

function integerAt(signature: Uint8Array, at: number, bytes: number) {
  const length = signature[at + 1] ?? 0;
  const end = at + 2 + length;
  if (length === 0 || length > bytes + 1 || end > signature.length) return undefined;
  return { value: toNumber(signature.subarray(at + 2, end)), end };
}
