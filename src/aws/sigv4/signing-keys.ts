import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../../crypto/secret.ts";
import { putNewest } from "../../put-newest.ts";
import { ALGORITHM, type Scope, scopeText } from "./authorization.ts";

/** One credential needs one key a day and service. */
const MOST_KEYS = 1_000;

interface Entry {
  readonly secret: Uint8Array;
  readonly key: Buffer;
}

/**
 * Derives the key that signs the requests of one day, region and service:
 *
 *   HMAC(HMAC(HMAC(HMAC("AWS4" ‖ secret, date), region), service), "aws4_request")
 *
 * It remembers the newest keys, because the derivation takes longer than the rest of a verification.
 */
export class SigningKeys {
  readonly #known = new Map<string, Entry>();

  keyOf(accessKeyId: string, secret: Secret, scope: Scope): Buffer {
    const name = `${accessKeyId}/${scope.date}/${scope.region}/${scope.service}`;
    const bytes = secret.exposeSecretBytes();
    const known = this.#known.get(name);
    // The secret of an access key may have been replaced.
    if (known !== undefined && equal(known.secret, bytes)) return known.key;
    const key = derive(bytes, scope);
    // A copy, because the owner may wipe the secret.
    putNewest(this.#known, name, { secret: Uint8Array.from(bytes), key }, MOST_KEYS);
    return key;
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

function derive(secret: Uint8Array, { date, region, service, terminator }: Scope): Buffer {
  const start = Buffer.concat([Buffer.from("AWS4"), secret]);
  try {
    return [date, region, service, terminator].reduce(hmac, start);
  } finally {
    start.fill(0);
  }
}

/** Returns HMAC-SHA-256 of a text. */
const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** Returns SHA-256 in hexadecimal digits. */
export const sha256 = (data: Uint8Array | string): string => hash("sha256", data, "hex");

/** Returns the signature of a canonical request. `time` is as the request has it. */
export const signatureOf = (
  key: Buffer,
  time: string,
  scope: Scope,
  canonical: Uint8Array | string,
): Buffer => hmac(key, `${ALGORITHM}\n${time}\n${scopeText(scope)}\n${sha256(canonical)}`);
