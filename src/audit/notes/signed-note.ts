import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import { ClavigerError } from "../../errors.ts";

/** The kind of a signature that is made by Ed25519 over the text of the note (C2SP signed-note). */
export const ED25519 = 0x01;
const KEY_BYTES = 32;
const KEY_HASH_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** A note has the signatures of its signer and of the other nodes. */
const MOST_SIGNATURES = 64;
const MOST_NOTE_BYTES = 64 * 1024;
/** Of a name: no space and no plus sign (C2SP signed-note). */
const NAME = /^[\x21-\x2a\x2c-\x7e]{1,512}$/;
/** DER of an Ed25519 key up to its 32 bytes (RFC 8410). */
const PUBLIC_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key that signs notes. */
export interface NoteSigner {
  readonly verifier: NoteVerifier;
  readonly privateKey: KeyObject;
}

/** A key that verifies notes: its name and its 32 bytes. */
export interface NoteVerifier {
  readonly name: string;
  readonly kind: number;
  readonly publicKey: Buffer;
}

/** A signature line of a note. */
export interface NoteSignature {
  readonly name: string;
  /** The first four bytes of a hash of the key, by which a verifier finds its lines. */
  readonly keyHash: Buffer;
  readonly bytes: Buffer;
}

/** A note: a text that ends with a newline, and its signatures. */
export interface Note {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Returns the signer of a seed of 32 bytes. Throws InvalidArgument for a name that signed notes cannot have. */
export function noteSigner(name: string, seed: Buffer): NoteSigner {
  if (!NAME.test(name))
    throw new ClavigerError(
      "InvalidArgument",
      "the name of a key of notes has spaces, plus signs or is too long",
    );
  const der = Buffer.concat([PRIVATE_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { privateKey, verifier: { name, kind: ED25519, publicKey: spki.subarray(PUBLIC_PREFIX.length) } };
}

/** Returns the four bytes that name a key in a signature line. */
export const keyHashOf = ({ name, kind, publicKey }: NoteVerifier): Buffer =>
  hash(
    "sha256",
    Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([kind]), publicKey]),
    "buffer",
  ).subarray(0, KEY_HASH_BYTES);

/** Returns a verifier's key as text: NAME+HASH+KEY (C2SP signed-note, "Verifier keys"). */
export function verifierText(verifier: NoteVerifier): string {
  const { name, kind, publicKey } = verifier;
  const key = Buffer.concat([Buffer.from([kind]), publicKey]).toString("base64");
  return `${name}+${keyHashOf(verifier).toString("hex")}+${key}`;
}

/** Reads what `verifierText` has written. Returns undefined for anything else. */
export function parseVerifier(text: string): NoteVerifier | undefined {
  const [name = "", hex, ...rest] = text.split("+");
  const key = Buffer.from(rest.join("+"), "base64");
  const kind = key[0];
  if (!NAME.test(name) || kind === undefined || key.length !== 1 + KEY_BYTES) return undefined;
  const verifier = { name, kind, publicKey: key.subarray(1) };
  return keyHashOf(verifier).toString("hex") === hex ? verifier : undefined;
}

/** Returns a signature line over a text. */
export function signatureLine(text: string, { verifier, privateKey }: NoteSigner): string {
  const bytes = sign(null, Buffer.from(text), privateKey);
  return signatureText({ name: verifier.name, keyHash: keyHashOf(verifier), bytes });
}

const signatureText = ({ name, keyHash, bytes }: NoteSignature): string =>
  `— ${name} ${Buffer.concat([keyHash, bytes]).toString("base64")}\n`;

/** Returns a text, which ends with a newline, as a note. */
export const signNote = (text: string, ...signers: readonly NoteSigner[]): string =>
  `${text}\n${signers.map((signer) => signatureLine(text, signer)).join("")}`;

/** Returns a note as text. */
export const noteText = ({ text, signatures }: Note): string =>
  `${text}\n${signatures.map(signatureText).join("")}`;

/** Reads a note. Returns undefined if it is malformed. Verifies nothing. */
export function parseNote(note: string): Note | undefined {
  const end = note.lastIndexOf("\n\n");
  if (note.length > MOST_NOTE_BYTES || end < 0 || !note.endsWith("\n")) return undefined;
  const lines = note.slice(end + 2, -1).split("\n");
  if (lines.length > MOST_SIGNATURES) return undefined;
  const signatures = lines.flatMap(parseSignature);
  return signatures.length === lines.length ? { text: note.slice(0, end + 1), signatures } : undefined;
}

function parseSignature(line: string): NoteSignature[] {
  const [dash, name = "", base64 = "", ...rest] = line.split(" ");
  const bytes = Buffer.from(base64, "base64");
  if (dash !== "—" || rest.length > 0 || !NAME.test(name) || bytes.length <= KEY_HASH_BYTES) return [];
  if (bytes.toString("base64") !== base64) return [];
  return [{ name, keyHash: bytes.subarray(0, KEY_HASH_BYTES), bytes: bytes.subarray(KEY_HASH_BYTES) }];
}

/** Returns true if a note has a good signature by this key. */
export function isSignedBy({ text, signatures }: Note, verifier: NoteVerifier): boolean {
  if (verifier.kind !== ED25519) return false;
  const keyHash = keyHashOf(verifier);
  const key = createPublicKey({
    key: Buffer.concat([PUBLIC_PREFIX, verifier.publicKey]),
    format: "der",
    type: "spki",
  });
  return signatures.some(
    (signature) =>
      signature.name === verifier.name &&
      signature.keyHash.equals(keyHash) &&
      signature.bytes.length === SIGNATURE_BYTES &&
      verify(null, Buffer.from(text), key, signature.bytes),
  );
}
