import { instant, isArn, isBoolean, isInRange, isNumber, isRange, matchesArn } from "./compare-values.ts";
import type { ValueType } from "./condition-keys.ts";
import { matchesWildcard } from "./wildcard.ts";

/** An operator of a condition. */
interface OperatorRow {
  /** The types of keys that it takes. */
  readonly types: readonly ValueType[];
  /** True if it holds for a value that matches none of the policy's values, and for a request without the key. */
  readonly negated: boolean;
  /** Returns true if a value of the request matches a value of the policy. */
  matches(wanted: string, found: string): boolean;
  /** Returns true if the policy may have this value. */
  accepts(wanted: string): boolean;
}

const anything = (): boolean => true;
const text: readonly ValueType[] = ["string", "arn"];

const strings = (matches: OperatorRow["matches"], negated = false): OperatorRow => ({
  ...{ types: text, negated, matches, accepts: anything },
});

const numeric = (holds: (wanted: number, found: number) => boolean, negated = false): OperatorRow => ({
  ...{ types: ["number"], negated, accepts: isNumber },
  matches: (wanted, found) => isNumber(found) && holds(Number(wanted), Number(found)),
});

const dates = (holds: (wanted: number, found: number) => boolean, negated = false): OperatorRow => ({
  ...{ types: ["date"], negated, accepts: (wanted) => !Number.isNaN(instant(wanted)) },
  matches: (wanted, found) => holds(instant(wanted), instant(found)),
});

const arns = (negated: boolean): OperatorRow => ({
  ...{ types: ["arn"], negated, matches: matchesArn, accepts: isArn },
});

const addresses = (negated: boolean): OperatorRow => ({
  ...{ types: ["ip"], negated, matches: isInRange, accepts: isRange },
});

const equal = (wanted: string, found: string): boolean => wanted === found;
const equalInAnyCase = (wanted: string, found: string): boolean =>
  wanted.toLowerCase() === found.toLowerCase();

/** IAM User Guide, "IAM JSON policy elements: Condition operators". Null is a condition of its own kind. */
const rows = {
  StringEquals: strings(equal),
  StringNotEquals: strings(equal, true),
  StringEqualsIgnoreCase: strings(equalInAnyCase),
  StringNotEqualsIgnoreCase: strings(equalInAnyCase, true),
  StringLike: strings(matchesWildcard),
  StringNotLike: strings(matchesWildcard, true),
  NumericEquals: numeric((wanted, found) => found === wanted),
  NumericNotEquals: numeric((wanted, found) => found === wanted, true),
  NumericLessThan: numeric((wanted, found) => found < wanted),
  NumericLessThanEquals: numeric((wanted, found) => found <= wanted),
  NumericGreaterThan: numeric((wanted, found) => found > wanted),
  NumericGreaterThanEquals: numeric((wanted, found) => found >= wanted),
  DateEquals: dates((wanted, found) => found === wanted),
  DateNotEquals: dates((wanted, found) => found === wanted, true),
  DateLessThan: dates((wanted, found) => found < wanted),
  DateLessThanEquals: dates((wanted, found) => found <= wanted),
  DateGreaterThan: dates((wanted, found) => found > wanted),
  DateGreaterThanEquals: dates((wanted, found) => found >= wanted),
  Bool: {
    ...{ types: ["boolean"], negated: false, matches: equalInAnyCase, accepts: isBoolean },
  },
  IpAddress: addresses(false),
  NotIpAddress: addresses(true),
  ArnEquals: arns(false),
  ArnLike: arns(false),
  ArnNotEquals: arns(true),
  ArnNotLike: arns(true),
  Null: {
    ...{ types: ["string", "number", "date", "boolean", "ip", "arn"], negated: false, matches: equal },
    accepts: isBoolean,
  },
} satisfies Record<string, OperatorRow>;

export type ConditionOperator = keyof typeof rows;

export const operators: Readonly<Record<ConditionOperator, OperatorRow>> = Object.freeze(
  Object.assign(Object.create(null), rows),
);

/** Returns true if there is an operator of this name, in the case that AWS writes it. */
export const isOperator = (name: string): name is ConditionOperator => Object.hasOwn(operators, name);
