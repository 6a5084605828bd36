import { hash } from "node:crypto";

/** Bytes of a hash. */
export const HASH_BYTES = 32;

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

const sha256 = (bytes: Buffer): Buffer => hash("sha256", bytes, "buffer");

/** The root of a tree without leaves (RFC 6962, 2.1). */
export const EMPTY_ROOT = sha256(Buffer.alloc(0));

/** Returns the hash of a leaf: of a line of the log without its newline (RFC 6962, 2.1). */
export const leafHash = (line: Buffer): Buffer => sha256(Buffer.concat([LEAF, line]));

/** Returns the hash of a node over the hashes of its halves (RFC 6962, 2.1). */
export const nodeHash = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.concat([NODE, left, right]));
