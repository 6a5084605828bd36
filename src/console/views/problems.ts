import { oneLine } from "../../printable.ts";
import { needsSomebody, passesByItself } from "../../resources/passing-reasons.ts";
import type { KeyAlias, KeyServer, MasterKey } from "../../resources/resources.ts";
import type { Condition } from "../../resources/schemas/fields.ts";
import { type Problem, shown } from "../overview.ts";

/** Conditions that are wrong if they are True. Any other condition is wrong if it is False. */
const WRONG_IF_TRUE = new Set(["MaterialExpiring", "DeletionBlocked"]);
/** Conditions that state a fact, not a fault. */
const FACTS = new Set(["InUse", "Destroyed"]);
/** Reasons that somebody wanted. */
const WANTED = new Set(["Disabled", "KeyDisabled", "PendingDeletion", "Destroyed", "BeingDeleted"]);
/** Only Ready is a fault if nobody knows it; the other conditions have good reasons for Unknown. */
const WRONG_IF_UNKNOWN = new Set(["Ready"]);

/** The objects whose conditions are shown. */
export type Reporting = MasterKey | KeyAlias | KeyServer;

/** Returns what somebody should know of these objects: first what needs somebody, then the rest. */
export function problemsOf(objects: readonly Reporting[]): Problem[] {
  const all = objects.flatMap((object) =>
    (object.status?.conditions ?? []).filter(isWrong).map((condition) => problemOf(object, condition)),
  );
  return [...all.filter((each) => each.needsSomebody), ...all.filter((each) => !each.needsSomebody)];
}

function isWrong({ type, status }: Condition): boolean {
  if (FACTS.has(type)) return false;
  if (status === "Unknown") return WRONG_IF_UNKNOWN.has(type);
  return (status === "True") === WRONG_IF_TRUE.has(type);
}

function problemOf({ kind, metadata }: Reporting, condition: Condition): Problem {
  const { namespace, name } = metadata;
  return {
    object: shown(`${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`),
    reason: shown(condition.reason),
    message: oneLine(condition.message),
    since: shown(condition.lastTransitionTime),
    needsSomebody: actNow(condition),
  };
}

function actNow(condition: Condition): boolean {
  if (condition.type === "Reencrypted") return needsSomebody(condition);
  return !passesByItself(condition.reason) && !WANTED.has(condition.reason);
}
