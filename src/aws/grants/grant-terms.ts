import { operationsOf } from "../../access/grantable-operations.ts";
import { parsePrincipal } from "../../access/principal.ts";
import {
  GRANT_OPERATIONS,
  type GrantConstraint,
  type GrantOperation,
  type GrantTerms,
} from "../../keyring/grant-row.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { printable } from "../../printable.ts";
import { AwsError } from "../aws-error.ts";
import type { UsableKey } from "../keys/aws-keys.ts";

/** The members of CreateGrant that make the terms. */
export interface TermsInput {
  readonly GranteePrincipal?: string;
  readonly RetiringPrincipal?: string;
  readonly Operations: readonly GrantOperation[];
  readonly Constraints?: ConstraintsInput;
}

export interface ConstraintsInput {
  readonly EncryptionContextEquals?: Readonly<Record<string, string>>;
  readonly EncryptionContextSubset?: Readonly<Record<string, string>>;
  readonly SourceArn?: string;
}

const MOST_PAIRS = 8;

/** Returns the terms of a new grant. Throws InvalidArnException, ValidationException or UnsupportedOperationException. */
export function termsOf(input: TermsInput, { keyId }: KeyRow, account: string): GrantTerms {
  const { GranteePrincipal: grantee, RetiringPrincipal: retiring, Operations, Constraints } = input;
  if (grantee === undefined) throw invalid("GranteePrincipal is needed.");
  const constraint = constraintOf(Constraints);
  const operations = GRANT_OPERATIONS.filter((operation) => Operations.includes(operation));
  if (operations.length === 0 || (operations.length === 1 && operations[0] === "CreateGrant"))
    throw invalid("Operations needs another operation than CreateGrant.");
  return {
    ...{ keyId, granteePrincipal: principal(grantee, account), operations },
    ...(retiring !== undefined && { retiringPrincipal: principal(retiring, account) }),
    ...(constraint !== undefined && { constraint }),
  };
}

/** Throws ValidationException if the key cannot do what the terms grant, or has no encryption context to constrain. */
export function refuseImpossible({ operations, constraint }: GrantTerms, { arn, version }: UsableKey): void {
  const { keySpec, keyUsage } = version;
  const possible = operationsOf(keySpec, keyUsage);
  const foreign = operations.filter((operation) => !possible.includes(operation));
  if (foreign.length > 0)
    throw invalid(`${arn} is ${keySpec} for ${keyUsage}, which cannot do ${foreign.join(", ")}.`);
  if (constraint !== undefined && keySpec !== "SYMMETRIC_DEFAULT")
    throw invalid(`${arn} is ${keySpec}: requests with it have no encryption context to constrain.`);
}

function principal(arn: string, account: string): string {
  if (parsePrincipal(arn, account) !== undefined) return arn;
  throw new AwsError("InvalidArnException", `ARN '${printable(arn, 256)}' is not that of a principal.`);
}

function constraintOf(constraints: ConstraintsInput | undefined): GrantConstraint | undefined {
  if (constraints === undefined) return undefined;
  const { EncryptionContextEquals: equals, EncryptionContextSubset: subset, SourceArn } = constraints;
  if (SourceArn !== undefined)
    throw new AwsError("UnsupportedOperationException", "claviger does not support SourceArn: leave it out.");
  if (equals !== undefined && subset !== undefined)
    throw invalid("Constraints have either EncryptionContextEquals or EncryptionContextSubset.");
  const context = equals ?? subset;
  if (context === undefined) return undefined;
  if (Object.keys(context).length > MOST_PAIRS)
    throw invalid(`A constraint has at most ${MOST_PAIRS} pairs.`);
  return { kind: equals === undefined ? "Subset" : "Equals", context };
}

const invalid = (message: string): AwsError => new AwsError("ValidationException", message);
