import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgePolicy } from "../../src/access/policy/judge-policy.ts";
import type { Condition, Policy, Statement } from "../../src/access/policy/policy.ts";
import { readPolicy } from "../../src/access/policy/read-policy.ts";
import { DIFFERENCES, differencesOf } from "./differences.ts";
import { ACCOUNT, asked, type Pair, pair } from "./pairs.ts";
import { Simulator } from "./simulator.ts";

/** So many pairs are compared. More are drawn, because a third has a difference that is known. */
const COMPARED = 5_000;
const DRAWN = 8_000;
/** Another seed finds other pairs. */
const SEED = Number(process.env.CLAVIGER_TEST_IAM_SEED ?? 20_261_201);

const simulator = await Simulator.install();
const drawn = fc.sample(pair, { numRuns: DRAWN, seed: SEED });
const policies = drawn.map(({ policy }) => readPolicy(policy, ACCOUNT));
const verdicts = (await simulator?.verdicts(drawn)) ?? [];

type Judge = (policy: Policy, pair: Pair) => string;
const judge: Judge = (policy, one) => judgePolicy(policy, asked(one)).effect;
const differences = drawn.map(differencesOf);
const compared = [...drawn.keys()].filter((at) => differences[at]?.length === 0).slice(0, COMPARED);

/** The pairs on which a judge and the simulator differ. */
const differing = (pairs: readonly number[], by: Judge): readonly number[] =>
  pairs.filter((at) => {
    const [policy, one] = [policies[at], drawn[at]];
    return policy !== undefined && one !== undefined && by(policy, one) !== verdicts[at];
  });

const shown = (at: number) => ({ pair: JSON.stringify(drawn[at]), simulator: verdicts[at] });

/** A judge that does not see a policy as it is. */
const misreading =
  (change: (statement: Statement) => Statement): Judge =>
  ({ statements }, one) =>
    judge({ statements: statements.map(change) }, one);
const misreadingConditions = (change: (condition: Condition) => Partial<Condition>): Judge =>
  misreading((statement) => ({
    ...statement,
    conditions: statement.conditions.map((condition) => ({ ...condition, ...change(condition) })),
  }));
const operatorFor = (operator: Condition["operator"], other: Condition["operator"]) =>
  misreadingConditions((condition) => ({
    operator: condition.operator === operator ? other : condition.operator,
  }));

const withAsterisks = ({ except, patterns }: Statement["actions"]) => ({
  except,
  patterns: patterns.map((pattern) => pattern.replace("?", "*")),
});

const WRONG: readonly (readonly [string, Judge])[] = [
  [
    "lets an Allow come before a Deny",
    (policy, one) => {
      const allows = policy.statements.filter(({ effect }) => effect === "Allow");
      const effect = judge({ statements: allows }, one);
      return effect === "allow" ? effect : judge(policy, one);
    },
  ],
  [
    "takes what is left to the account for allowed",
    (policy, one) => judge(policy, one).replace("account", "allow"),
  ],
  ["takes an explicit Deny for an implicit one", (policy, one) => judge(policy, one).replace("deny", "none")],
  [
    "looks at the first statement only",
    ({ statements }, one) => judge({ statements: statements.slice(0, 1) }, one),
  ],
  [
    "looks at the first condition only",
    misreading((statement) => ({ ...statement, conditions: statement.conditions.slice(0, 1) })),
  ],
  [
    "ignores NotAction",
    misreading((statement) => ({ ...statement, actions: { ...statement.actions, except: false } })),
  ],
  [
    "ignores NotResource",
    misreading((statement) => ({ ...statement, resources: { ...statement.resources, except: false } })),
  ],
  [
    "ignores NotPrincipal",
    misreading((statement) => ({ ...statement, principals: { ...statement.principals, except: false } })),
  ],
  [
    "takes ? for * in actions",
    misreading((statement) => ({ ...statement, actions: withAsterisks(statement.actions) })),
  ],
  ["ignores IfExists", misreadingConditions(() => ({ ifExists: false }))],
  ["reads IfExists everywhere", misreadingConditions(() => ({ ifExists: true }))],
  ["takes ForAnyValue for ForAllValues", misreadingConditions(({ over }) => ({ over: over && "all" }))],
  ["takes ForAllValues for ForAnyValue", misreadingConditions(({ over }) => ({ over: over && "any" }))],
  [
    "looks at the first value of a condition only",
    misreadingConditions(({ values }) => ({ values: values.slice(0, 1) })),
  ],
  ["has no wildcards in StringLike", operatorFor("StringLike", "StringEquals")],
  ["distinguishes cases in StringEqualsIgnoreCase", operatorFor("StringEqualsIgnoreCase", "StringEquals")],
  ["takes less for at most", operatorFor("NumericLessThanEquals", "NumericLessThan")],
  ["takes before for not after", operatorFor("DateLessThanEquals", "DateLessThan")],
  ["finds addresses in no range", operatorFor("NotIpAddress", "Null")],
  ["takes ArnLike for StringLike", operatorFor("ArnLike", "StringLike")],
];

describe.skipIf(simulator === undefined)(`random pairs of a key policy and a request (seed ${SEED})`, () => {
  it(`are judged as an evaluator by other authors judges them, ${COMPARED} of them`, () => {
    const counts = Object.groupBy(compared, (at) => verdicts[at] ?? "");
    const sizes = Object.entries(counts).map(([verdict, pairs]) => [verdict, pairs?.length ?? 0] as const);
    console.info(`verdicts on ${compared.length} pairs: ${sizes.map((size) => size.join(" ")).join(", ")}`);
    expect(differing(compared, judge).map(shown)).toEqual([]);
    expect(compared).toHaveLength(COMPARED);
    // Each of the four verdicts is tried often enough to say something.
    expect(
      sizes
        .filter(([, size]) => size > COMPARED / 20)
        .map(([verdict]) => verdict)
        .sort(),
    ).toEqual(["account", "allow", "deny", "none"]);
  });

  it.each(WRONG)("find an evaluator that %s", (_, wrong) => {
    expect(differing(compared, wrong)).not.toEqual([]);
  });

  it.each(DIFFERENCES)("are left out for a reason that makes a difference: $name", (difference) => {
    const alone = [...drawn.keys()].filter(
      (at) => differences[at]?.length === 1 && differences[at]?.[0] === difference,
    );
    expect(differing(alone, judge)).not.toEqual([]);
  });
});
