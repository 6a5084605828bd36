import { randomFillSync } from "node:crypto";
import { SALT_BYTES } from "./suite1.ts";

const SALTS_AT_ONCE = 128;
const pool = Buffer.alloc(SALTS_AT_ONCE * SALT_BYTES);
let next = pool.length;

/**
 * Returns 32 random bytes that no earlier call returned. They are drawn from the system in bulk, because a
 * draw costs as much as the encryption. A salt is public, so a pool of salts in memory reveals nothing. Each
 * salt is returned once, as a copy.
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
