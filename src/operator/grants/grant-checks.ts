import { isInTime, isWithin } from "../../access/grant-terms.ts";
import { hasEncryptionContext, operationsOf } from "../../access/grantable-operations.ts";
import { chain } from "../../chain.ts";
import type { KeyId } from "../../crypto/ids.ts";
import { codeOf } from "../../errors.ts";
import { type GrantRow, MOST_GRANTS_OF_KEY } from "../../keyring/grant-row.ts";
import type { Finding } from "../../resources/conditions.ts";
import type { KeyGrant, MasterKey } from "../../resources/resources.ts";
import type { GrantGuard } from "../../store/roles.ts";
import { parseTime } from "../../times.ts";
import { grantRowOf, grantStatement, issuerOf } from "./grant-record.ts";

/** A policy that was just created reaches every API server within a moment. */
const GUARD_MILLISECONDS = 10_000;

export interface ObservedGrant {
  readonly grant: KeyGrant;
  /** The MasterKey that spec names, and its keyId if the leader's keyring has a current version of its own (`ownKeyId`). */
  readonly masterKey: MasterKey | undefined;
  readonly keyId: KeyId | undefined;
  /** The leader's own record of the grant: it was accepted before. */
  readonly held: GrantRow | undefined;
  /** True if status.proof was made under the root key for this grant and status.keyId. */
  readonly proven: boolean;
  /** The leader's own record of the KeyGrant that spec.parent names. */
  readonly parent: GrantRow | undefined;
  /**
   * The admission policy, as it was read after the grant was seen; undefined for a grant that was accepted, and if
   * there is no API server, whose users would have to be kept apart.
   */
  readonly guard: GrantGuard | undefined;
  /** Returns true if a key may have another grant (AWS KMS's limit). */
  readonly hasRoom: (keyId: KeyId) => boolean;
  /** RBAC's answer; undefined until it was asked. */
  readonly mayGrant: boolean | undefined;
  readonly account: string;
}

/** The first check that fails is reported, so the order is the order in which to fix them. */
export const grantChecks = chain<[observed: ObservedGrant, now: Date], Finding>({
  masterKeyExists,
  keyCanDoIt,
  keyHasEncryptionContext,
  constraintIsShort,
  policyGuards,
  creatorIsNamed,
  parentAllows,
  keyHasRoom,
  creatorMayGrant,
});

function masterKeyExists(observed: ObservedGrant): Finding | undefined {
  return observed.masterKey === undefined || observed.keyId === undefined ? noKey(observed) : undefined;
}

function keyCanDoIt({ grant, masterKey }: ObservedGrant): Finding | undefined {
  const { keySpec, keyUsage } = masterKey?.spec ?? { keySpec: "", keyUsage: "" };
  const possible = new Set<string>(operationsOf(keySpec, keyUsage));
  const foreign = grant.spec.operations.filter((operation) => !possible.has(operation));
  if (foreign.length === 0) return undefined;
  const message = `MasterKey ${grant.spec.masterKey} is ${keySpec} for ${keyUsage} and cannot do ${foreign.join(", ")}: create a KeyGrant without that`;
  return notReady("OperationNotPossible", message);
}

function keyHasEncryptionContext({ grant, masterKey }: ObservedGrant): Finding | undefined {
  const { keySpec } = masterKey?.spec ?? { keySpec: "" };
  if (grant.spec.constraints === undefined || hasEncryptionContext(keySpec)) return undefined;
  const message = `requests with MasterKey ${grant.spec.masterKey}, which is ${keySpec}, have no encryption context: create a KeyGrant without constraints`;
  return notReady("ConstraintNotPossible", message);
}

function constraintIsShort({ grant, keyId, account }: ObservedGrant): Finding | undefined {
  if (keyId === undefined) return undefined;
  try {
    grantStatement(grantRowOf(grant, keyId, account));
    return undefined;
  } catch (error) {
    if (codeOf(error) !== "InvalidArgument") throw error;
    const message =
      "no request has an encryption context as long as these constraints, or they are not valid Unicode: create a KeyGrant with shorter ones";
    return notReady("ConstraintNotPossible", message);
  }
}

/** Without the policy anybody could have written `grantedBy`: nothing is granted then. */
function policyGuards({ grant, guard }: ObservedGrant): Finding | undefined {
  if (guard === undefined) return undefined;
  if (guard.kind === "missing")
    return notReady(
      "AdmissionPolicyMissing",
      `nobody vouches for spec.grantedBy, so nothing is granted: ${guard.message}`,
    );
  const created = parseTime(grant.metadata.creationTimestamp) ?? 0;
  if (created >= guard.since + GUARD_MILLISECONDS) return undefined;
  const message = `the KeyGrant is older than the admission policy that vouches for spec.grantedBy, or was created within ${GUARD_MILLISECONDS / 1000} s of it: create it again`;
  return notReady("NotGuarded", message);
}

function creatorIsNamed({ grant, guard, account }: ObservedGrant): Finding | undefined {
  if (guard === undefined) return undefined;
  const named = issuerOf(grant, account) !== "";
  return named
    ? undefined
    : notReady(
        "GrantorMissing",
        "spec.grantedBy does not name who creates it: create it again with your own user name",
      );
}

function parentAllows(observed: ObservedGrant, now: Date): Finding | undefined {
  const { grant, guard, parent, keyId, account } = observed;
  if (guard === undefined || grant.spec.parent === undefined || keyId === undefined) return undefined;
  const child = grantRowOf(grant, keyId, account);
  const allows =
    parent !== undefined &&
    parent.ended === undefined &&
    isInTime(parent, now.getTime()) &&
    parent.granteePrincipal === child.issuingPrincipal &&
    parent.operations.includes("CreateGrant") &&
    isWithin(child, parent);
  if (allows) return undefined;
  const message = `KeyGrant ${grant.spec.parent} is not an active grant of CreateGrant to ${child.issuingPrincipal}, or allows less than this one: create a narrower KeyGrant`;
  return notReady("ParentDoesNotAllow", message);
}

function keyHasRoom({ grant, keyId, hasRoom }: ObservedGrant): Finding | undefined {
  if (keyId === undefined || hasRoom(keyId)) return undefined;
  const message = `MasterKey ${grant.spec.masterKey} has ${MOST_GRANTS_OF_KEY} grants, which is the limit: end grants that nobody needs, and this one is accepted within a minute`;
  return notReady("TooManyGrants", message);
}

function creatorMayGrant({ grant, guard, mayGrant }: ObservedGrant): Finding | undefined {
  if (guard === undefined || grant.spec.parent !== undefined || mayGrant !== false) return undefined;
  const message = `RBAC does not allow ${grant.spec.grantedBy?.user} the verb grant on masterkeys/${grant.spec.masterKey}: give that right, or name in spec.grantedBy.groups the group that has it`;
  return notReady("GrantDenied", message);
}

export const noKey = ({ grant }: ObservedGrant): Finding =>
  notReady(
    "MasterKeyNotReady",
    `MasterKey ${grant.metadata.namespace}/${grant.spec.masterKey} does not exist or has no current version of its own yet: apply it, or see its conditions`,
  );

export const notReady = (reason: string, message: string): Finding => ({
  type: "Ready",
  status: "False",
  reason,
  message,
});
