import { printable } from "../../printable.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyAlias } from "../../resources/resources.ts";
import { AwsError, type AwsErrorType } from "../aws-error.ts";

/** Reasons of a KeyAlias that do not end by themselves. Others, such as a node that is silent, may. */
const FINAL: ReadonlyMap<string, AwsErrorType> = new Map([
  ["QuotaExceeded", "LimitExceededException"],
  ["TooManyFormerTargets", "LimitExceededException"],
  ["ImportedNotAllowed", "KMSInvalidStateException"],
  ["KeyIDWouldReturn", "KMSInvalidStateException"],
  ["KeySpecDiffers", "KMSInvalidStateException"],
  ["MasterKeyDisabled", "KMSInvalidStateException"],
  ["MaterialExpired", "KMSInvalidStateException"],
]);

/** Returns the refusal of an alias by the operator; undefined if it may still accept the alias. */
export function aliasRefusal({ metadata, status }: KeyAlias): AwsError | undefined {
  const ready = conditionOf(status?.conditions, "Ready");
  if (ready?.status !== "False" || ready.observedGeneration !== metadata.generation) return undefined;
  const type = FINAL.get(ready.reason);
  return type && new AwsError(type, printable(ready.message, 1024));
}
