import type { EncryptionContext } from "../crypto/context.ts";
import type { KeyId } from "../crypto/ids.ts";
import type { ObjectName } from "../names.ts";

/** AWS KMS's 19 grant operations. The order is part of the format of grant tokens: new names go to the end. */
export const GRANT_OPERATIONS = [
  "Decrypt",
  "Encrypt",
  "GenerateDataKey",
  "GenerateDataKeyWithoutPlaintext",
  "ReEncryptFrom",
  "ReEncryptTo",
  "Sign",
  "Verify",
  "GetPublicKey",
  "CreateGrant",
  "RetireGrant",
  "DescribeKey",
  "GenerateDataKeyPair",
  "GenerateDataKeyPairWithoutPlaintext",
  "GenerateMac",
  "VerifyMac",
  "DeriveSharedSecret",
  "Encapsulate",
  "Decapsulate",
] as const;

export type GrantOperation = (typeof GRANT_OPERATIONS)[number];

/** An ARN of a principal, of any account. */
export const PRINCIPAL_ARN = "^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[A-Za-z0-9_+=,.@:/%-]+$";

/** AWS accepts no longer principal. */
export const MAX_PRINCIPAL_LENGTH = 256;

/** A condition on the encryption context of a request: exactly these pairs, or at least these pairs. */
export interface GrantConstraint {
  readonly kind: "Equals" | "Subset";
  readonly context: EncryptionContext;
}

/** The terms of a grant: who may do which operations with a key, and until when. */
export interface GrantTerms {
  readonly keyId: KeyId;
  readonly granteePrincipal: string;
  readonly retiringPrincipal?: string;
  readonly operations: readonly GrantOperation[];
  readonly constraint?: GrantConstraint;
  /** Epoch milliseconds. */
  readonly expiresAt?: number;
}

/** The end of a grant before its expiry. */
export interface GrantEnd {
  readonly phase: "Revoked" | "Retired";
  /** When this node saw it, in epoch milliseconds. */
  readonly at: number;
}

/**
 * How long the row of an ended grant is kept, so that no token of it is believed: longer than a token is good by
 * itself, whatever the clocks of two nodes say.
 */
export const ENDED_GRANT_MILLISECONDS = 3_600_000;

/** AWS KMS's limit of grants of one key. */
export const MOST_GRANTS_OF_KEY = 50_000;

/** This node's record of a KeyGrant. `namespace` and `name` are the KeyGrant's. */
export interface GrantRow extends ObjectName, GrantTerms {
  readonly grantId: string;
  /** The MasterKey's name when the grant was accepted. */
  readonly masterKey: string;
  /** AWS KMS's name of the grant: spec.name. */
  readonly grantName?: string;
  /** The principal that created it. */
  readonly issuingPrincipal: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** Set once the grant was revoked or retired. The row stays for a while, so that no token revives the grant. */
  readonly ended?: GrantEnd;
}
