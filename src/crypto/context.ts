import { ClavigerError } from "../errors.ts";

/** An encryption context of AWS KMS: names and values that are authenticated, not encrypted. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** AWS publishes no limit. This limit keeps a context within an SDK's request and an audit line. */
export const MAX_CONTEXT_BYTES = 8192;
const PREFIX_BYTES = 4;

/**
 * Returns the canonical bytes of an encryption context: pairs sorted by the UTF-8 bytes of their names, each
 * name and value preceded by its length (4 bytes, big-endian).
 *
 *   length(name) ‖ name ‖ length(value) ‖ value ‖ …        (empty for no pairs)
 *
 * Length prefixes make the encoding injective. Throws InvalidArgument for text that has no UTF-8 form,
 * because all lone surrogates would become U+FFFD and two contexts would become equal, and for more than
 * MAX_CONTEXT_BYTES.
 */
export function canonicalContext(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).map(([name, value]) => ({ name: utf8(name), value: utf8(value) }));
  if (pairs.length > 1) pairs.sort((a, b) => Buffer.compare(a.name, b.name));
  const size = pairs.reduce((sum, { name, value }) => sum + 2 * PREFIX_BYTES + name.length + value.length, 0);
  if (size > MAX_CONTEXT_BYTES) {
    throw new ClavigerError("InvalidArgument", `the encryption context exceeds ${MAX_CONTEXT_BYTES} bytes`);
  }
  const bytes = Buffer.allocUnsafe(size);
  pairs.reduce((at, { name, value }) => put(bytes, put(bytes, at, name), value), 0);
  return bytes;
}

/** Writes a text with its length, and returns the place after it. */
function put(bytes: Buffer, at: number, text: Buffer): number {
  bytes.writeUInt32BE(text.length, at);
  bytes.set(text, at + PREFIX_BYTES);
  return at + PREFIX_BYTES + text.length;
}

/**
 * Reads the canonical bytes of an encryption context. Returns undefined for any other bytes: each context has one
 * form.
 */
export function parseContext(bytes: Uint8Array): EncryptionContext | undefined {
  if (bytes.length > MAX_CONTEXT_BYTES) return undefined;
  const parts = lengthPrefixed(Buffer.from(bytes));
  if (parts === undefined || parts.length % 2 !== 0) return undefined;
  const pairs = parts.flatMap((name, at) => (at % 2 === 0 ? [[name, parts[at + 1] ?? ""] as const] : []));
  const context = Object.fromEntries(pairs);
  return canonicalContext(context).equals(bytes) ? context : undefined;
}

function lengthPrefixed(bytes: Buffer): string[] | undefined {
  const parts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    parts.push(bytes.toString("utf8", at + 4, end));
    at = end;
  }
  return parts;
}

function utf8(text: string): Buffer {
  if (!text.isWellFormed()) {
    throw new ClavigerError("InvalidArgument", "the encryption context holds text that is not valid Unicode");
  }
  return Buffer.from(text, "utf8");
}
