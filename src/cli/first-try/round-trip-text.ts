import { ClavigerError } from "../../errors.ts";
import type { EncryptResponse } from "../../plugin/kms-messages.ts";
import { printable } from "../../printable.ts";
import { messageLine } from "./message.ts";

export interface RoundTripResult {
  /** The MasterKey or KeyAlias that the provider serves. */
  readonly key: string;
  readonly plaintext: Buffer;
  readonly encrypted: EncryptResponse;
  readonly opened: Buffer;
  readonly encryptMilliseconds: number;
  readonly decryptMilliseconds: number;
}

/** Describes a round trip without its plaintext. Throws Internal if another plaintext came back. */
export function roundTripText(result: RoundTripResult): string {
  const { key, plaintext, encrypted, opened } = result;
  if (!opened.equals(plaintext)) {
    throw new ClavigerError("Internal", "the provider did not return the plaintext that it encrypted");
  }
  const { length } = encrypted.ciphertext;
  return `encrypted  ${plaintext.length} bytes to ${length} in ${result.encryptMilliseconds.toFixed(1)} ms, under ${printable(key)}
${messageLine(encrypted)}decrypted  to the same ${opened.length} bytes in ${result.decryptMilliseconds.toFixed(1)} ms
`;
}
