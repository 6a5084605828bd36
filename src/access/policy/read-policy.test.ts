import { expect, test } from "vitest";
import { defaultPolicy } from "./default-policy.ts";
import { readPolicy } from "./read-policy.ts";

const ACCOUNT = "000000000000";
const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
const statement = { Effect: "Allow", Principal: { AWS: ROOT }, Action: "kms:*", Resource: "*" };
const withCondition = (Condition: unknown) => ({ Statement: { ...statement, Condition } });

test("AWS's default policy is read", () => {
  expect(readPolicy(defaultPolicy(ACCOUNT), ACCOUNT).statements).toEqual([
    {
      name: '"Enable IAM User Permissions"',
      effect: "Allow",
      principals: { except: false, names: [ROOT] },
      actions: { except: false, patterns: ["kms:*"] },
      resources: { except: false, patterns: ["*"] },
      conditions: [],
    },
  ]);
});

test("an account's id is its root", () => {
  const policy = readPolicy({ Statement: { ...statement, Principal: { AWS: ACCOUNT } } }, ACCOUNT);
  expect(policy.statements[0]?.principals.names).toEqual([ROOT]);
});

test.each([
  ["no object", [], "the policy must be an object"],
  ["another version", { Version: "2020-01-01", Statement: statement }, "Version must be 2012-10-17"],
  ["an unknown element", { Statement: statement, Extra: 1 }, 'the policy has an unknown element "Extra"'],
  ["no statement", { Statement: [] }, "a policy has 1 to 256 statements, and this has 0"],
  [
    "an unknown element of a statement",
    { Statement: [statement, { ...statement, Conditions: {} }] },
    'statement 2 has an unknown element "Conditions"',
  ],
  [
    "no effect",
    { Statement: { ...statement, Effect: "allow" } },
    "statement 1: Effect must be Allow or Deny",
  ],
  [
    "no principal",
    { Statement: { ...statement, Principal: undefined } },
    "statement 1 needs a Principal or a NotPrincipal",
  ],
  [
    "a wildcard in a principal",
    { Statement: { ...statement, Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/*` } } },
    `statement 1: "arn:aws:iam::${ACCOUNT}:user/*" is no ARN of a principal; wildcards count only as "*"`,
  ],
  [
    "a service as principal",
    { Statement: { ...statement, Principal: { Service: "s3.amazonaws.com" } } },
    'statement 1: no principal of the kind "Service" comes here; only AWS does',
  ],
  [
    "a NotPrincipal that allows",
    { Statement: { ...statement, Principal: undefined, NotPrincipal: { AWS: ROOT } } },
    "statement 1: NotPrincipal with Allow would allow everybody else; use it with Deny",
  ],
  [
    "Action and NotAction",
    { Statement: { ...statement, NotAction: "x" } },
    "statement 1 has both Action and NotAction",
  ],
  [
    "a policy variable",
    { Statement: { ...statement, Resource: `$${"{aws:PrincipalArn}"}` } },
    "statement 1: Resource: policy variables are not served",
  ],
  [
    "an unknown operator",
    withCondition({ StringMatches: { "kms:KeySpec": "x" } }),
    'statement 1: the condition "StringMatches" on "kms:KeySpec": there is no such operator',
  ],
  [
    "a name of every object as operator",
    withCondition({ constructor: { "kms:KeySpec": "x" } }),
    'statement 1: the condition "constructor" on "kms:KeySpec": there is no such operator',
  ],
  [
    "an unknown condition key",
    withCondition({ StringEquals: { "aws:MultiFactorAuthPresent": "true" } }),
    'statement 1: the condition "StringEquals" on "aws:MultiFactorAuthPresent": this condition key is not served',
  ],
  [
    "an operator of another type",
    withCondition({ NumericEquals: { "kms:KeySpec": "1" } }),
    'statement 1: the condition "NumericEquals" on "kms:KeySpec": the key is of the type string',
  ],
  [
    "a key of several values without ForAllValues or ForAnyValue",
    withCondition({ StringEquals: { "aws:TagKeys": "x" } }),
    'statement 1: the condition "StringEquals" on "aws:TagKeys": needs ForAllValues or ForAnyValue',
  ],
  [
    "no number",
    withCondition({ NumericLessThan: { "kms:RotationPeriodInDays": "soon" } }),
    'statement 1: the condition "NumericLessThan" on "kms:RotationPeriodInDays" cannot have the value "soon"',
  ],
  [
    "no range of addresses",
    withCondition({ IpAddress: { "aws:SourceIp": "10.0.0.0/33" } }),
    'statement 1: the condition "IpAddress" on "aws:SourceIp" cannot have the value "10.0.0.0/33"',
  ],
  [
    "an ARN with fewer than six parts",
    withCondition({ ArnLike: { "aws:PrincipalArn": "arn:*:role/bob" } }),
    'statement 1: the condition "ArnLike" on "aws:PrincipalArn" cannot have the value "arn:*:role/bob"',
  ],
  [
    "patterns that would keep the process busy",
    withCondition({ StringLike: { "kms:EncryptionContext:a": ["*a".repeat(1_024), "*b".repeat(1_025)] } }),
    "the values of StringLike and StringNotLike have more than 4096 characters together",
  ],
  [
    "a hostile name",
    { Statement: statement, "\u001b[31m\n": 1 },
    String.raw`the policy has an unknown element "\u001b[31m\u000a"`,
  ],
])("%s is refused, and named", (_, policy, message) => {
  const read = () => readPolicy(JSON.parse(JSON.stringify(policy)), ACCOUNT);
  expect(read).toThrow(expect.objectContaining({ name: "MalformedPolicy", message }));
});
