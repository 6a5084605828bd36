import { contextName } from "../../access/policy/condition-keys.ts";
import type { PolicyRequest } from "../../access/policy/judge-policy.ts";
import type { AliasRow, KeyRow } from "../../keyring/rows.ts";
import { rfc3339 } from "../../times.ts";
import { AwsError } from "../aws-error.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import type { Need, Request } from "../operations/operation.ts";
import { aliasesInRequest } from "../service/resource-text.ts";
import { POLICY_NAME } from "./aws-policies.ts";

/** The facts about keys that conditions ask for. */
export interface PolicyKeys extends Pick<AwsKeys, "site" | "details" | "alias" | "arn"> {
  /** Returns the aliases of a namespace. */
  aliasesOf(namespace: string): readonly AliasRow[];
}

/** A permission that a request needs on a key. */
export interface PolicyQuestion {
  readonly request: Request<object>;
  readonly need: Need;
  readonly key: KeyRow;
  readonly keys: PolicyKeys;
}

/** The members of requests that conditions are about. The service model has checked them, if an operation has them. */
interface ConditionInput {
  readonly Tags?: readonly { readonly TagKey: string; readonly TagValue: string }[];
  readonly TagKeys?: readonly string[];
  readonly PendingWindowInDays?: number;
  readonly RotationPeriodInDays?: number;
  readonly PolicyName?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
}

type Values = readonly string[] | undefined;
type Read = (question: PolicyQuestion) => Values;

/** AWS KMS's default. */
const PENDING_DAYS = 30;

const inputOf = ({ request: { input } }: PolicyQuestion): ConditionInput => input;
const detailsOf = ({ key, keys }: PolicyQuestion) => keys.details(key);
/** An action of other operations does not have the key. */
const during =
  (actions: readonly Need["action"][], read: Read): Read =>
  (question) =>
    actions.includes(question.need.action) ? read(question) : undefined;
const one = (value: string | number | boolean | undefined): Values =>
  value === undefined ? undefined : [String(value)];

const CONSTRAINTS = { Equals: "EncryptionContextEquals", Subset: "EncryptionContextSubset" } as const;

/** The condition keys, by `contextName`. Those without a row, such as kms:ViaService, no request here ever has. */
const READERS: Readonly<Record<string, Read>> = Object.freeze(
  Object.setPrototypeOf(
    {
      "aws:currenttime": ({ request }) => [rfc3339(new Date(request.now))],
      "aws:principalarn": ({ request }) => [request.caller.arn],
      "aws:securetransport": ({ request }) => one(request.origin?.isSecure === true),
      "aws:sourceip": ({ request }) => [addressOf(request)],
      "aws:tagkeys": (question) => {
        const { Tags, TagKeys } = inputOf(question);
        return TagKeys ?? Tags?.map(({ TagKey }) => TagKey);
      },
      "kms:bypasspolicylockoutsafetycheck": during(["PutKeyPolicy"], (question) =>
        one(inputOf(question).BypassPolicyLockoutSafetyCheck ?? false),
      ),
      "kms:calleraccount": ({ keys }) => [keys.site.account],
      "kms:encryptioncontextkeys": (question) => contextOf(question).map(([name]) => name),
      "kms:grantconstrainttype": ({ need: { proposed } }) =>
        one(proposed?.constraint && CONSTRAINTS[proposed.constraint.kind]),
      // No service of AWS comes here on a user's behalf.
      "kms:grantisforawsresource": during(["CreateGrant", "ListGrants", "RevokeGrant"], () => ["false"]),
      "kms:grantoperations": ({ need: { proposed } }) => proposed?.operations,
      "kms:granteeprincipal": ({ need: { proposed } }) => one(proposed?.granteePrincipal),
      "kms:keyorigin": (question) => one(detailsOf(question).origin),
      "kms:keyspec": (question) => one(detailsOf(question).keySpec),
      "kms:keyusage": (question) => one(detailsOf(question).keyUsage),
      "kms:policyname": during(["GetKeyPolicy", "PutKeyPolicy"], (question) =>
        one(inputOf(question).PolicyName ?? POLICY_NAME),
      ),
      "kms:requestalias": ({ need, key, request, keys }) =>
        // These are about the alias, and name the key by its id.
        need.action.endsWith("Alias") ? undefined : aliasesInRequest(key, request, keys).map(aliasName),
      "kms:resourcealiases": ({ key, keys }) =>
        keys
          .aliasesOf(key.namespace)
          .filter(({ masterKey }) => masterKey === key.name)
          .map(aliasName),
      "kms:retiringprincipal": ({ need: { proposed } }) => one(proposed?.retiringPrincipal),
      "kms:rotationperiodindays": during(["EnableKeyRotation"], (question) =>
        one(inputOf(question).RotationPeriodInDays ?? detailsOf(question).rotation.periodInDays),
      ),
      "kms:schedulekeydeletionpendingwindowindays": during(["ScheduleKeyDeletion"], (question) =>
        one(inputOf(question).PendingWindowInDays ?? PENDING_DAYS),
      ),
    } satisfies Record<string, Read>,
    null,
  ),
);

/** Names and values, of which a condition key names one. */
type Pairs = (question: PolicyQuestion) => readonly (readonly [string, string])[];

const FAMILIES: readonly (readonly [string, Pairs])[] = [
  ["kms:encryptioncontext:", contextOf],
  ["aws:requesttag/", (question) => (inputOf(question).Tags ?? []).map((tag) => [tag.TagKey, tag.TagValue])],
  ["aws:resourcetag/", (question) => Object.entries(detailsOf(question).tags)],
];

/**
 * Returns the values of condition keys in a request, each read when a policy asks for it. Its `get` throws
 * DependencyTimeoutException if the operator has not recorded what a condition is about.
 */
export const requestValues = (question: PolicyQuestion): PolicyRequest["values"] => ({
  get(name) {
    const family = FAMILIES.find(([prefix]) => name.startsWith(prefix));
    if (family === undefined) return READERS[name]?.(question);
    const [prefix, pairs] = family;
    const wanted = name.slice(prefix.length);
    return pairs(question).flatMap(([found, value]) => (contextName(found) === wanted ? [value] : []));
  },
});

/** The encryption context of the action; for CreateGrant the one that the new grant is bound to. */
function contextOf({ need: { context, proposed } }: PolicyQuestion): readonly (readonly [string, string])[] {
  return Object.entries(context ?? proposed?.constraint?.context ?? {});
}

const aliasName = ({ name }: { readonly name: string }): string => `alias/${name}`;

/** Node.js writes an IPv4 address of a socket for both families as ::ffff:192.0.2.1. */
function addressOf({ origin }: Request<object>): string {
  const address = origin?.address;
  if (address === undefined)
    throw new AwsError("DependencyTimeoutException", "The connection of the request is gone. Retry.");
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
