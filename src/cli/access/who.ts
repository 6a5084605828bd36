import type { Action } from "../../access/actions.ts";
import type { Statement } from "../../access/policy/policy.ts";
import { type Allowed, denyStatements, type WhoFacts, whoMay } from "../../access/who-may.ts";
import { keyArn } from "../../aws/keys/key-name.ts";
import { nameText } from "../../names.ts";
import { table } from "../terminal/table.ts";
import type { KeyFacts } from "./key-facts.ts";
import { conditionText, constraintText } from "./words.ts";

/** Somebody who may use a key. */
interface WhoRow {
  /** An ARN, or "*" for everybody. */
  readonly principal: string;
  /** The name in Kubernetes, of a subject of RBAC. */
  readonly subject?: string;
  readonly kind: Allowed["way"]["kind"];
  /** The grant, the statement, or the binding and its role. */
  readonly by: string;
  readonly operations: readonly string[];
  /** The conditions, all of which must hold. */
  readonly conditions: readonly string[];
}

/** An answer for programs. Fields are added to it, and none is renamed. */
export interface WhoReport {
  readonly key: string;
  readonly keyArn: string;
  /** False if RBAC could not be read: there may be others who may use the key. */
  readonly complete: boolean;
  readonly missing: readonly string[];
  readonly policy: "default" | "own" | "malformed";
  readonly allowed: readonly WhoRow[];
  readonly denied: readonly Omit<WhoRow, "subject" | "kind">[];
}

/** Returns the facts of a key as `whoMay` asks for them. */
export const whoFactsOf = (facts: KeyFacts, subjectsOf: WhoFacts["subjectsOf"]): WhoFacts => ({
  ...{ keyId: facts.key.keyId, masterKey: facts.key, account: facts.site.account, grants: facts.grants },
  resource: keyArn(facts.key.keyId, facts.site),
  policy: facts.policy.kind === "own" ? facts.policy.policy : facts.policy.kind,
  subjectsOf,
});

/** Returns who may do which of the operations. `missing` says what of RBAC could not be read; `now` is in epoch milliseconds. */
export function whoReport(
  operations: readonly Action[],
  facts: KeyFacts,
  {
    who,
    missing,
    now,
  }: { readonly who: WhoFacts; readonly missing: readonly string[]; readonly now: number },
): WhoReport {
  const allowed = operations.flatMap((action) =>
    whoMay(action, who, now).map((found) => ({ ...rowOf(found), operations: [action] })),
  );
  const denied = operations.flatMap((action) =>
    denyStatements(action, who).flatMap((statement) => deniedBy(statement, action)),
  );
  return {
    ...{ key: nameText(facts.key), keyArn: who.resource, complete: missing.length === 0, missing },
    policy: facts.policy.kind,
    ...{ allowed: merged(allowed), denied: merged(denied) },
  };
}

function rowOf({ principal, way, conditions, unless }: Allowed): Omit<WhoRow, "operations"> {
  const needed = conditions.map((list) => list.map(conditionText).join(" and "));
  return {
    principal,
    ...(way.kind === "rbac" && { subject: way.subject.name }),
    kind: way.kind,
    by: byText(way),
    conditions: [
      ...(way.kind === "grant" && way.grant.constraint ? [constraintText(way.grant.constraint)] : []),
      ...(needed.length === 0 ? [] : [needed.join(", or ")]),
      ...unless.map(unlessText),
    ],
  };
}

function byText(way: Allowed["way"]): string {
  if (way.kind === "grant") return nameText(way.grant);
  return way.kind === "policy" ? statementName(way.statement) : way.subject.by;
}

const statementName = ({ name }: Statement): string => `statement ${name.replace(/^statement /, "")}`;

const unlessText = (statement: Statement): string => {
  const conditions = statement.conditions.map(conditionText).join(" and ");
  return `${statementName(statement)} does not deny the caller${conditions === "" ? "" : ` (it does if ${conditions})`}`;
};

const deniedBy = (statement: Statement, action: Action) =>
  statement.principals.names.map((name) => ({
    principal: statement.principals.except ? `all but ${name}` : name,
    ...{ by: statementName(statement), operations: [action] },
    conditions: statement.conditions.map(conditionText),
  }));

/** Joins the operations of rows that say the same otherwise. */
function merged<Row extends { readonly operations: readonly string[] }>(
  rows: readonly Row[],
): readonly Row[] {
  const found = new Map<string, Row>();
  for (const row of rows) {
    const key = JSON.stringify({ ...row, operations: [] });
    const operations = [...(found.get(key)?.operations ?? []), ...row.operations];
    found.set(key, { ...row, operations });
  }
  return [...found.values()];
}

/** Renders an answer for people. `asked` is the number of operations that were asked about. */
export function whoText(
  { key, policy, allowed, denied, missing }: WhoReport,
  asked: number,
  width: number,
): string {
  const operationsText = (operations: readonly string[]) =>
    operations.length === asked && asked > 1 ? "all" : operations.join(", ");
  const rows = allowed.map(({ principal, subject, kind, by, operations, conditions }) => [
    ...[subject ?? principal, operationsText(operations), kind, by, conditions.join("; ")],
  ]);
  const deniedRows = denied.map(({ principal, operations, by, conditions }) => [
    ...[principal, operationsText(operations), by, conditions.join(" and ")],
  ]);
  return [
    rows.length === 0
      ? `nobody may use ${key} so`
      : table(["WHO", "OPERATIONS", "KIND", "BY", "ONLY IF"], rows, { width }),
    policy === "malformed" ? "\nthe key policy is malformed, so that nothing is allowed" : "",
    deniedRows.length === 0
      ? ""
      : `\n${table(["DENIED", "OPERATIONS", "BY", "ONLY IF"], deniedRows, { width })}`,
    missing.length === 0
      ? ""
      : `\nTHIS LIST IS INCOMPLETE, because RBAC could not be read: ${missing.join("; ")}`,
  ]
    .filter((part) => part !== "")
    .map((part) => (part.endsWith("\n") ? part : `${part}\n`))
    .join("");
}
