import { describe, expect, test } from "vitest";
import { contextName } from "./condition-keys.ts";
import { defaultPolicy } from "./default-policy.ts";
import { judgePolicy, type PolicyRequest, statementWord } from "./judge-policy.ts";
import { readPolicy } from "./read-policy.ts";

const ACCOUNT = "000000000000";
const arn = (resource: string) => `arn:aws:iam::${ACCOUNT}:${resource}`;
const [ROOT, ALICE, BOB, OPS] = [arn("root"), arn("user/alice"), arn("role/shop/bob"), arn("group/ops")];
const KEY = `arn:aws:kms:us-local-1:${ACCOUNT}:key/0c3b6f2e-1111-4222-8333-444455556666`;

/** A request of alice to encrypt, with these differences. */
const asked = ({
  values = {},
  ...changes
}: Partial<Omit<PolicyRequest, "values">> & { values?: Record<string, string[]> } = {}): PolicyRequest => ({
  ...{ principal: ALICE, groups: [OPS], account: ACCOUNT, action: "Encrypt", resource: KEY },
  ...changes,
  values: new Map(Object.entries(values).map(([name, found]) => [contextName(name), found])),
});

const allow = { Sid: "a", Effect: "Allow", Principal: { AWS: ALICE }, Action: "kms:Encrypt", Resource: "*" };
const deny = { ...allow, Sid: "d", Effect: "Deny" };
const judged = (statements: readonly object[], request: PolicyRequest): string => {
  const verdict = judgePolicy(readPolicy({ Statement: statements }, ACCOUNT), request);
  return verdict.effect === "none" ? "none" : `${verdict.effect} by ${verdict.statement}`;
};

test("the default policy leaves everything to the account", () => {
  const policy = readPolicy(defaultPolicy(ACCOUNT), ACCOUNT);
  const verdict = judgePolicy(policy, asked({ action: "ScheduleKeyDeletion" }));
  expect(verdict).toEqual({ effect: "account", statement: '"Enable IAM User Permissions"' });
});

describe("the order", () => {
  test.each([
    ["an explicit deny before an allow", [allow, deny], 'deny by "d"'],
    [
      "a deny of the account before an allow of the caller",
      [allow, { ...deny, Principal: { AWS: ROOT } }],
      'deny by "d"',
    ],
    [
      "the caller's allow before the account's",
      [{ ...allow, Sid: "r", Principal: { AWS: ROOT } }, allow],
      'allow by "a"',
    ],
    [
      "the account's allow leaves it to the account",
      [{ ...allow, Principal: { AWS: ROOT } }],
      'account by "a"',
    ],
    ["another's allow", [{ ...allow, Principal: { AWS: BOB } }], "none"],
    ["another account's allow", [{ ...allow, Principal: { AWS: "111122223333" } }], "none"],
    ["an allow of a group of the caller", [{ ...allow, Principal: { AWS: OPS } }], 'allow by "a"'],
    ["an allow of everybody", [{ ...allow, Principal: "*" }], 'allow by "a"'],
    ["an allow of another action", [{ ...allow, Action: ["kms:Decrypt", "s3:*"] }], "none"],
    ["an allow without an action", [{ ...allow, Action: undefined }], "none"],
    ["an allow of another key", [{ ...allow, Resource: KEY.replace("4444", "5555") }], "none"],
    ["an action in another case, with a wildcard", [{ ...allow, Action: "KMS:en*" }], 'allow by "a"'],
    [
      "an allow of all but other actions",
      [{ ...allow, Action: undefined, NotAction: "kms:Put*" }],
      'allow by "a"',
    ],
    [
      "a deny of all but other resources",
      [allow, { ...deny, Resource: undefined, NotResource: "arn:x" }],
      'deny by "d"',
    ],
  ])("%s", (_, statements, expected) => {
    expect(judged(JSON.parse(JSON.stringify(statements)), asked())).toBe(expected);
  });
});

describe("NotPrincipal with Deny", () => {
  const all = { ...allow, Principal: "*" };
  const { Principal: _, ...others } = deny;
  const except = (...AWS: string[]) => [all, { ...others, NotPrincipal: { AWS } }];
  test.each([
    ["spares the caller that it names with its account", except(ALICE, ROOT), 'allow by "a"'],
    ["denies a caller that it names without its account", except(ALICE), 'deny by "d"'],
    ["denies others of the account that it names", except(ROOT), 'deny by "d"'],
    ["denies whom it does not name", except(BOB, ROOT), 'deny by "d"'],
  ])("%s", (_name, statements, expected) => {
    expect(judged(statements, asked())).toBe(expected);
  });
});

