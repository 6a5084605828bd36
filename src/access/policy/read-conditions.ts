import { conditionKey } from "./condition-keys.ts";
import { isOperator, operators } from "./condition-operators.ts";
import { MalformedPolicy, quoted } from "./malformed-policy.ts";
import type { Condition } from "./policy.ts";
import { objectOf, textsOf } from "./read-values.ts";

const MAX_VALUE_LENGTH = 8_192;

/**
 * Reads the element Condition: operator → key → values. Throws MalformedPolicy for an operator or key that is
 * not served, for an operator that does not suit the key, and for a value that the operator cannot compare: a
 * condition is never silently unmatched.
 */
export function readConditions(value: unknown, place: string): readonly Condition[] {
  if (value === undefined) return [];
  return Object.entries(objectOf(value, `${place}: Condition`)).flatMap(([name, keys]) =>
    Object.entries(objectOf(keys, `${place}: ${quoted(name)}`)).map(([key, values]) =>
      readCondition(name, key, values, place),
    ),
  );
}

function readCondition(name: string, key: string, value: unknown, place: string): Condition {
  const at = `${place}: the condition ${quoted(name)} on ${quoted(key)}`;
  const { over, operator, ifExists } = readOperator(name, at);
  const known = conditionKey(key);
  if (known === undefined) throw new MalformedPolicy(`${at}: this condition key is not served`);
  const { types, accepts } = operators[operator];
  if (!types.includes(known.type)) throw new MalformedPolicy(`${at}: the key is of the type ${known.type}`);
  if (operator !== "Null" && known.several !== (over !== undefined))
    throw new MalformedPolicy(
      `${at}: ${known.several ? "needs" : "cannot have"} ForAllValues or ForAnyValue`,
    );
  const values = textsOf(value, at);
  for (const one of values)
    if (one.length > MAX_VALUE_LENGTH || one.includes("${") || !accepts(one))
      throw new MalformedPolicy(`${at} cannot have the value ${quoted(one)}`);
  return { operator, over, ifExists, key, values };
}

const OPERATOR = /^(?:For(AllValues|AnyValue):)?([A-Za-z]+?)(IfExists)?$/;

function readOperator(name: string, at: string): Pick<Condition, "over" | "operator" | "ifExists"> {
  const [, set, operator = "", ifExists] = OPERATOR.exec(name) ?? [];
  if (!isOperator(operator)) throw new MalformedPolicy(`${at}: there is no such operator`);
  if (operator === "Null" && (set ?? ifExists) !== undefined)
    throw new MalformedPolicy(`${at}: Null stands alone`);
  const over = set === undefined ? undefined : set === "AllValues" ? "all" : "any";
  return { over, operator, ifExists: ifExists !== undefined };
}
