import { createHmac, timingSafeEqual } from "node:crypto";
import { ClavigerError } from "../errors.ts";
import type { Secret } from "./secret.ts";

/** The hash of each MAC algorithm of AWS KMS. */
const hashes: ReadonlyMap<string, string> = new Map([
  ["HMAC_SHA_224", "sha224"],
  ["HMAC_SHA_256", "sha256"],
  ["HMAC_SHA_384", "sha384"],
  ["HMAC_SHA_512", "sha512"],
]);

/** Makes a MAC, as long as the hash's output (FIPS 198-1). Throws InvalidArgument for another algorithm. */
export function makeMac(algorithm: string, material: Secret, message: Uint8Array): Buffer {
  const hash = hashes.get(algorithm);
  if (hash === undefined) throw new ClavigerError("InvalidArgument", "the algorithm makes no MAC");
  return createHmac(hash, material.exposeSecretKey()).update(message).digest();
}

/** Returns true if a MAC is right. A shortened MAC is not. Throws InvalidArgument for another algorithm. */
export function isMac(algorithm: string, material: Secret, message: Uint8Array, mac: Uint8Array): boolean {
  const right = makeMac(algorithm, material, message);
  return mac.length === right.length && timingSafeEqual(mac, right);
}
