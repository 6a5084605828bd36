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
