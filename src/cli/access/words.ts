import type { GrantObjection } from "../../access/decide-access.ts";
import type { GrantLook } from "../../access/explain-access.ts";
import type { StatementWord } from "../../access/policy/judge-policy.ts";
import type { Condition } from "../../access/policy/policy.ts";
import type { GrantConstraint, GrantRow } from "../../keyring/grant-row.ts";
import { nameText } from "../../names.ts";
import { isoTime } from "../../times.ts";

/** Returns the constraint of a grant in words. */
export const constraintText = ({ kind, context }: GrantConstraint): string =>
  `the encryption context ${kind === "Equals" ? "is exactly" : "has at least"} ${JSON.stringify(context)}`;

/** Returns a condition of a statement as the policy has it. */
export function conditionText({ operator, over, ifExists, key, values }: Condition): string {
  const set = over === undefined ? "" : over === "all" ? "ForAllValues:" : "ForAnyValue:";
  return `${set}${operator}${ifExists ? "IfExists" : ""} ${key} ${values.join(" or ")}`;
}

const objections: Readonly<Record<GrantObjection, (grant: GrantRow) => string>> = {
  ended: ({ ended }) => `it was ${ended?.phase.toLowerCase() ?? "ended"}`,
  "other-master-key": ({ masterKey }) => `it is a grant of MasterKey ${masterKey}`,
  "other-key": ({ keyId }) => `it was accepted for key ${keyId}, and this MasterKey is another key now`,
  "other-principal": ({ granteePrincipal }) => `it is a grant to ${granteePrincipal}`,
  expired: ({ expiresAt = 0 }) => `it expired at ${isoTime(expiresAt)}`,
  "operation-not-granted": ({ operations }) => `it grants ${operations.join(", ")} only`,
  "other-context": ({ constraint }) =>
    `it needs that ${constraint === undefined ? "" : constraintText(constraint)}`,
  "wider-grant": () =>
    "it allows new grants that allow no more than itself; the new grant is not known here, so this is taken as not allowed",
};

/** Returns a grant in words: it allows the operation, or why not. */
export const grantText = ({ grant, objection }: GrantLook): string =>
  `${nameText(grant)} (${grant.grantId.slice(0, 12)}…) ${objection === undefined ? "allows it" : `does not allow it: ${objections[objection](grant)}`}`;

const statementWords: Readonly<Record<Extract<StatementWord, string>, string>> = {
  denies: "denies it",
  allows: "allows it",
  "leaves-to-account": "leaves it to the account, that is, to RBAC",
  "other-action": "is about other operations",
  "other-resource": "is about other resources",
  "other-principal": "is about other principals",
};

/** Returns the word of a statement about the request. */
export const statementText = (name: string, word: StatementWord): string =>
  `statement ${name.replace(/^statement /, "")} ${typeof word === "string" ? statementWords[word] : `does not apply: the request does not fulfil ${conditionText(word)}`}`;
