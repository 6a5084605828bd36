import { WRAPPING_ALGORITHMS } from "../../crypto/import-wrapping.ts";
import { conditionOf, type Finding } from "../../resources/conditions.ts";
import type { ImportStatus } from "../../resources/schemas/import.ts";
import { versionsOf } from "../../resources/versions.ts";
import { rfc3339 } from "../../times.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";
import {
  type Asked,
  hasOpenRequest,
  isPendingImport,
  newOffer,
  type ObservedImport,
} from "./decide-import.ts";
import { type MaterialDeletion, newDeletion } from "./decide-material-deletion.ts";
import type { Offer } from "./import-offer.ts";
import { expiryFinding, hasExpired, isDeleted } from "./material-expiry.ts";

/** The reason while an error prevents a step. */
const FAILED = "ImportFailed";

/** The outcome of a step. */
export type ImportOutcome =
  | { readonly kind: "none" }
  | { readonly kind: "published"; readonly parameters: Parameters }
  | {
      readonly kind: "imported";
      readonly offer: Offer;
      readonly number: number;
      readonly materialId: string;
    }
  | {
      readonly kind: "deleted";
      readonly offer: MaterialDeletion;
      readonly number: number;
      readonly materialId: string;
      /** The time from which on the material is refused: it is past. */
      readonly validTo: string;
    }
  | { readonly kind: "refused"; readonly offer: Asked; readonly finding: Finding }
  | { readonly kind: "waiting"; readonly finding: Finding };

/** The data that somebody needs to wrap material. */
export interface Parameters {
  readonly publicKey: string;
  readonly importToken: string;
  /** In Kubernetes' format. */
  readonly validTo: string;
}

/**
 * Returns the part of the status from a step about importing. It overrides the plan's fields and conditions
 * of the same name.
 */
export function importPart(observed: ObservedImport, outcome: ImportOutcome, now: Date): StatusPart {
  const status = importStatus(observed, outcome, now);
  const pending = outcome.kind !== "imported" && isPendingImport(observed, now);
  return {
    fields: {
      ...(pending && observed.plan.fields.keyState !== "Disabled" && { keyState: "PendingImport" as const }),
      ...(status !== undefined && { import: status }),
    },
    findings: findings(observed, outcome, now),
  };
}

/** The part if an error kept the step from being made, which changed nothing; undefined if nobody waits for it. */
export function failedImportPart(observed: ObservedImport, why: string, now: Date): StatusPart | undefined {
  const { masterKey } = observed;
  const isAsked = newOffer(masterKey) !== undefined || newDeletion(masterKey) !== undefined;
  if (!isAsked && masterKey.status?.currentVersion !== undefined) return undefined;
  const message = `importing is tried again: ${why}`;
  const finding = { type: "Imported", status: "False", reason: FAILED, message } as const;
  return importPart(observed, { kind: "waiting", finding }, now);
}

function importStatus(observed: ObservedImport, outcome: ImportOutcome, now: Date): ImportStatus | undefined {
  const { masterKey } = observed;
  const before = masterKey.status?.import;
  const processed = processedAfter(observed, outcome);
  const request = outcome.kind === "published" ? masterKey.spec.import?.requestToken : before?.requestToken;
  const status = {
    ...(request !== undefined && { requestToken: request }),
    ...parametersAfter(observed, outcome, now),
    ...(processed !== undefined && { processed }),
  };
  return Object.keys(status).length === 0 ? undefined : status;
}

function processedAfter({ masterKey }: ObservedImport, outcome: ImportOutcome): ImportStatus["processed"] {
  if (!("offer" in outcome)) return masterKey.status?.import?.processed;
  const request = masterKey.spec.import?.requestToken;
  return {
    digest: outcome.offer.digest,
    ...(request !== undefined && { requestToken: request }),
    ...(outcome.kind !== "refused" && { number: outcome.number, materialId: outcome.materialId }),
  };
}

/** The public key and token stay while an import is awaited. */
function parametersAfter(
  observed: ObservedImport,
  outcome: ImportOutcome,
  now: Date,
): Pick<ImportStatus, "publicKey" | "importToken" | "algorithms" | "validTo"> {
  if (outcome.kind === "published") return { ...outcome.parameters, algorithms: WRAPPING_ALGORITHMS };
  const { masterKey } = observed;
  const awaited = isPendingImport(observed, now) || hasOpenRequest(masterKey);
  const { publicKey, importToken, algorithms, validTo } = masterKey.status?.import ?? {};
  if (outcome.kind === "imported" || !awaited || publicKey === undefined) return {};
  // Our own token does not open, so the root key has changed, and the next pass creates a new token.
  if (outcome.kind === "refused" && outcome.finding.reason === "InvalidImportToken") {
    if (outcome.offer.importToken === importToken) return {};
  }
  return {
    publicKey,
    ...(importToken !== undefined && { importToken }),
    ...(algorithms !== undefined && { algorithms }),
    ...(validTo !== undefined && { validTo }),
  };
}

