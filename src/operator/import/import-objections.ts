import { chain, firstFinding } from "../../chain.ts";
import { type KeySpec, mayRotate, ROTATING_KEY_SPECS } from "../../crypto/key-specs.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { tokenValidTo } from "../../seal/import-token.ts";
import { DAY_MILLISECONDS, isoTime, timeOf } from "../../times.ts";
import type { Offer } from "./import-offer.ts";

/** AWS KMS's figure (ImportKeyMaterial). */
const MAX_VALIDITY_MILLISECONDS = 365 * DAY_MILLISECONDS;

/** The facts that an offer is checked against. */
export interface OfferFacts {
  /** All versions of the key. */
  readonly versions: readonly KeyVersion[];
  readonly keySpec: KeySpec;
  /** True if the key is pending deletion. */
  readonly pendingDeletion: boolean;
}

/** The reason why an offer is refused for good: a word for programs and a sentence for people. */
export type Objection = readonly [reason: string, message: string];

/** The first check that objects is reported, so the order is the order in which to fix them. */
const checks = chain<[facts: OfferFacts, offer: Offer, now: Date], Objection>({
  notPendingDeletion,
  allImported,
  tokenIsValid,
  validToIsInRange,
  typeFits,
});

/** Returns the first objection to an offer that has not been opened yet, if any. */
export function firstObjection(facts: OfferFacts, offer: Offer, now: Date): Objection | undefined {
  return firstFinding(checks, facts, offer, now);
}

/** AWS KMS: KMSInvalidStateException. */
function notPendingDeletion({ pendingDeletion }: OfferFacts): Objection | undefined {
  if (!pendingDeletion) return undefined;
  return ["PendingDeletion", "the key is pending deletion: remove spec.deletion, then import again"];
}

/**
 * A MasterKey that was created again with origin EXTERNAL adopts versions whose material claviger generated.
 * Whoever may write MasterKeys must not add a key of their own there.
 */
function allImported({ versions }: OfferFacts): Objection | undefined {
  const made = versions.find(({ spec }) => spec.origin !== "EXTERNAL");
  if (made === undefined) return undefined;
  return [
    "OriginDiffers",
    `version ${made.spec.number} was created by claviger: material can only be imported into keys that never had other material; create a new MasterKey`,
  ];
}

/** Checks the readable part of the token. A change of it is detected when the token is opened. */
function tokenIsValid(_: OfferFacts, { importToken }: Offer, now: Date): Objection | undefined {
  const validTo = tokenValidTo(importToken);
  if (validTo === undefined) return INVALID_TOKEN;
  if (validTo > now.getTime()) return undefined;
  return [
    "ExpiredImportToken",
    `the import token was valid until ${isoTime(validTo)}: wrap the material under the public key that status.import has now, and send its token along`,
  ];
}

/** The token does not open, for whatever reason. */
export const INVALID_TOKEN: Objection = [
  "InvalidImportToken",
  "the import token was not made for this key, or was altered: use public key and token of status.import, both of one moment",
];

function validToIsInRange(_: OfferFacts, { validTo }: Offer, now: Date): Objection | undefined {
  if (validTo === undefined) return undefined;
  const ahead = timeOf(validTo) - now.getTime();
  if (ahead > 0 && ahead <= MAX_VALIDITY_MILLISECONDS) return undefined;
  return ["InvalidValidTo", `spec.import.validTo ${validTo} must be in the future, by at most 365 days`];
}

/** AWS KMS: only symmetric keys rotate to other material. */
function typeFits({ versions, keySpec }: OfferFacts, offer: Offer): Objection | undefined {
  const type = importTypeOf(offer, versions);
  if (type === "EXISTING_KEY_MATERIAL" && versions.length === 0) {
    return ["InvalidImportType", "the key has no material yet: leave spec.import.importType out"];
  }
  if (offer.importType === "NEW_KEY_MATERIAL" && versions.length > 0 && !mayRotate(keySpec)) {
    return [
      "InvalidImportType",
      `only ${ROTATING_KEY_SPECS.join(", ")} keys rotate to new material, and this is ${keySpec}`,
    ];
  }
  return undefined;
}

/** AWS KMS's default: new for a key that has no material, existing afterwards. */
export const importTypeOf = ({ importType }: Offer, versions: readonly KeyVersion[]) =>
  importType ?? (versions.length === 0 ? "NEW_KEY_MATERIAL" : "EXISTING_KEY_MATERIAL");