describe("a condition", () => {
  const context = "kms:EncryptionContext:dept";
  const keys = "kms:EncryptionContextKeys";
  test.each([
    ["StringEquals", context, ["it", "hr"], { [context]: ["it"] }, true],
    ["StringEquals", context, "it", { [context]: ["IT"] }, false],
    ["StringEqualsIgnoreCase", context, "it", { [context]: ["IT"] }, true],
    ["StringEquals", "KMS:encryptioncontext:dept", "it", { [context]: ["it"] }, true],
    ["StringEquals", "kms:EncryptionContext:Dept", "it", { [context]: ["it"] }, true],
    ["StringEquals", context, "it", { [context]: ["it", "hr"] }, false],
    ["StringEquals", context, "it", {}, false],
    ["StringEqualsIfExists", context, "it", {}, true],
    ["StringNotEquals", context, "it", {}, true],
    ["StringNotEquals", context, ["it", "hr"], { [context]: ["hr"] }, false],
    ["StringLike", context, "i*", { [context]: ["it"] }, true],
    ["StringEquals", context, "i*", { [context]: ["it"] }, false],
    ["StringNotLike", context, "i*", { [context]: ["it"] }, false],
    ["Null", context, "true", {}, true],
    ["Null", context, "false", { [context]: ["it"] }, true],
    ["Null", context, "true", { [context]: ["it"] }, false],
    ["ForAllValues:StringEquals", keys, ["a", "b"], { [keys]: ["a", "b"] }, true],
    ["ForAllValues:StringEquals", keys, ["a", "b"], { [keys]: ["a", "c"] }, false],
    ["ForAllValues:StringEquals", keys, ["a"], {}, true],
    ["ForAnyValue:StringEquals", keys, ["a"], { [keys]: ["a", "c"] }, true],
    ["ForAnyValue:StringEquals", keys, ["a"], {}, false],
    ["ForAnyValue:StringNotEquals", keys, ["a"], { [keys]: ["a", "c"] }, true],
    ["ForAllValues:StringNotEquals", keys, ["a"], { [keys]: ["a", "c"] }, false],
    ["NumericLessThanEquals", "kms:RotationPeriodInDays", 90, { "kms:RotationPeriodInDays": ["90"] }, true],
    ["NumericGreaterThan", "kms:RotationPeriodInDays", "90", { "kms:RotationPeriodInDays": ["90"] }, false],
    [
      "DateLessThan",
      "aws:CurrentTime",
      "2026-12-01T00:00:00Z",
      { "aws:CurrentTime": ["2026-11-30T10:00:00Z"] },
      true,
    ],
    [
      "DateGreaterThan",
      "aws:CurrentTime",
      "1796000000",
      { "aws:CurrentTime": ["2026-11-30T10:00:00Z"] },
      true,
    ],
    ["Bool", "aws:SecureTransport", false, { "aws:SecureTransport": ["false"] }, true],
    ["IpAddress", "aws:SourceIp", ["10.0.0.0/8", "fd00::/8"], { "aws:SourceIp": ["10.2.3.4"] }, true],
    ["IpAddress", "aws:SourceIp", "fd00::/8", { "aws:SourceIp": ["fd12::1"] }, true],
    ["NotIpAddress", "aws:SourceIp", "10.0.0.0/8", { "aws:SourceIp": ["10.2.3.4"] }, false],
    ["IpAddress", "aws:SourceIp", "10.0.0.0/8", { "aws:SourceIp": ["no address"] }, false],
    ["ArnLike", "aws:PrincipalArn", arn("role/shop/*"), { "aws:PrincipalArn": [BOB] }, true],
    ["ArnEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/*", { "aws:PrincipalArn": [BOB] }, true],
    ["ArnNotLike", "aws:PrincipalArn", arn("role/*"), { "aws:PrincipalArn": [BOB] }, false],
  ])("%s on %s of %j, and the request has %j: %s", (operator, key, wanted, values, expected) => {
    const statements = [{ ...allow, Condition: { [operator]: { [key]: wanted } } }];
    const request = asked({ values: values as Record<string, string[]> });
    expect(judged(JSON.parse(JSON.stringify(statements)), request)).toBe(expected ? 'allow by "a"' : "none");
  });

  test("all conditions must hold", () => {
    const Condition = { StringEquals: { [context]: "it", "kms:KeySpec": "SYMMETRIC_DEFAULT" } };
    expect(judged([{ ...allow, Condition }], asked({ values: { [context]: ["it"] } }))).toBe("none");
  });

  test("a second name that differs in case does not get around a Deny", () => {
    const statements = [allow, { ...deny, Condition: { StringEquals: { [context]: "hr" } } }];
    expect(judged(statements, asked({ values: { [context]: ["it", "hr"] } }))).toBe('deny by "d"');
  });
});

describe("the word of one statement", () => {
  const conditional = { ...allow, Condition: { StringEquals: { "kms:KeySpec": "RSA_2048" } } };
  test.each<[object, unknown]>([
    [allow, "allows"],
    [deny, "denies"],
    [{ ...allow, Principal: { AWS: ROOT } }, "leaves-to-account"],
    [{ ...allow, Action: "kms:Decrypt" }, "other-action"],
    [{ ...allow, Resource: "arn:aws:s3:::b" }, "other-resource"],
    [{ ...allow, Principal: { AWS: BOB } }, "other-principal"],
    [{ ...deny, Principal: { AWS: BOB } }, "other-principal"],
    [conditional, expect.objectContaining({ key: "kms:KeySpec", values: ["RSA_2048"] })],
  ])("%j", (statement, word) => {
    const { statements } = readPolicy({ Statement: [statement] }, ACCOUNT);
    expect(statements.map((one) => statementWord(one, asked()))).toEqual([word]);
  });
});
