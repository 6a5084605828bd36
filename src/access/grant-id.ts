import { createHash } from "node:crypto";

/** Returns a KeyGrant's id: 64 hex digits. It follows from the uid, so another object never has the same one. */
export const grantIdOf = (uid: string): string =>
  createHash("sha256").update(`claviger/v1/grant-id${uid}`).digest("hex");
