import { createHash } from "node:crypto";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const BITS_PER_DIGIT = 5;

/**
 * Returns the identity of the kube-apiserver on the host of this name, which is also the name of its Lease in
 * kube-system (NewConfig in pkg/server/config.go of k8s.io/apiserver).
 */
export function apiServerId(hostname: string): string {
  const digest = createHash("sha256").update(field(hostname)).update(field("kube-apiserver")).digest();
  return `apiserver-${base32(digest.subarray(0, 16))}`;
}

/** Returns the hash of an identity, as in the metrics' label `apiserver_id_hash`. */
export const apiServerIdHash = (id: string): string =>
  `sha256:${createHash("sha256").update(id).digest("hex")}`;

/** Encodes a byte string with a length of two bytes before it (cryptobyte's AddUint16LengthPrefixed). */
function field(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Encodes as RFC 4648, section 6, in lower case and without padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => ALPHABET[Number.parseInt(group.padEnd(BITS_PER_DIGIT, "0"), 2)]).join("");
}
