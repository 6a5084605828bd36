import { mayRotate } from "../../crypto/key-specs.ts";
import { MOST_ON_DEMAND } from "../../operator/rotation/decide-rotation.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";

/** Every leader sees a request within this time. */
export const UNSEEN_MILLISECONDS = 300_000;

/** A requested rotation, and what has been seen of it. */
export interface RotationRequest {
  readonly token: string;
  /**
   * The uid of the MasterKey whose rotation was requested. A MasterKey that is created later under the same
   * name is another key.
   */
  readonly uid: string;
  /** The number of the version that the rotation creates, once it has begun. */
  readonly number?: number;
  /** The time since the request, in milliseconds. */
  readonly milliseconds: number;
}

export type RotationSight =
  | { readonly kind: "done"; readonly last: NonNullable<RotationStatus["last"]> }
  /**
   * Waiting is over. `armed`: the request is still in the spec and might be acted upon later. `begun`: the
   * version exists, and stored data has not followed it.
   */
  | { readonly kind: "over"; readonly armed?: true; readonly begun?: true; readonly why: string }
  | { readonly kind: "waiting" }
  | { readonly kind: "running"; readonly number: number };

/**
 * Returns why the key will not rotate on request, in the cases in which AWS KMS refuses RotateKeyOnDemand.
 */
export function rotationObjection(key: MasterKey): string | undefined {
  const { spec, status } = key;
  if (spec.origin !== "AWS_KMS") return "its material is imported; use claviger import --new";
  if (!mayRotate(spec.keySpec)) return `a ${spec.keySpec} key has one version only`;
  const rest = restingObjection(key);
  if (rest !== undefined) return rest;
  if (status?.currentVersion === undefined)
    return "it has no version yet; wait until its condition Ready is True";
  const used = status.rotation?.onDemandCount ?? 0;
  const limit = Math.min(spec.rotation?.onDemandLimit ?? 25, MOST_ON_DEMAND);
  if (used < limit) return undefined;
  const remedy = limit < MOST_ON_DEMAND ? "raise spec.rotation.onDemandLimit" : "no key may have more";
  return `${used} of ${limit} rotations were asked for; ${remedy}`;
}

/**
 * Returns what will become of a running rotation if another rotation is requested, or "" if none is running.
 */
export function supersededText({ status }: MasterKey): string {
  const running = status?.rotation?.running;
  if (running === undefined) return "";
  return `. The rotation to version ${running.number}, which is ${running.phase}, does not finish by itself: the new one takes its place, and writes again under its own version what is stored under version ${running.number} and earlier ones. No version is lost`;
}

/** Returns the reason that also stops a rotation that has begun. */
function restingObjection({ spec, status }: MasterKey): string | undefined {
  if (status?.keyState === "Destroyed") return "its material was destroyed; make another MasterKey";
  if (spec.deletion !== undefined && status?.deletion !== undefined) {
    return `it is pending deletion, due at ${status.deletion.deletionDate}; take spec.deletion out first`;
  }
  return spec.enabled ? undefined : "it is disabled; set spec.enabled to true first";
}

/** Decides what the present MasterKey says about the request. */
export function sightOf(key: MasterKey, request: RotationRequest): RotationSight {
  const { handledToken, running, last } = key.status?.rotation ?? {};
  if (key.metadata.uid !== request.uid) {
    return over(ANOTHER_KEY);
  }
  const seen = handledToken === request.token ? (running?.number ?? last?.number) : undefined;
  const number = request.number ?? seen;
  if (number !== undefined && last !== undefined && last.number >= number) return { kind: "done", last };
  if (number !== undefined) return sightOfBegun(key, number);
  return handledToken === request.token ? over(WITHOUT_ROTATION) : sightOfUnseen(key, request);
}

const over = (why: string): RotationSight => ({ kind: "over", why });

const ANOTHER_KEY =
  "the MasterKey was deleted and created again meanwhile, and nobody asked the new MasterKey; ask again if another version is wanted";
const WITHOUT_ROTATION =
  "the request came before the MasterKey had its keyId (it was just created, or its status was lost), so claviger counted it as done without a rotation; ask again if you want another version";

function sightOfBegun(key: MasterKey, number: number): RotationSight {
  const resting = restingObjection(key);
  if (resting === undefined) return { kind: "running", number };
  return { kind: "over", begun: true, why: `version ${number} was begun, and now ${resting}` };
}

function sightOfUnseen(key: MasterKey, { token, milliseconds }: RotationRequest): RotationSight {
  const inSpec = key.spec.rotation?.requestToken;
  if (inSpec !== token) return over(inSpec === undefined ? TAKEN_OUT : REPLACED);
  const why = rotationObjection(key) ?? refusalOf(key);
  if (why !== undefined) return { kind: "over", armed: true, why };
  return milliseconds < UNSEEN_MILLISECONDS
    ? { kind: "waiting" }
    : { kind: "over", armed: true, why: UNSEEN };
}

const TAKEN_OUT =
  "somebody took the request out of spec.rotation.requestToken before it was acted upon; ask again if another version is wanted";
const REPLACED =
  "another request took the place of this one in spec.rotation.requestToken before it was acted upon; if that makes no new version, ask again";
const UNSEEN = `no operator acted upon the request in ${UNSEEN_MILLISECONDS / 60_000} minutes; see in kubectl get keyservers whether operators report, and in their logs whether one leads`;

/**
 * Returns the leader's refusal for this very spec. While a request is open, the condition is about nothing
 * else.
 */
function refusalOf({ metadata, status }: MasterKey): string | undefined {
  const finding = conditionOf(status?.conditions, "RotationOnTime");
  const current = finding?.status === "False" && finding.observedGeneration === metadata.generation;
  return current ? finding.message : undefined;
}