function findings(observed: ObservedImport, outcome: ImportOutcome, now: Date): Finding[] {
  const imported = importFinding(observed, outcome, now);
  const expiring = expiryFinding(versionsAfter(observed, outcome), now) ?? noLongerExpiring(observed);
  const ready = outcome.kind === "imported" ? undefined : expiredFinding(observed, now);
  return [imported, expiring, ready].filter((finding) => finding !== undefined);
}

/** A warning must not outlive its cause. */
function noLongerExpiring({ masterKey }: ObservedImport): Finding | undefined {
  const type = "MaterialExpiring";
  if (conditionOf(masterKey.status?.conditions, type) === undefined) return undefined;
  return { type, status: "False", reason: "DoesNotExpire", message: "no material of this key expires" };
}

/** Includes the effect of a re-import or deletion in this pass, so that no warning outlives it or is late. */
function versionsAfter({ masterKey, versions }: ObservedImport, outcome: ImportOutcome) {
  const own = versionsOf(masterKey.status?.keyId, versions);
  if (outcome.kind !== "imported" && outcome.kind !== "deleted") return own;
  const { number, materialId } = outcome;
  const validTo = outcome.kind === "imported" ? outcome.offer.validTo : outcome.validTo;
  return own.map((version) => {
    if (version.spec.number !== number || version.spec.materialId !== materialId) return version;
    const { validTo: _, ...spec } = version.spec;
    return { ...version, spec: { ...spec, ...(validTo !== undefined && { validTo }) } };
  });
}

function importFinding(observed: ObservedImport, outcome: ImportOutcome, now: Date): Finding | undefined {
  const { masterKey } = observed;
  if (outcome.kind === "refused" || outcome.kind === "waiting") return outcome.finding;
  if (outcome.kind === "imported") {
    const { number, materialId, offer } = outcome;
    const end = offer.validTo === undefined ? "does not expire" : `expires at ${offer.validTo}`;
    const message = `version ${number} has the imported material ${materialId}, which ${end}`;
    return { type: "Imported", status: "True", reason: "Imported", message };
  }
  if (outcome.kind === "deleted") {
    const message = `the material ${outcome.materialId} of version ${outcome.number} was deleted, as of ${rfc3339(now)}: import the same material again to use it again`;
    return { type: "Imported", status: "False", reason: "MaterialDeleted", message };
  }
  // Another step came first, so nothing is known about this generation yet.
  if (newOffer(masterKey) !== undefined || newDeletion(masterKey) !== undefined) return undefined;
  const before = conditionOf(masterKey.status?.conditions, "Imported");
  const passed = before?.reason === FAILED && isPendingImport(observed, now);
  if (before !== undefined && !passed) {
    // Reported for this generation too, so that whoever waits for it knows that the offer was seen.
    const { type, status, reason, message } = before;
    return { type, status, reason, message };
  }
  if (!isPendingImport(observed, now)) return undefined;
  const { namespace, name } = masterKey.metadata;
  const message = `no material was imported yet: run claviger import ${namespace}/${name} --material FILE, or wrap it under status.import.publicKey and put it into spec.import`;
  return { type: "Imported", status: "False", reason: "PendingImport", message };
}

/** The API server stops with its key, so the remedy must be in the condition that people read first. */
function expiredFinding(observed: ObservedImport, now: Date): Finding | undefined {
  const { masterKey, plan, versions } = observed;
  const current = plan.fields.currentVersion;
  const version = versionsOf(masterKey.status?.keyId, versions).find(
    ({ spec }) => spec.versionId === current?.versionId,
  );
  if (!masterKey.spec.enabled || version === undefined || !hasExpired(version, now)) return undefined;
  const end = isDeleted(version) ? "was deleted" : `expired at ${version.spec.validTo}`;
  const message = `the material of version ${version.spec.number} ${end}: nothing encrypts or decrypts under it until the same material is imported again`;
  return { type: "Ready", status: "False", reason: "MaterialExpired", message };
}
