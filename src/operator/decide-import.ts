import type { WrappingKeySpec } from "../crypto/import-wrapping.ts";
import type { KeyVersion, MasterKey } from "../kube/resources.ts";
import { tokenValidTo } from "../seal/import-token.ts";
import type { Finding } from "./conditions.ts";
import type { MasterKeyPlan, NodeView } from "./decide-master-key.ts";
import { type Offer, offerOf } from "./import-offer.ts";
import { hasExpired } from "./material-expiry.ts";
import { differingRootKeys } from "./root-keys.ts";
import { promotionCandidate, versionsOf } from "./versions.ts";

/** AWS KMS's figures (GetParametersForImport, ImportKeyMaterial). */
export const PARAMETERS_VALID_MILLISECONDS = 24 * 3600 * 1000;
const MAX_VALIDITY_MILLISECONDS = 365 * 24 * 3600 * 1000;
/** Whoever fetches public key and token has this long at least. */
const RENEW_MILLISECONDS = 12 * 3600 * 1000;

/** What the leader knows when it decides about an import. */
export interface ObservedImport {
  readonly masterKey: MasterKey;
  /** What was decided of the key otherwise. */
  readonly plan: MasterKeyPlan;
  readonly versions: readonly KeyVersion[];
  readonly nodes: readonly NodeView[];
}

/** What to do next about importing. */
export type ImportStep =
  | { readonly kind: "none" }
  /** Make a new wrapping key, and publish its public half. */
  | { readonly kind: "publish"; readonly keySpec: WrappingKeySpec }
  /** Open what was offered, and ask `decideOpened`. */
  | { readonly kind: "open"; readonly offer: Offer }
  | Refusal
  | Waiting;

/** For good: the offer has to be changed. */
interface Refusal {
  readonly kind: "refuse";
  readonly offer: Offer;
  readonly finding: Finding;
}
/** The offer is looked at again when this has passed. */
interface Waiting {
  readonly kind: "wait";
  readonly finding: Finding;
}

/** What to do with material that was opened. */
export type OpenedStep =
  | { readonly kind: "create"; readonly number: number }
  /** The material is there already; a re-import says anew until when it may be used. */
  | { readonly kind: "setExpiry"; readonly version: KeyVersion }
  | { readonly kind: "keep"; readonly version: KeyVersion }
  | Refusal
  | Waiting;

/** Decides what to do about importing, at most one step. */
export function decideImport(observed: ObservedImport, now: Date): ImportStep {
  const { masterKey, plan } = observed;
  if (masterKey.spec.origin !== "EXTERNAL" || masterKey.status?.keyId === undefined) return NONE;
  if (plan.step.kind !== "wait" && plan.step.kind !== "settled") return NONE;
  const offer = newOffer(masterKey);
  if (offer === undefined) return decideParameters(observed, now);
  const obstacle = waitFor(observed);
  if (obstacle !== undefined) return { kind: "wait", finding: obstacle };
  const objection = firstObjection(observed, offer, now);
  return objection === undefined ? { kind: "open", offer } : { kind: "refuse", offer, finding: objection };
}

const NONE = { kind: "none" } as const;

/** An offer that was neither taken up nor refused yet. */
export function newOffer({ spec, status }: MasterKey): Offer | undefined {
  const offer = offerOf(spec.import);
  return offer?.digest === status?.import?.processed?.digest ? undefined : offer;
}

/** Decides what becomes of opened material, by its id. */
export function decideOpened(observed: ObservedImport, offer: Offer, materialId: string): OpenedStep {
  const { masterKey } = observed;
  const versions = own(observed);
  const same = versions.find(({ spec }) => spec.materialId === materialId);
  const newest = versions.at(-1);
  const isNew = typeOf(offer, versions) === "NEW_KEY_MATERIAL";
  if (same !== undefined && (!isNew || same === newest)) {
    const kind = same.spec.validTo === offer.validTo ? "keep" : "setExpiry";
    return { kind, version: same };
  }
  if (same !== undefined) return refused(offer, "IncorrectKeyMaterial", oldMaterial(same.spec.number));
  if (!isNew) return refused(offer, "IncorrectKeyMaterial", OTHER_MATERIAL);
  if (newest !== undefined && promotionCandidate(masterKey, versions) !== undefined) {
    return { kind: "wait", finding: failed("RotationInProgress", pending(newest.spec.number)) };
  }
  const current = masterKey.status?.currentVersion?.number ?? 0;
  return { kind: "create", number: Math.max(current, newest?.spec.number ?? 0) + 1 };
}

const OTHER_MATERIAL =
  "the material is not that of any version of this key: import the same material again, or set spec.import.importType to NEW_KEY_MATERIAL to rotate to it";
const oldMaterial = (number: number): string =>
  `the material is that of version ${number}, which a later one has replaced: rotate to new random material, or set spec.import.importType to EXISTING_KEY_MATERIAL to use version ${number} again`;
const pending = (number: number): string =>
  `version ${number} is not current yet (see the condition Distributed); the material is taken up after it`;

/** Whether the key can do nothing before somebody imports material. */
export function isPendingImport(observed: ObservedImport, now: Date): boolean {
  const { masterKey, plan } = observed;
  if (masterKey.spec.origin !== "EXTERNAL" || plan.status.keyId === undefined) return false;
  const current = plan.status.currentVersion;
  if (current === undefined) return own(observed).length === 0;
  const version = own(observed).find(({ spec }) => spec.versionId === current.versionId);
  return version !== undefined && hasExpired(version, now);
}

