import { createHash } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import type { ArmorKind } from "./armor.ts";

/** RFC 4648's alphabet without letters and digits that look alike. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const CHARACTERS = 20;
const GROUP = 4;

/**
 * Returns the code by which a person recognizes a request or an answer: 20 characters, 99 bits of a SHA-256.
 * Somebody who exchanges the file would need another file with the same code, which takes 2^99 tries.
 */
export function checkCode(kind: ArmorKind, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(`claviger/v1/join-${kind}-code`).update(bytes).digest("hex");
  const base = BigInt(ALPHABET.length);
  let number = BigInt(`0x${hash}`);
  let characters = "";
  for (let at = 0; at < CHARACTERS; at += 1) {
    characters += ALPHABET[Number(number % base)];
    number /= base;
  }
  return characters.replace(new RegExp(`.{${GROUP}}(?!$)`, "g"), "$&-");
}

/** Compares a code that a person typed: case, spaces and dashes do not matter. Throws InvalidArgument. */
export function mustHaveCode(kind: ArmorKind, bytes: Uint8Array, typed: string): void {
  const plain = (code: string) => code.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  if (plain(typed) === plain(checkCode(kind, bytes))) return;
  throw new ClavigerError(
    "InvalidArgument",
    `the code does not belong to this ${kind}: type the code that the other node showed with the file; if you did, somebody has exchanged the file, and it must not be used`,
  );
}
