import { firstFinding } from "../../chain.ts";
import type { KeyId } from "../../crypto/ids.ts";
import type { GrantRow } from "../../keyring/grant-row.ts";
import { type Finding, withFindings } from "../../resources/conditions.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { KeyGrantStatus } from "../../resources/schemas/key-grant.ts";
import type { Grantor } from "../../store/roles.ts";
import { DAY_MILLISECONDS, HOUR_MILLISECONDS, parseTime, rfc3339 } from "../../times.ts";
import { grantChecks, noKey, notReady, type ObservedGrant } from "./grant-checks.ts";
import { grantIdOf, grantRowOf, isSameGrant } from "./grant-record.ts";

/** How long a KeyGrant that has ended is kept, so that people can see what became of it. */
const KEPT_MILLISECONDS = DAY_MILLISECONDS;
/** How soon to look again at a grant that waits for its key, or for a right or a policy. */
const KEY_MILLISECONDS = 5_000;
const RIGHT_MILLISECONDS = 60_000;

/** `next` is after how many milliseconds to look again. */
export type GrantPlan =
  | { readonly kind: "settle"; readonly status: KeyGrantStatus; readonly next?: number }
  /** Ask RBAC if this user may grant the MasterKey, and decide again. */
  | { readonly kind: "ask"; readonly grantor: Grantor }
  /** Prove this row, and settle on `status` with the proof. */
  | {
      readonly kind: "accept";
      readonly row: GrantRow;
      readonly status: KeyGrantStatus;
      readonly next?: number;
    }
  /** It ended long ago: remove the object. */
  | { readonly kind: "remove" };

/**
 * Decides for the leader what becomes of a KeyGrant. A grant is accepted once, for one key, and the proof of
 * that lets every node follow it; as in AWS KMS, it outlives its creator's right to grant.
 */
export function decideGrant(observed: ObservedGrant, now: Date): GrantPlan {
  const ended = endOf(observed, now);
  if (ended !== undefined) return decideEnd(observed, ended, now);
  const { held, proven } = observed;
  if (held !== undefined || proven) return decideAccepted(observed, now);
  const obstacle = firstFinding(grantChecks, observed, now);
  if (obstacle !== undefined) return refused(observed, obstacle, now);
  const grantor = observed.grant.spec.grantedBy;
  const asks = observed.guard !== undefined && observed.grant.spec.parent === undefined;
  if (asks && observed.mayGrant === undefined && grantor !== undefined) return { kind: "ask", grantor };
  // `masterKeyExists` has checked it.
  return observed.keyId === undefined
    ? refused(observed, noKey(observed), now)
    : accepted(observed, observed.keyId, now);
}

interface End {
  readonly phase: "Retired" | "Revoked" | "Expired";
  readonly at: Date;
}

function endOf({ grant, held }: ObservedGrant, now: Date): End | undefined {
  const { spec, status, metadata } = grant;
  const seenAt = new Date(parseTime(status?.endedAt) ?? now);
  if (spec.ended !== undefined) return { phase: spec.ended, at: seenAt };
  if (metadata.deletionTimestamp !== undefined) return { phase: "Revoked", at: seenAt };
  // An object that came back with a restored etcd.
  if (held?.ended !== undefined) return { phase: held.ended.phase, at: seenAt };
  const expiresAt = parseTime(spec.expiresAt);
  return expiresAt !== undefined && expiresAt <= now.getTime()
    ? { phase: "Expired", at: new Date(expiresAt) }
    : undefined;
}

function decideEnd({ grant }: ObservedGrant, { phase, at }: End, now: Date): GrantPlan {
  const left = at.getTime() + KEPT_MILLISECONDS - now.getTime();
  if (left <= 0) return { kind: "remove" };
  const finding = notReady(phase, `the grant is ${phase.toLowerCase()} and allows nothing any more`);
  const { keyId, proof } = grant.status ?? {};
  return {
    kind: "settle",
    next: Math.min(left, HOUR_MILLISECONDS),
    status: {
      ...statusOf(grant, finding, now),
      ...(keyId !== undefined && { keyId }),
      ...(proof !== undefined && { proof }),
      ...{ phase, endedAt: rfc3339(at) },
    },
  };
}

