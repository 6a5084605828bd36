import type { VersionRow } from "../../keyring/rows.ts";

/** A call that a socket has answered, as far as its record needs it. No payload is in it. */
export interface SocketCall {
  readonly provider: string;
  readonly operation: "Encrypt" | "Decrypt";
  /** The API server's name for the call, of at most `MAX_UID_LENGTH` characters. */
  readonly uid: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** The version that encrypted, or that the ciphertext names; undefined if there is no such version. */
  readonly version: VersionRow | undefined;
  /** The error that was answered, with a text that the caller may see. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** API servers send UUIDs. */
export const MAX_UID_LENGTH = 64;
