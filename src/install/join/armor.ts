import { ClavigerError } from "../../errors.ts";

export type ArmorKind = "request" | "answer";

/** An answer of 256 KiB holds a root key and the files of a node many times over. */
const MAX_BYTES = 256 * 1024;
/** The limit of a file that is read: the bytes in base64, and the first word. */
export const MAX_ARMOR_BYTES = Math.ceil(MAX_BYTES / 3) * 4 + 64;

const wordOf = (kind: ArmorKind): string => `claviger-join-${kind}-v1`;

/** Renders bytes as a line of text, which mail and a clipboard leave as it is. */
export const armored = (kind: ArmorKind, bytes: Uint8Array): string =>
  `${wordOf(kind)} ${Buffer.from(bytes).toString("base64")}\n`;

/** Reads the line of `armored`. Throws InvalidArgument if it is none of this kind, or is damaged. */
export function disarmed(kind: ArmorKind, text: string): Buffer {
  const [word, body = "", ...more] = text.trim().split(/\s+/);
  if (word !== wordOf(kind) || more.length > 0 || text.length > MAX_ARMOR_BYTES) throw notOfKind(kind);
  const bytes = Buffer.from(body, "base64");
  // Buffer ignores characters that are not base64.
  if (bytes.length === 0 || bytes.toString("base64") !== body) throw notOfKind(kind);
  return bytes;
}

const notOfKind = (kind: ArmorKind): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `this is no ${kind} of claviger join, or it was damaged on the way: carry the whole file, which is one line that begins with ${wordOf(kind)}`,
  );
