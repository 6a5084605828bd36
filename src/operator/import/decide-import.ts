import type { WrappingKeySpec } from "../../crypto/import-wrapping.ts";
import type { Finding } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { promotionCandidate, versionsOf } from "../../resources/versions.ts";
import { HOUR_MILLISECONDS, parseTime } from "../../times.ts";
import type { MasterKeyPlan } from "../master-key/decide-master-key.ts";
import type { Room } from "../master-key/namespace-room.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { differingRootKeys } from "../nodes/root-keys.ts";
import type { Obstacle } from "../retirement/usage-census.ts";
import {
  decideMaterialDeletion,
  type KeyUsers,
  type MaterialDeletion,
  newDeletion,
} from "./decide-material-deletion.ts";
import { firstObjection, importTypeOf } from "./import-objections.ts";
import { type Offer, offerOf } from "./import-offer.ts";
import { hasExpired } from "./material-expiry.ts";

/** AWS KMS's figure (GetParametersForImport). */
export const PARAMETERS_VALID_MILLISECONDS = 24 * HOUR_MILLISECONDS;
/** Whoever fetches the public key and token has at least this long to use them. */
const RENEW_MILLISECONDS = 12 * HOUR_MILLISECONDS;

/** The facts on which the leader decides about an import. */
export interface ObservedImport {
  readonly masterKey: MasterKey;
  /** The plan of the key's other decisions. */
  readonly plan: MasterKeyPlan;
  readonly versions: readonly KeyVersion[];
  readonly nodes: readonly NodeView[];
  /** Set if the time is not known: the leader's clock may be wrong, and was never known to be right. */
  readonly timeUnknown?: Obstacle | undefined;
  /** The room that is left in the key's namespace. */
  readonly room: Room;
  /** Returns the users of the key: a deletion of its material depends on them. */
  readonly users: () => KeyUsers;
  /** Returns the same, read past the cache. Throws Conflict if the MasterKey's spec has changed meanwhile. */
  readonly freshUsers: () => Promise<KeyUsers>;
  /**
   * True if a version's validTo or proof in the API server differs from the leader's keyring. That must be
   * resolved first.
   */
  readonly unsettled?: boolean;
}

/** The next step about importing. */
export type ImportStep =
  | { readonly kind: "none" }
  /** Generates a new wrapping key, and publishes its public half. */
  | { readonly kind: "publish"; readonly keySpec: WrappingKeySpec }
  /** Opens the offered material, and asks `decideOpened`. */
  | { readonly kind: "open"; readonly offer: Offer }
  /** Ends the use of material by a `validTo` in the past; absent if its use has ended before. */
  | {
      readonly kind: "delete";
      readonly deletion: MaterialDeletion;
      readonly version: KeyVersion;
      readonly validTo?: string;
    }
  | Refusal
  | Waiting;

/** A refusal for good: spec.import has to be changed. */
interface Refusal {
  readonly kind: "refuse";
  readonly offer: Asked;
  readonly finding: Finding;
}
/** An offer, or a deletion, which has no token. */
export type Asked = Pick<Offer, "digest"> & Partial<Pick<Offer, "importToken">>;
/** The offer is decided again after this wait. */
interface Waiting {
  readonly kind: "wait";
  readonly finding: Finding;
}

/** The next step with material that was opened. */
export type OpenedStep =
  | { readonly kind: "create"; readonly number: number }
  /** The key has the material already, and a re-import changes the time until which it may be used. */
  | { readonly kind: "setExpiry"; readonly version: KeyVersion }
  | { readonly kind: "keep"; readonly version: KeyVersion }
  | Refusal
  | Waiting;

/** Decides what to do about importing, at most one step. `now` is the time by which material expires. */
export function decideImport(observed: ObservedImport, now: Date): ImportStep {
  const { masterKey, plan } = observed;
  if (masterKey.spec.origin !== "EXTERNAL" || masterKey.status?.keyId === undefined) return NONE;
  if (plan.step.kind !== "wait" && plan.step.kind !== "settled") return NONE;
  const deletion = newDeletion(masterKey);
  if (deletion !== undefined) return decideDeletion(observed, deletion, now);
  const offer = newOffer(masterKey);
  if (offer === undefined) return decideParameters(observed, now);
  const obstacle = waitFor(observed);
  if (obstacle !== undefined) return { kind: "wait", finding: obstacle };
  const facts = {
    versions: own(observed),
    keySpec: masterKey.spec.keySpec,
    pendingDeletion: masterKey.status.deletion !== undefined,
  };
  const objection = firstObjection(facts, offer, now);
  return objection === undefined ? { kind: "open", offer } : refused(offer, ...objection);
}

const NONE = { kind: "none" } as const;

function decideDeletion(observed: ObservedImport, deletion: MaterialDeletion, now: Date): ImportStep {
  const { masterKey, versions, users } = observed;
  const obstacle = waitFor(observed);
  if (obstacle !== undefined) return { kind: "wait", finding: obstacle };
  const step = decideMaterialDeletion(masterKey, versions, deletion, users(), now);
  switch (step.kind) {
    case "delete":
      return { ...step, deletion };
    case "refuse":
      return { ...step, offer: deletion };
    case "wait":
      return step;
  }
}

/** Returns an offer that was neither accepted nor refused yet. */
export function newOffer({ spec, status }: MasterKey): Offer | undefined {
  const offer = offerOf(spec.import);
  return offer?.digest === status?.import?.processed?.digest ? undefined : offer;
}