/** Whether somebody asked for a public key and token and has not imported with them yet. */
export function hasOpenRequest({ spec, status }: MasterKey): boolean {
  const request = spec.import?.requestToken;
  const done = status?.import?.processed;
  return request !== undefined && !(done?.number !== undefined && done.requestToken === request);
}

/** In how many milliseconds public key and token are to be renewed, where there are any. */
export function nextRenewal({ status }: MasterKey, now: Date): number | undefined {
  const { publicKey, validTo } = status?.import ?? {};
  if (publicKey === undefined || validTo === undefined) return undefined;
  return Math.max(0, Date.parse(validTo) - RENEW_MILLISECONDS - now.getTime());
}

function decideParameters(observed: ObservedImport, now: Date): ImportStep {
  const { masterKey } = observed;
  if (!isPendingImport(observed, now) && !hasOpenRequest(masterKey)) return NONE;
  const request = masterKey.spec.import?.requestToken;
  const asked = request !== undefined && request !== masterKey.status?.import?.requestToken;
  const renewal = nextRenewal(masterKey, now);
  if (!asked && renewal !== undefined && renewal > 0) return NONE;
  return { kind: "publish", keySpec: masterKey.spec.import?.wrappingKeySpec ?? "RSA_4096" };
}

/** What has to pass first; the offer itself may be all right. */
function waitFor(observed: ObservedImport): Finding | undefined {
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

type Objection = readonly [reason: string, message: string];
type Check = (observed: ObservedImport, offer: Offer, now: Date) => Objection | undefined;

/** In this order: the first that objects is the one to mend. */
const checks: readonly Check[] = [allImported, tokenIsValid, validToIsInRange, typeFits];

function firstObjection(observed: ObservedImport, offer: Offer, now: Date): Finding | undefined {
  for (const check of checks) {
    const objection = check(observed, offer, now);
    if (objection !== undefined) return failed(...objection);
  }
  return undefined;
}

/**
 * A MasterKey that was made again with origin EXTERNAL adopts versions that
 * claviger made: whoever may write MasterKeys must not bring a key of theirs there.
 */
function allImported(observed: ObservedImport): Objection | undefined {
  const made = own(observed).find(({ spec }) => spec.origin !== "EXTERNAL");
  if (made === undefined) return undefined;
  return [
    "OriginDiffers",
    `version ${made.spec.number} was made by claviger: material is imported into keys that never had other than imported material; make a new MasterKey`,
  ];
}

/** What the token says of itself; that it was not altered shows when it is opened. */
function tokenIsValid(_: ObservedImport, { importToken }: Offer, now: Date): Objection | undefined {
  const validTo = tokenValidTo(importToken);
  if (validTo === undefined) return INVALID_TOKEN;
  if (validTo > now.getTime()) return undefined;
  return [
    "ExpiredImportToken",
    `the import token was valid until ${new Date(validTo).toISOString()}: wrap the material under the public key that status.import has now, and send its token along`,
  ];
}

/** The token does not open, for whatever reason. */
export const INVALID_TOKEN: Objection = [
  "InvalidImportToken",
  "the import token was not made for this key, or was altered: use public key and token of status.import, both of one moment",
];

function validToIsInRange(_: ObservedImport, { validTo }: Offer, now: Date): Objection | undefined {
  if (validTo === undefined) return undefined;
  const ahead = Date.parse(validTo) - now.getTime();
  if (ahead > 0 && ahead <= MAX_VALIDITY_MILLISECONDS) return undefined;
  return ["InvalidValidTo", `spec.import.validTo ${validTo} must be in the future, by at most 365 days`];
}

/** AWS KMS: only symmetric keys rotate to other material. */
function typeFits(observed: ObservedImport, offer: Offer): Objection | undefined {
  const versions = own(observed);
  const type = typeOf(offer, versions);
  if (type === "EXISTING_KEY_MATERIAL" && versions.length === 0) {
    return ["InvalidImportType", "the key has no material yet: leave spec.import.importType out"];
  }
  const { keySpec } = observed.masterKey.spec;
  if (offer.importType === "NEW_KEY_MATERIAL" && versions.length > 0 && keySpec !== "SYMMETRIC_DEFAULT") {
    return [
      "InvalidImportType",
      `only SYMMETRIC_DEFAULT keys rotate to new material, and this is ${keySpec}`,
    ];
  }
  return undefined;
}

/** AWS KMS's default: new for a key that has no material, existing afterwards. */
const typeOf = ({ importType }: Offer, versions: readonly KeyVersion[]) =>
  importType ?? (versions.length === 0 ? "NEW_KEY_MATERIAL" : "EXISTING_KEY_MATERIAL");

const own = ({ masterKey, versions }: ObservedImport): KeyVersion[] =>
  versionsOf(masterKey.status?.keyId, versions);

const failed = (reason: string, message: string): Finding => ({
  type: "Imported",
  status: "False",
  reason,
  message,
});

/** An offer that is refused for good. */
export const refused = (offer: Offer, reason: string, message: string): Refusal => ({
  kind: "refuse",
  offer,
  finding: failed(reason, message),
});
