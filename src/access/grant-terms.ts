import type { EncryptionContext } from "../crypto/context.ts";
import type { GrantConstraint, GrantOperation, GrantTerms } from "../keyring/grant-row.ts";

/** AWS KMS: "The encryption context grant constraints do not apply to" these. */
const UNCONSTRAINED: ReadonlySet<GrantOperation> = new Set<GrantOperation>(["DescribeKey", "RetireGrant"]);

/** Returns true if the grant has not expired. `now` is in epoch milliseconds. */
export const isInTime = ({ expiresAt }: GrantTerms, now: number): boolean =>
  expiresAt === undefined || now < expiresAt;

/** Returns true if the terms allow the operation with this encryption context. */
export const permits = (
  { operations, constraint }: GrantTerms,
  operation: GrantOperation,
  context: EncryptionContext,
): boolean =>
  operations.includes(operation) &&
  (constraint === undefined || UNCONSTRAINED.has(operation) || isMet(constraint, context));

/** Names and values are compared as they are: exactly, in their case and Unicode form. */
function isMet({ kind, context }: GrantConstraint, given: EncryptionContext): boolean {
  if (!hasAll(given, context)) return false;
  return kind === "Subset" || Object.keys(given).length === Object.keys(context).length;
}

const hasAll = (given: EncryptionContext, wanted: EncryptionContext): boolean =>
  Object.entries(wanted).every(([name, value]) => Object.hasOwn(given, name) && given[name] === value);

/** Returns true if a grant that the grantee of `parent` creates allows nothing that `parent` does not allow. */
export function isWithin(child: GrantTerms, parent: GrantTerms): boolean {
  if (child.keyId !== parent.keyId) return false;
  if (!child.operations.every((operation) => parent.operations.includes(operation))) return false;
  if (!isConstrainedWithin(child.constraint, parent.constraint)) return false;
  return parent.expiresAt === undefined || (child.expiresAt ?? Number.POSITIVE_INFINITY) <= parent.expiresAt;
}

function isConstrainedWithin(
  child: GrantConstraint | undefined,
  parent: GrantConstraint | undefined,
): boolean {
  if (parent === undefined) return true;
  if (child === undefined || !hasAll(child.context, parent.context)) return false;
  return parent.kind === "Subset" || (child.kind === "Equals" && isMet(parent, child.context));
}
