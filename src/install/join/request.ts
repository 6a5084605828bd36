import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import { Cursor, shortText } from "./wire.ts";

/**
 * The request of a node that wants the root key:
 *
 *   0       1       2              34            42
 *   format  suite   publicKey(32)  createdAt(8)  nodeName(1 ‖ n)  address(1 ‖ n)
 *
 * `publicKey` is an X25519 key (RFC 7748) that the node uses once; `createdAt` is in epoch milliseconds;
 * `address` is HOST:PORT of the API server beside the node, or empty if there is none yet.
 */
export interface JoinRequest {
  readonly publicKey: Buffer;
  readonly createdAt: number;
  readonly nodeName: string;
  readonly address: string;
}

const FORMAT = 1;
const SUITE = 1;
export const PUBLIC_KEY_BYTES = 32;
/** A request lives for a day: long enough for a person, and no key waits for ever. */
const LIFETIME_MILLISECONDS = 24 * 60 * 60 * 1000;
const NODE_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const ADDRESS = /^(?:|[0-9A-Za-z.-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5})$/;

/** RFC 8410: the bytes before the 32 bytes of an X25519 key in a SubjectPublicKeyInfo. */
const SPKI = Buffer.from("302a300506032b656e032100", "hex");

export const encodeRequest = ({ publicKey, createdAt, nodeName, address }: JoinRequest): Buffer => {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(createdAt));
  return Buffer.concat([
    Uint8Array.of(FORMAT, SUITE),
    publicKey,
    time,
    shortText(nodeName),
    shortText(address),
  ]);
};

/** Parses a request. Nothing in it is trusted before a person has compared its code. Throws InvalidArgument. */
export function parseRequest(bytes: Buffer): JoinRequest {
  const cursor = new Cursor(bytes, malformed);
  if (cursor.take(1)[0] !== FORMAT || cursor.take(1)[0] !== SUITE) throw malformed();
  const publicKey = cursor.take(PUBLIC_KEY_BYTES);
  const createdAt = Number(cursor.take(8).readBigUInt64BE());
  const nodeName = cursor.text();
  const address = cursor.text();
  cursor.end();
  if (!Number.isSafeInteger(createdAt) || !NODE_NAME.test(nodeName) || !ADDRESS.test(address))
    throw malformed();
  return { publicKey, createdAt, nodeName, address };
}

const malformed = (): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    "the request is damaged, or made by another release of claviger: make a new one with claviger join --request",
  );

/** Throws InvalidArgument if the request is older than a day, or from the future by more than an hour. */
export function mustBeRecent({ createdAt, nodeName }: JoinRequest, now: number): void {
  const age = now - createdAt;
  if (age <= LIFETIME_MILLISECONDS && age >= -60 * 60 * 1000) return;
  const when = new Date(Math.min(createdAt, 8.64e15)).toISOString();
  throw new ClavigerError(
    "InvalidArgument",
    `the request of node ${nodeName} is of ${when} and is not answered: make a new one there with claviger join --request, and compare the clocks if that is now`,
  );
}

/** Makes the key pair of one request. */
export function oneTimeKeyPair(): { readonly publicKey: Buffer; readonly privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  return { publicKey: rawOf(publicKey), privateKey };
}

export const rawOf = (publicKey: KeyObject): Buffer =>
  publicKey.export({ format: "der", type: "spki" }).subarray(SPKI.length);

export const publicKeyOf = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