function decideAccepted(observed: ObservedGrant, now: Date): GrantPlan {
  const { grant, held, proven } = observed;
  const keyId = held?.keyId ?? (grant.status?.keyId as KeyId | undefined);
  if (keyId === undefined) return refused(observed, noKey(observed), now);
  if (held !== undefined && isAltered(observed, held)) return altered(observed, held, now);
  if (!proven || keyId !== grant.status?.keyId) return accepted(observed, keyId, now);
  const status = {
    ...activeStatus(observed, keyId, now),
    ...(grant.status?.proof && { proof: grant.status.proof }),
  };
  return { kind: "settle", status, ...untilExpiry(grant, now) };
}

/** Returns true if the object no longer says what this node's record of the grant says. */
const isAltered = ({ grant, account }: ObservedGrant, held: GrantRow): boolean =>
  !isSameGrant(grantRowOf(grant, held.keyId, account), held);

/** The record decides what is granted. A proof would be for what the object says, so none is made or kept. */
function altered({ grant }: ObservedGrant, { keyId }: GrantRow, now: Date): GrantPlan {
  const finding = notReady("SpecAltered", specAltered(grant));
  const status = { ...statusOf(grant, finding, now), keyId, phase: "Active" } as const;
  return { kind: "settle", status, next: RIGHT_MILLISECONDS };
}

const accepted = (observed: ObservedGrant, keyId: KeyId, now: Date): GrantPlan => ({
  kind: "accept",
  row: grantRowOf(observed.grant, keyId, observed.account),
  status: activeStatus(observed, keyId, now),
  ...untilExpiry(observed.grant, now),
});

function activeStatus(observed: ObservedGrant, keyId: KeyId, now: Date): KeyGrantStatus {
  const { grant } = observed;
  const replaced = observed.keyId !== undefined && observed.keyId !== keyId;
  const finding = replaced ? notReady("KeyReplaced", keyReplaced(grant, keyId)) : granted(grant);
  return { ...statusOf(grant, finding, now), keyId, phase: "Active" };
}

function untilExpiry({ spec }: KeyGrant, now: Date): { readonly next?: number } {
  const expiresAt = parseTime(spec.expiresAt);
  return expiresAt === undefined ? {} : { next: Math.min(expiresAt - now.getTime(), HOUR_MILLISECONDS) };
}

function refused({ grant }: ObservedGrant, finding: Finding, now: Date): GrantPlan {
  const next = finding.reason === "MasterKeyNotReady" ? KEY_MILLISECONDS : RIGHT_MILLISECONDS;
  return { kind: "settle", status: statusOf(grant, finding, now), next };
}

const statusOf = (grant: KeyGrant, finding: Finding, now: Date): KeyGrantStatus => ({
  observedGeneration: grant.metadata.generation,
  grantId: grantIdOf(grant),
  ...usageOf(grant),
  conditions: withFindings(grant.status?.conditions, [finding], grant.metadata.generation, now),
});

/** The nodes' counts stay whatever becomes of the grant. */
const usageOf = ({ status: { uses, lastUsed, usage } = {} }: KeyGrant): Partial<KeyGrantStatus> => ({
  ...(uses !== undefined && { uses }),
  ...(lastUsed !== undefined && { lastUsed }),
  ...(usage !== undefined && { usage }),
});

const specAltered = (grant: KeyGrant): string =>
  `the spec of KeyGrant ${objectText(grant)} is not what the leader has recorded, and the record decides what is granted: delete the KeyGrant and create it again`;

const keyReplaced = (grant: KeyGrant, keyId: KeyId): string =>
  `the grant is for key ${keyId}, and MasterKey ${grant.spec.masterKey} is another key now: create a KeyGrant for that one`;

const granted = (grant: KeyGrant): Finding => ({
  type: "Ready",
  status: "True",
  reason: "Granted",
  message: `KeyGrant ${objectText(grant)} lets ${grant.spec.granteePrincipal} use MasterKey ${grant.spec.masterKey}`,
});
