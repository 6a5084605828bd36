import type { PolicyRequest } from "../../src/access/policy/judge-policy.ts";
import { rootArn } from "../../src/access/principal.ts";
import { asked, type Pair, type WrittenStatement } from "./pairs.ts";

/** A reason why the verdicts on a pair may differ. */
export interface Difference {
  /** "claviger": by design, and docs/aws.md says why. "simulator": the simulator does not do as IAM's documentation says. */
  readonly of: "claviger" | "simulator";
  readonly name: string;
  /** Returns true if a statement is of this kind for the request. The verdicts do not matter. */
  readonly has: (statement: WrittenStatement, request: PolicyRequest) => boolean;
}

interface Written {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

const listOf = (value: unknown): readonly string[] => [value].flat().map(String);

const conditionsOf = ({ Condition = {} }: WrittenStatement): readonly Written[] =>
  Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => ({ operator, key, values: listOf(values) })),
  );

const someCondition =
  (test: (condition: Written, found: readonly string[]) => boolean): Difference["has"] =>
  (statement, { values }) =>
    conditionsOf(statement).some((written) => test(written, values.get(written.key.toLowerCase()) ?? []));

const namesOf = (principal: unknown): readonly string[] =>
  principal === undefined || principal === "*"
    ? listOf(principal ?? [])
    : listOf((principal as { AWS: unknown }).AWS);

const isSet = (operator: string): boolean => operator.startsWith("For");
const ARN_PARTS = 6;

export const DIFFERENCES: readonly Difference[] = [
  {
    of: "claviger",
    name: "a group of the caller is a principal",
    has: ({ Principal }, { groups }) => namesOf(Principal).some((name) => groups.includes(name)),
  },
  {
    of: "claviger",
    name: "NotPrincipal names the caller without the account, or the account without the caller",
    has: ({ NotPrincipal }, { principal, account }) => {
      const names = namesOf(NotPrincipal);
      const isAccountNamed = names.includes(account) || names.includes(rootArn(account));
      return names.includes(principal) !== isAccountNamed;
    },
  },
  {
    of: "claviger",
    name: "names of one condition key that differ in case only",
    has: someCondition(({ operator }, found) => !isSet(operator) && operator !== "Null" && found.length > 1),
  },
  {
    of: "claviger",
    name: "ForAnyValue with IfExists, and the request does not have the key",
    has: someCondition(
      ({ operator }, found) => /^ForAnyValue:.*IfExists$/.test(operator) && found.length === 0,
    ),
  },
  {
    of: "claviger",
    name: "a resource with a wildcard in place of some of the six parts of an ARN",
    has: (statement) =>
      ["Resource", "NotResource"]
        .flatMap((element) => listOf(Object.entries(statement).find(([name]) => name === element)?.[1] ?? []))
        .some((pattern) => pattern !== "*" && pattern.split(":").length < ARN_PARTS),
  },
  {
    of: "claviger",
    name: "the ARN * in a condition",
    has: someCondition(({ operator, values }) => operator.startsWith("Arn") && values.includes("*")),
  },
  {
    of: "simulator",
    name: "epoch seconds, which it takes for milliseconds",
    has: someCondition(
      ({ operator, values }) => operator.startsWith("Date") && values.some((value) => /^\d+$/.test(value)),
    ),
  },
  {
    of: "simulator",
    name: "all addresses of a family, of which it finds some; NotIpAddress with an address of the other family",
    has: someCondition(
      ({ operator, values }, found) =>
        /IpAddress/.test(operator) &&
        values.some(
          (value) =>
            value.endsWith("/0") ||
            (!value.includes("/") && found.some((address) => address.includes(":") !== value.includes(":"))),
        ),
    ),
  },
];

/** Returns the differences that a pair may have. */
export const differencesOf = (pair: Pair): readonly Difference[] =>
  DIFFERENCES.filter(({ has }) => pair.policy.Statement.some((statement) => has(statement, asked(pair))));
