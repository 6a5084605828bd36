import { actions } from "../../access/actions.ts";
import { ruleText } from "../../access/rule-text.ts";
import { nameText } from "../../names.ts";
import { isoTime } from "../../times.ts";
import { table } from "../terminal/table.ts";
import type { Explained } from "./explain.ts";
import { grantText, statementText } from "./words.ts";

type RuleName = Explained["steps"][number]["rule"];

/** An explanation for programs. Fields are added to it, and none is renamed. */
export interface ExplainReport {
  /** "unknown" if RBAC decides and could not be asked. */
  readonly effect: "allow" | "deny" | "unknown";
  readonly principal: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly operation: string;
  readonly key: string;
  readonly keyArn: string;
  readonly at: string;
  readonly rule: Explained["rule"];
  readonly because: string;
  readonly steps: readonly {
    readonly rule: RuleName;
    readonly outcome: string;
    readonly why: readonly string[];
  }[];
  /** Values of condition keys that a statement asked for and nobody gave. */
  readonly assumptions: readonly { readonly conditionKey: string; readonly values: readonly string[] }[];
}

const TOKENS = "not looked at: a request may bring the token of a grant that is minutes old";

/** Returns an explanation for programs. */
export function explainReport(explained: Explained, keyArn: string): ExplainReport {
  const { asked, facts, effect, rule, steps, assumptions } = explained;
  const { arn, user, groups } = asked.caller;
  return {
    effect: rule.kind === "rbac-unknown" ? "unknown" : effect,
    ...{ principal: arn, user, groups, operation: `kms:${asked.action}`, key: nameText(facts.key), keyArn },
    ...{ at: isoTime(asked.now), rule, because: becauseText(explained) },
    steps: steps.map(({ rule: name, outcome }) => ({
      ...{ rule: name, outcome: name === "tokens" && outcome === "passes" ? "not-looked-at" : outcome },
      why: outcome === "not-reached" ? [] : reasons[name](explained),
    })),
    assumptions,
  };
}

/** The statement is named: whoever may read the MasterKey may read its policy. */
function becauseText({ rule, asked }: Explained): string {
  const text = ruleText(rule, asked.action);
  return "statement" in rule ? `${text} by statement ${rule.statement.replace(/^statement /, "")}` : text;
}

const reasons: Readonly<Record<RuleName, (explained: Explained) => readonly string[]>> = {
  "explicit-deny": ({ policy, statements }) => {
    if (policy.effect === "closed") return ["the key policy is malformed: see the condition PolicyValid"];
    const denying = statements.filter(({ statement }) => statement.effect === "Deny");
    if (denying.length === 0) return ["no statement of the key policy denies anything"];
    return denying.map(({ statement, word }) => statementText(statement.name, word));
  },
  grants: ({ asked, facts, grants }) => {
    const pending = facts.unaccepted.filter(({ granteePrincipal }) => granteePrincipal === asked.caller.arn);
    const lines = [
      ...grants.map(grantText),
      ...pending.map(({ name, why }) => `${name} is not accepted: ${why}`),
    ];
    if (lines.length > 0) return lines;
    if (asked.action !== "RetireGrant") return [`no grant of ${nameText(facts.key)} is to this principal`];
    return [asked.grant === undefined ? "no grant is named: --grant ID" : `there is no grant ${asked.grant}`];
  },
  tokens: () => [TOKENS],
  policy: ({ facts, statements, policy }) => {
    if (facts.policy.kind === "default")
      return ["the default policy leaves it to the account, that is, to RBAC"];
    const allowing = statements.filter(({ statement }) => statement.effect === "Allow");
    const lines = allowing.map(({ statement, word }) => statementText(statement.name, word));
    return policy.effect === "none" ? [...lines, "no statement allows it or leaves it to RBAC"] : lines;
  },
  rbac: ({ asked, facts: { key }, rbac }) => {
    const question = `the verb ${actions[asked.action].verb} on masterkeys.kms.claviger.dev/${key.name} in namespace ${key.namespace}`;
    if (rbac?.answer === "unknown") return [`could not be asked for ${question}: ${rbac.why ?? ""}`];
    return [`${rbac?.answer === "allowed" ? "allows" : "does not allow"} ${question}`];
  },
};

const TITLES: Readonly<Record<RuleName, string>> = {
  "explicit-deny": "1 explicit deny",
  grants: "2 grants",
  tokens: "3 grant tokens",
  policy: "4 key policy",
  rbac: "5 RBAC",
};

/** Renders an explanation for people. `width` is the columns of the screen. */
export function explainText(report: ExplainReport, width: number): string {
  const { effect, principal, operation, key, because, steps, assumptions } = report;
  const verdict = { allow: "ALLOW", deny: "DENY", unknown: "UNKNOWN" }[effect];
  const rows = steps.flatMap(({ rule, outcome, why }) => {
    const [first = "", ...more] = why;
    return [[TITLES[rule], outcome, first], ...more.map((line) => ["", "", line])];
  });
  const taken = assumptions.map(
    ({ conditionKey, values }) =>
      `depends on ${conditionKey}, taken as ${values.length === 0 ? "absent" : values.join(", ")}\n`,
  );
  return `${verdict}: ${operation} with ${key} for ${principal}, because ${because}\n\n${table(["RULE", "ANSWER", "WHY"], rows, { width })}${taken.length > 0 ? "\n" : ""}${taken.join("")}`;
}
