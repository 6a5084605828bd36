import fc from "fast-check";
import { contextName } from "../../src/access/policy/condition-keys.ts";
import type { PolicyRequest } from "../../src/access/policy/judge-policy.ts";

export const ACCOUNT = "000000000000";
const OTHER = "111122223333";
const iam = (resource: string, account = ACCOUNT): string => `arn:aws:iam::${account}:${resource}`;
const KEY = "0c3b6f2e-1111-4222-8333-444455556666";
const ARN = `arn:aws:kms:us-local-1:${ACCOUNT}:key/${KEY}`;

const CALLERS = [iam("user/alice"), iam("user/Alice"), iam("role/shop/web"), iam("role/shop/webs")];
const GROUPS = [iam("group/ops"), iam("group/dev")];
const ACTIONS = [
  "Encrypt",
  "Encrypt",
  "Decrypt",
  "Decrypt",
  "ReEncryptFrom",
  "GenerateDataKey",
  "DescribeKey",
  "PutKeyPolicy",
];

export type Values = Readonly<Record<string, string | readonly string[]>>;

/** A statement as a policy writes it. */
export interface WrittenStatement {
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: unknown;
  readonly NotPrincipal?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A policy and a request that it is about. */
export interface Pair {
  readonly policy: { readonly Version: string; readonly Statement: readonly WrittenStatement[] };
  readonly request: Omit<PolicyRequest, "values"> & { readonly values: Values };
}

/** Returns the request as claviger judges it. */
export const asked = ({ request }: Pair): PolicyRequest => {
  const values = new Map<string, string[]>();
  for (const [name, found] of Object.entries(request.values)) {
    const key = contextName(name);
    values.set(key, [...(values.get(key) ?? []), ...[found].flat()]);
  }
  return { ...request, values };
};

const oneOrMore = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> =>
  fc.oneof(
    { arbitrary: value, weight: 2 },
    { arbitrary: fc.array(value, { minLength: 1, maxLength: 3 }), weight: 1 },
  );

const often = <T>(common: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: common, weight: 6 }, { arbitrary: rare, weight: 1 });

const principal = fc.oneof(
  { arbitrary: fc.constant<unknown>("*"), weight: 3 },
  { arbitrary: fc.constantFrom(ACCOUNT, iam("root")).map((AWS) => ({ AWS })), weight: 2 },
  {
    arbitrary: oneOrMore(
      fc.constantFrom(
        ...CALLERS,
        ...CALLERS,
        ...CALLERS,
        ...GROUPS,
        iam("root"),
        ACCOUNT,
        "*",
        OTHER,
        iam("user/alice", OTHER),
      ),
    ).map((AWS) => ({ AWS })),
    weight: 6,
  },
);
const excepted = often<string | string[]>(
  fc.constantFrom(...CALLERS).map((name) => [name, ACCOUNT]),
  fc.constantFrom(...CALLERS, iam("root"), iam("root", OTHER)),
);

const action = often(
  fc.constantFrom<string | string[]>("kms:*", "*", "kms:*crypt", ["kms:Encrypt", "kms:Decrypt", "kms:De*"]),
  oneOrMore(
    fc.constantFrom(
      ...[
        "kms:Encrypt",
        "KMS:encrypt",
        "kms:?ncrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey",
        "kms:Put*Policy",
      ],
      ...[
        "kms:GenerateDataKey*",
        "kms:Describe?ey",
        "s3:*",
        "kms:",
        "kms:e",
        "kms:?crypt",
        "kms:*t*t*",
        "kms:??crypt",
      ],
    ),
  ),
);
const resource = often(
  fc.constantFrom<string | string[]>("*", ARN, `arn:aws:kms:*:${ACCOUNT}:key/*`, ["*", ARN]),
  often(
    oneOrMore(
      fc.constantFrom(
        ...[
          "arn:aws:kms:*:*:key/0c3b6f2e-????-*",
          `arn:aws:kms:us-local-1:${OTHER}:key/*`,
          "arn:*:kms:*:*:*",
        ],
        ...["arn:aws:kms:us-local-2:*:*", "arn:aws:s3:::shop", "arn:aws:kms:*:*:alias/*", ARN.slice(0, -1)],
        ...[`${ARN.slice(0, -1)}?`, `${ARN}?`],
      ),
    ),
    fc.constantFrom("arn:aws:kms:*", "arn:aws:kms:us-local-1:*", `arn:aws:kms:*/${KEY}`),
  ),
);

/** The values of a type in policies and in requests, and the operators that take it. */
interface Kind {
  readonly keys: readonly string[];
  readonly operators: readonly string[];
  readonly wanted: readonly (string | number | boolean)[];
  readonly found: readonly string[];
}

const STRINGS = ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"];
const IN_ANY_CASE = ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"];
const compared = (type: string): string[] =>
  ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"].map(
    (name) => `${type}${name}`,
  );
const texts = {
  operators: [...STRINGS, ...IN_ANY_CASE],
  wanted: ["a", "A", "a", "A", "ab", "a*", "?", "a?c", "*b*", "*", "", "é", "𝒳", "a.c", "(a|b)", "**", "b"],
  found: ["a", "A", "a", "A", "ab", "abc", "a.c", "", "é", "e\u0301", "𝒳", "(a|b)", "*", "?", "b"],
};

