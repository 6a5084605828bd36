/**
 * The only error union of claviger. Errors are thrown at their origin and rendered only at the doors: gRPC
 * codes (plugin/grpc-status.ts), conditions (operator) and exit codes (cli).
 */
export type ErrorCode =
  /** The caller's request breaks a bound or a rule. */
  | "InvalidArgument"
  /** A ciphertext that is malformed, altered, or not for this key, purpose or context. */
  | "InvalidCiphertext"
  /** No key, alias or version of that name or id is in the keyring. */
  | "NotFound"
  /** The key exists and must not be used at present. */
  | "KeyDisabled"
  /** Imported material has reached its validTo; importing it again helps. */
  | "MaterialExpired"
  /** The key waits for its destruction and must not be used. Its deletion can be cancelled. */
  | "KeyPendingDeletion"
  /** The version's material was destroyed on purpose. Nothing brings it back. */
  | "VersionDestroyed"
  /** A key that has no usable current version yet. A later retry helps. */
  | "NotReady"
  /** The root key is missing, unsafe or wrong. */
  | "SealUnavailable"
  /** Material was sealed under another root key than ours, or was swapped. */
  | "SealMismatch"
  /** keyring.db cannot be read or written. A later retry may help. */
  | "KeyringUnavailable"
  /** keyring.db or a backup of it is damaged, or written by a newer release. */
  | "KeyringCorrupt"
  /** The configuration, a manifest or the command line is wrong. */
  | "ConfigInvalid"
  /** Another process owns the socket or the state folder. */
  | "InUse"
  /** Another client changed the object first. Read it again. */
  | "Conflict"
  /** The API server refused, or could not be reached. */
  | "ApiServer"
  /** etcd refused, or could not be reached. */
  | "Etcd"
  /** A record could not be written to the audit log in time. A later retry may help. */
  | "AuditUnavailable"
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
 * The reason why a ciphertext did not open. It is for logs and test vectors only: the doors send the same
 * answer for all reasons, so that nobody learns from the difference.
 */
export type CiphertextFlaw =
  | "Truncated"
  | "Oversized"
  | "UnknownFormat"
  | "UnknownSuite"
  | "WrongKey"
  | "CommitmentMismatch"
  | "TagMismatch";

/** A ciphertext that did not open. `flaw` stays inside, and the message is the same for every flaw. */
export class InvalidCiphertext extends ClavigerError {
  readonly flaw: CiphertextFlaw;

  constructor(flaw: CiphertextFlaw) {
    super("InvalidCiphertext", "the ciphertext is not valid for this key, purpose and context");
    this.flaw = flaw;
  }
}

/** Returns the text of anything thrown, for logs and conditions. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the code of anything thrown. Anything but a ClavigerError is a defect ("Internal"). */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof ClavigerError ? error.code : "Internal";
}

/** Returns the error itself if it is claviger's, or an error of claviger's with its code and message. */
export const asClavigerError = (error: unknown): ClavigerError =>
  error instanceof ClavigerError
    ? error
    : new ClavigerError(codeOf(error), messageOf(error), { cause: error });
