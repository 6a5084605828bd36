import type { Action } from "../../access/actions.ts";
import type { PolicyRequest } from "../../access/policy/judge-policy.ts";
import type { GivenValues } from "./given-pairs.ts";

/** A condition key that a statement asked for, and that nobody gave: the values that it was taken to have. */
export interface Assumption {
  readonly conditionKey: string;
  /** None if the request was taken not to have it. */
  readonly values: readonly string[];
}

type During = (action: Action, hasContext: boolean) => boolean;

const always: During = () => true;
const during =
  (...actions: readonly Action[]): During =>
  (action) =>
    actions.includes(action);

/** The condition keys that a request itself decides, by the beginning of their `contextName`. */
const DECIDED_BY_REQUEST: readonly (readonly [string, During])[] = [
  ["aws:currenttime", always],
  ["aws:securetransport", always],
  ["aws:sourceip", always],
  ["kms:encryptioncontext", (_, hasContext) => !hasContext],
  ["kms:requestalias", (action) => !action.endsWith("Alias")],
  ["aws:tagkeys", during("TagResource", "UntagResource")],
  ["aws:requesttag/", during("TagResource")],
  ["kms:grantconstrainttype", during("CreateGrant")],
  ["kms:grantoperations", during("CreateGrant")],
  ["kms:granteeprincipal", during("CreateGrant")],
  ["kms:retiringprincipal", during("CreateGrant")],
  ["kms:schedulekeydeletionpendingwindowindays", during("ScheduleKeyDeletion")],
  ["kms:rotationperiodindays", during("EnableKeyRotation")],
  ["kms:bypasspolicylockoutsafetycheck", during("PutKeyPolicy")],
];

/**
 * Returns a request with the values that were given, and the list of the assumptions: it grows as a policy asks for
 * values that the request decides and nobody gave.
 */
export function withGiven(
  request: PolicyRequest,
  {
    action,
    given,
    hasContext,
  }: { readonly action: Action; readonly given: GivenValues; readonly hasContext: boolean },
): { readonly request: PolicyRequest; readonly assumptions: () => readonly Assumption[] } {
  const assumed = new Map<string, readonly string[]>();
  const get = (name: string): readonly string[] | undefined => {
    const value = given.get(name);
    if (value !== undefined) return value;
    // The API knows the address of each connection, and nobody knows it here.
    const found = name === "aws:sourceip" ? undefined : request.values.get(name);
    const isOpen = DECIDED_BY_REQUEST.some(
      ([key, applies]) => name.startsWith(key) && applies(action, hasContext),
    );
    if (isOpen) assumed.set(name, found ?? []);
    return found;
  };
  const assumptions = () => [...assumed].map(([conditionKey, values]) => ({ conditionKey, values }));
  return { request: { ...request, values: { get } }, assumptions };
}