const kinds: readonly Kind[] = [
  {
    ...texts,
    keys: [
      "kms:EncryptionContext:tenant",
      "KMS:encryptioncontext:Tenant",
      "kms:KeySpec",
      "aws:ResourceTag/team",
    ],
  },
  {
    keys: ["kms:RotationPeriodInDays", "kms:ScheduleKeyDeletionPendingWindowInDays"],
    operators: compared("Numeric"),
    wanted: ["90", 90, "7.5", "-1", "090", 365, 30],
    found: ["90", "7", "7.5", "365", "30", "-1"],
  },
  {
    keys: ["aws:CurrentTime"],
    operators: compared("Date"),
    wanted: ["2026-12-01T00:00:00Z", "2026-12-01", "2026-12-01T01:00:00+01:00", "2027-01-01", "1796083200"],
    found: ["2026-12-01T00:00:00Z", "2026-12-01T00:00:00.001Z", "2026-11-30T23:59:59Z"],
  },
  {
    keys: ["aws:SecureTransport", "kms:BypassPolicyLockoutSafetyCheck", "kms:GrantIsForAWSResource"],
    operators: ["Bool"],
    wanted: ["true", "false", true, false, "TRUE"],
    found: ["true", "false"],
  },
  {
    keys: ["aws:SourceIp"],
    operators: ["IpAddress", "NotIpAddress"],
    wanted: [
      "10.0.0.0/8",
      "10.1.2.3",
      "10.1.2.3/32",
      "fd00::/8",
      "fd12::1",
      "192.168.0.0/17",
      "0.0.0.0/0",
      "::/0",
    ],
    found: ["10.1.2.3", "10.1.2.4", "11.0.0.1", "fd12::1", "fe80::1", "192.168.127.255", "192.168.128.0"],
  },
  {
    keys: ["aws:PrincipalArn", "kms:GranteePrincipal"],
    operators: ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", ...STRINGS],
    wanted: [
      ...[
        ...CALLERS,
        iam("role/*"),
        iam("user/?lice"),
        "arn:aws:iam::*:role/shop/*",
        "arn:aws:iam::*:user/alice",
        "arn:aws:iam::*:user/alice",
        "arn:*:iam::*:*",
      ],
      ...["arn:aws:i?m::*:user/*", "arn:aws:sts::*:*/*", "arn:aws:iam::*:USER/*", "*"],
    ],
    found: [...CALLERS, iam("role/x:user/alice"), iam("role/x:user/alice"), iam("root")],
  },
];

const several: Kind = {
  ...texts,
  keys: ["kms:EncryptionContextKeys", "aws:TagKeys", "kms:GrantOperations", "kms:ResourceAliases"],
  operators: texts.operators.flatMap((name) => [`ForAllValues:${name}`, `ForAnyValue:${name}`]),
};

const conditionOf = (kind: Kind) =>
  fc.tuple(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .tuple(fc.constantFrom(...kind.operators), fc.constantFrom("", "", "IfExists"))
          .map((parts) => parts.join("")),
      },
      { weight: 1, arbitrary: fc.constant("Null") },
    ),
    fc.constantFrom(...kind.keys),
    oneOrMore(fc.constantFrom(...kind.wanted)),
    oneOrMore(fc.constantFrom<string | boolean>("true", "false", true, false)),
  );
const condition = fc.oneof(...[...kinds, kinds[0] ?? several, several, several].map(conditionOf));
const conditions = fc.oneof(fc.constant([]), fc.array(condition, { maxLength: 2 })).map((list) => {
  const written: Record<string, Record<string, unknown>> = {};
  for (const [operator, key, values, isAbsent] of list)
    written[operator] = { ...written[operator], [key]: operator === "Null" ? isAbsent : values };
  return written;
});

const targets = fc
  .tuple(fc.integer({ min: 0, max: 4 }), action, fc.integer({ min: 0, max: 6 }), resource)
  .map(([isAction, actions, notResource, resources]) => ({
    [isAction > 0 ? "Action" : "NotAction"]: actions,
    [notResource === 0 ? "NotResource" : "Resource"]: resources,
  }));
const statement = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .tuple(fc.constantFrom("Allow", "Allow", "Deny"), principal, targets, conditions)
      .map(([Effect, Principal, rest, Condition]) => ({ Effect, Principal, ...rest, Condition })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(excepted, targets, conditions)
      .map(([AWS, rest, Condition]) => ({ Effect: "Deny", NotPrincipal: { AWS }, ...rest, Condition })),
  },
) as fc.Arbitrary<WrittenStatement>;

const found = (kind: Kind) => fc.tuple(fc.constantFrom(...kind.keys), fc.constantFrom(...kind.found));
const values: fc.Arbitrary<Values> = fc
  .tuple(
    ...kinds.map((kind) => fc.array(found(kind), { minLength: kind.keys.length > 1 ? 0 : 1, maxLength: 3 })),
    fc.array(
      fc.tuple(
        fc.constantFrom(...several.keys),
        fc.array(fc.constantFrom(...several.found), { minLength: 1, maxLength: 3 }),
      ),
      { maxLength: 3 },
    ),
  )
  .map((lists) => Object.fromEntries(lists.flat()));

/** A random policy and a random request. Both draw on the same few values, so that they often meet. */
export const pair: fc.Arbitrary<Pair> = fc.record({
  policy: fc.record({
    Version: fc.constant("2012-10-17"),
    Statement: fc.array(statement, { minLength: 1, maxLength: 4 }),
  }),
  request: fc.record({
    principal: fc.constantFrom(...CALLERS),
    groups: fc.subarray(GROUPS),
    account: fc.constant(ACCOUNT),
    action: fc.constantFrom(...ACTIONS),
    resource: fc.constant(ARN),
    values,
  }),
});