/** Decides what to do with opened material, by its id. */
export function decideOpened(
  observed: ObservedImport,
  offer: Offer,
  materialId: string,
  now: Date,
): OpenedStep {
  const { masterKey } = observed;
  const versions = own(observed);
  const same = versions.find(({ spec }) => spec.materialId === materialId);
  const newest = versions.at(-1);
  const isNew = importTypeOf(offer, versions) === "NEW_KEY_MATERIAL";
  if (same !== undefined && (!isNew || same === newest)) {
    const kind = same.spec.validTo === offer.validTo ? "keep" : "setExpiry";
    return { kind, version: same };
  }
  if (same !== undefined) return refused(offer, "IncorrectKeyMaterial", oldMaterial(same.spec.number));
  if (!isNew) return refused(offer, "IncorrectKeyMaterial", OTHER_MATERIAL);
  const candidate = promotionCandidate(masterKey, versions);
  // A version that expired before it became current could only become current by a re-import, but nobody may
  // still have its material.
  if (newest !== undefined && candidate !== undefined && !hasExpired(candidate, now)) {
    return { kind: "wait", finding: failed("RotationInProgress", pending(newest.spec.number)) };
  }
  const lack = newest === undefined ? observed.room.firstVersion : observed.room.askedVersion;
  if (lack !== undefined) {
    return { kind: "wait", finding: failed(lack.reason, `the material waits: ${lack.message}`) };
  }
  return { kind: "create", number: (newest?.spec.number ?? 0) + 1 };
}

const OTHER_MATERIAL =
  "the material is not that of any version of this key: import the same material again, or set spec.import.importType to NEW_KEY_MATERIAL (claviger import --new) to rotate to it";
const oldMaterial = (number: number): string =>
  `the material is that of version ${number}, which a later one has replaced: rotate to new random material, or set spec.import.importType to EXISTING_KEY_MATERIAL (claviger import without --new) to use version ${number} again`;
const pending = (number: number): string =>
  `version ${number} is not current yet (see the condition Distributed); the material is taken up after it`;

/** Returns true if the key can do nothing before somebody imports material. */
export function isPendingImport(observed: ObservedImport, now: Date): boolean {
  const { masterKey, plan } = observed;
  if (masterKey.spec.origin !== "EXTERNAL" || plan.fields.keyId === undefined) return false;
  const current = plan.fields.currentVersion;
  if (current === undefined) return own(observed).length === 0;
  const version = own(observed).find(({ spec }) => spec.versionId === current.versionId);
  return version !== undefined && hasExpired(version, now);
}

/** Returns true if somebody requested a public key and token and has not imported with them yet. */
export function hasOpenRequest({ spec, status }: MasterKey): boolean {
  if (spec.import?.deleteMaterialId !== undefined) return false;
  const request = spec.import?.requestToken;
  const done = status?.import?.processed;
  return request !== undefined && !(done?.number !== undefined && done.requestToken === request);
}

/** Returns in how many milliseconds the public key and token are to be renewed, if there are any. */
export function nextRenewal({ status }: MasterKey, now: Date): number | undefined {
  const { publicKey, validTo } = status?.import ?? {};
  if (publicKey === undefined || validTo === undefined) return undefined;
  // A date that cannot be read is renewed at once.
  const until = parseTime(validTo) ?? 0;
  return Math.max(0, until - RENEW_MILLISECONDS - now.getTime());
}

function decideParameters(observed: ObservedImport, now: Date): ImportStep {
  const { masterKey } = observed;
  // If the clock is behind, the token would have ended before anybody uses it.
  if (observed.timeUnknown !== undefined) return NONE;
  if (!isPendingImport(observed, now) && !hasOpenRequest(masterKey)) return NONE;
  const request = masterKey.spec.import?.requestToken;
  const asked = request !== undefined && request !== masterKey.status?.import?.requestToken;
  const renewal = nextRenewal(masterKey, now);
  if (!asked && renewal !== undefined && renewal > 0) return NONE;
  return { kind: "publish", keySpec: masterKey.spec.import?.wrappingKeySpec ?? "RSA_4096" };
}

/** Returns a reason to wait, although the offer itself may be valid. */
function waitFor(observed: ObservedImport): Finding | undefined {
  // With a wrong clock, a token or a validTo would be refused for good.
  const { timeUnknown } = observed;
  if (timeUnknown !== undefined) return failed(timeUnknown.reason, timeUnknown.message);
  const differing = differingRootKeys(observed.nodes);
  if (differing !== undefined) return failed("RootKeysDiffer", differing);
  const current = observed.masterKey.status?.currentVersion;
  const there = own(observed).some(({ spec }) => spec.versionId === current?.versionId);
  if (current === undefined || there) return undefined;
  return failed(
    "VersionsMissing",
    `the KeyVersion of version ${current.number} does not exist, so the material cannot be compared; the nodes bring it back`,
  );
}

const own = ({ masterKey, versions }: ObservedImport): KeyVersion[] =>
  versionsOf(masterKey.status?.keyId, versions);

const failed = (reason: string, message: string): Finding => ({
  type: "Imported",
  status: "False",
  reason,
  message,
});

/** Refuses an offer for good. */
export const refused = (offer: Offer, reason: string, message: string): Refusal => ({
  kind: "refuse",
  offer,
  finding: failed(reason, message),
});
