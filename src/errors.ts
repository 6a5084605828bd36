/**
 * The one error union of claviger. Thrown where a thing goes wrong, rendered
 * only at the doors: gRPC codes (plugin/grpc-status.ts), Conditions (operator)
 * and exit codes (cli).
 */
export type ErrorCode =
  /** The caller's request breaks a bound or a rule. */
  | "InvalidArgument"
  /** A ciphertext that is malformed, altered, or not for this key, purpose or context. */
  | "InvalidCiphertext"
  /** No key, alias or version of that name or id is in the keyring. */
  | "NotFound"
  /** The key exists and must not be used now. */
  | "KeyDisabled"
  /** Imported material has reached its validTo; importing it again helps. */
  | "MaterialExpired"
  /** The key waits for its destruction and must not be used; its deletion can be cancelled. */
  | "KeyPendingDeletion"
  /** The version's material was destroyed on purpose. Nothing brings it back. */
  | "VersionDestroyed"
  /** A key that has no usable current version yet; trying again later helps. */
  | "NotReady"
  /** The root key is missing, unsafe or wrong. */
  | "SealUnavailable"
  /** Material was sealed under another root key than ours, or swapped. */
  | "SealMismatch"
  /** keyring.db cannot be read or written; trying again later may help. */
  | "KeyringUnavailable"
  /** keyring.db or a backup of it is damaged, or written by a newer release. */
  | "KeyringCorrupt"
  /** The configuration, a manifest or the command line is wrong. */
  | "ConfigInvalid"
  /** Another process owns the socket or the state folder. */
  | "InUse"
  /** Somebody else changed the object first; observe again. */
  | "Conflict"
  /** The API server refused or could not be reached. */
  | "ApiServer"
  /** etcd refused or could not be reached. */
  | "Etcd"
  /** A defect of claviger. */
  | "Internal";

/**
 * An error with a code for programs and a message for people. The message says
 * what happened, to which object, and what to do next; it never holds a payload.
 */
export class ClavigerError extends Error {
  override readonly name = "ClavigerError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Why a ciphertext did not open. For logs and test vectors only: the doors send
 * one and the same answer for all of them, so that nobody learns from the difference.
 */
export type CiphertextFlaw =
  | "Truncated"
  | "Oversized"
  | "UnknownFormat"
  | "UnknownSuite"
  | "WrongKey"
  | "CommitmentMismatch"
  | "TagMismatch";

/** A ciphertext that did not open. `flaw` stays inside; the message is the same for every flaw. */
export class InvalidCiphertext extends ClavigerError {
  readonly flaw: CiphertextFlaw;

  constructor(flaw: CiphertextFlaw) {
    super("InvalidCiphertext", "the ciphertext is not valid for this key, purpose and context");
    this.flaw = flaw;
  }
}

/** The text of anything thrown, for logs and conditions. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of anything thrown; what is not ours is a defect ("Internal"). */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof ClavigerError ? error.code : "Internal";
}
