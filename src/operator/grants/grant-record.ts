import { createHash } from "node:crypto";
import { grantIdOf as idOf } from "../../access/grant-id.ts";
import { principalArn } from "../../access/principal.ts";
import { canonicalContext } from "../../crypto/context.ts";
import type { KeyId } from "../../crypto/ids.ts";
import { codeOf } from "../../errors.ts";
import { GRANT_OPERATIONS, type GrantConstraint, type GrantRow } from "../../keyring/grant-row.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { parseTime } from "../../times.ts";

/** Returns the id of a KeyGrant. */
export const grantIdOf = ({ metadata }: Pick<KeyGrant, "metadata">): string => idOf(metadata.uid);

/** Returns a KeyGrant as a row, for the key that it was accepted for. */
export function grantRowOf(grant: KeyGrant, keyId: KeyId, account: string): GrantRow {
  const { metadata, spec } = grant;
  const expiresAt = parseTime(spec.expiresAt);
  const constraint = constraintOf(spec.constraints);
  return {
    ...objectName(grant),
    grantId: grantIdOf(grant),
    masterKey: spec.masterKey,
    keyId,
    granteePrincipal: spec.granteePrincipal,
    ...(spec.retiringPrincipal !== undefined && { retiringPrincipal: spec.retiringPrincipal }),
    operations: GRANT_OPERATIONS.filter((operation) => spec.operations.includes(operation)),
    ...(constraint !== undefined && { constraint }),
    ...(spec.name !== undefined && { grantName: spec.name }),
    issuingPrincipal: issuerOf(grant, account),
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/** Returns the principal that created a KeyGrant; empty in a folder of manifests, which need not say. */
export const issuerOf = ({ spec }: Pick<KeyGrant, "spec">, account: string): string =>
  principalArn(spec.grantedBy?.user ?? "", account) ?? "";

function constraintOf(constraints: KeyGrant["spec"]["constraints"]): GrantConstraint | undefined {
  const { encryptionContextEquals: equals, encryptionContextSubset: subset } = constraints ?? {};
  if (equals !== undefined) return { kind: "Equals", context: equals };
  return subset === undefined ? undefined : { kind: "Subset", context: subset };
}

/** Returns true if the proof of one grant is good for the other. */
export function isSameGrant(a: GrantRow, b: GrantRow): boolean {
  try {
    return grantStatement(a).equals(grantStatement(b));
  } catch (error) {
    // The constraint of one is too long for any proof.
    if (codeOf(error) === "InvalidArgument") return false;
    throw error;
  }
}

/**
 * Returns the statement that a grant's proof is made for (seal/proof.ts): all that a node believes of it. Throws
 * InvalidArgument if no request could have an encryption context as long as its constraint.
 */
export function grantStatement(row: GrantRow): Buffer {
  const { constraint } = row;
  const context =
    constraint && createHash("sha256").update(canonicalContext(constraint.context)).digest("hex");
  return canonicalContext({
    grantId: row.grantId,
    grantKeyId: row.keyId,
    grantNamespace: row.namespace,
    grantName: row.name,
    masterKey: row.masterKey,
    granteePrincipal: row.granteePrincipal,
    retiringPrincipal: row.retiringPrincipal ?? "",
    operations: row.operations.join(" "),
    constraint: constraint?.kind ?? "",
    constraintDigest: context ?? "",
    awsName: row.grantName ?? "",
    issuingPrincipal: row.issuingPrincipal,
    expiresAt: row.expiresAt === undefined ? "" : String(row.expiresAt),
  });
}
