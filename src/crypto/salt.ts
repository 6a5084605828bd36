import { randomFillSync } from "node:crypto";
import { SALT_BYTES } from "./suite1.ts";

const SALTS_AT_ONCE = 128;
const pool = Buffer.alloc(SALTS_AT_ONCE * SALT_BYTES);
let next = pool.length;

/**
 * 32 random bytes that no earlier call returned. Drawn from the system in one
 * go for many: a draw costs as much as the encryption. A salt is public, so a
 * pool of them in memory gives nothing away; each is handed out once, as a copy.
 */
export function freshSalt(): Uint8Array {
  if (next === pool.length) {
    randomFillSync(pool);
    next = 0;
  }
  const salt = Uint8Array.prototype.slice.call(pool, next, next + SALT_BYTES);
  next += SALT_BYTES;
  return salt;
}
