import { canonicalContext } from "../crypto/context.ts";
import type { KeyId } from "../crypto/ids.ts";
import type { Secret } from "../crypto/secret.ts";
import { ClavigerError, codeOf } from "../errors.ts";
import type { Seal } from "./seal.ts";

/**
 * An import token: the private half of a wrapping key, sealed, with everything that is needed to open it. No
 * node stores anything for it, so any node can lead.
 *
 *   0       1           9
 *   format  validTo(8)  length(provider)(1) ‖ provider ‖ length(rootKeyId)(1) ‖ rootKeyId ‖ sealed
 *
 * validTo is in epoch seconds. It is in the seal's AAD with the keyId, and with a purpose that no version's
 * seal has: neither opens as the other.
 */
const FORMAT = 1;
const VALID_TO_AT = 1;
const NAMES_AT = 9;
const MAX_TOKEN_BYTES = 8192;

/** The data that a token is bound to. */
export interface TokenBinding {
  readonly keyId: KeyId;
  /** In epoch milliseconds, whole seconds. */
  readonly validTo: number;
}

/** Creates a token, in base64. */
export async function issueImportToken(
  seal: Seal,
  binding: TokenBinding,
  privateKey: Secret,
): Promise<string> {
  const { provider, rootKeyId, blob } = await seal.wrap(privateKey, tokenAad(binding));
  const head = Buffer.alloc(NAMES_AT);
  head.writeUInt8(FORMAT);
  head.writeBigUInt64BE(BigInt(seconds(binding.validTo)), VALID_TO_AT);
  return Buffer.concat([head, prefixed(provider), prefixed(rootKeyId), blob]).toString("base64");
}

/**
 * Returns the time until which a token claims to be valid, in epoch milliseconds, or undefined if the text is
 * no token. Trust it only after the token was opened.
 */
export const tokenValidTo = (token: string): number | undefined => parse(token)?.validTo;

/**
 * Returns the private key in a token that was made for this key; wipe it when done. Throws InvalidArgument
 * for a token that is malformed, altered, for another key or sealed under another root key: the same error,
 * because the user cannot fix any of these.
 */
export async function openImportToken(seal: Seal, keyId: KeyId, token: string): Promise<Secret> {
  const parsed = parse(token);
  if (parsed === undefined) throw invalid();
  const { validTo, provider, rootKeyId, blob } = parsed;
  try {
    const unsealed = await seal.unwrap({ provider, rootKeyId, blob }, tokenAad({ keyId, validTo }));
    if ("material" in unsealed) return unsealed.material;
  } catch (error) {
    if (codeOf(error) !== "SealMismatch") throw error;
  }
  throw invalid();
}

const invalid = (): ClavigerError =>
  new ClavigerError("InvalidArgument", "the import token was not made for this key, or was altered");

interface Parsed {
  readonly validTo: number;
  readonly provider: string;
  readonly rootKeyId: string;
  readonly blob: Buffer;
}

function parse(token: string): Parsed | undefined {
  const bytes = Buffer.from(token, "base64");
  if (bytes.length > MAX_TOKEN_BYTES || bytes.length < NAMES_AT || bytes[0] !== FORMAT) return undefined;
  const validTo = Number(bytes.readBigUInt64BE(VALID_TO_AT)) * 1000;
  const provider = readPrefixed(bytes, NAMES_AT);
  const rootKeyId = provider && readPrefixed(bytes, provider.end);
  if (provider === undefined || rootKeyId === undefined) return undefined;
  return { validTo, provider: provider.text, rootKeyId: rootKeyId.text, blob: bytes.subarray(rootKeyId.end) };
}

function readPrefixed(
  bytes: Buffer,
  at: number,
): { readonly text: string; readonly end: number } | undefined {
  const length = bytes[at];
  if (length === undefined || at + 1 + length > bytes.length) return undefined;
  const end = at + 1 + length;
  return { text: bytes.toString("utf8", at + 1, end), end };
}

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

const tokenAad = ({ keyId, validTo }: TokenBinding): Buffer =>
  canonicalContext({ purpose: "import-token", keyId, validTo: String(seconds(validTo)) });

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);
