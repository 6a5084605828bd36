import { expect, test } from "vitest";
import { masterKey } from "../../testing/objects.ts";
import { policyPart } from "./policy-part.ts";

const ACCOUNT = "000000000000";
const statement = {
  Effect: "Allow",
  Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
  Action: "kms:*",
  Resource: "*",
};
const found = (policy: Readonly<Record<string, unknown>>) =>
  policyPart(masterKey({ spec: { policy } }), ACCOUNT).findings[0];

test("a MasterKey without a policy of its own has no condition about it, and one that had it loses it", () => {
  expect(policyPart(masterKey(), ACCOUNT)).toEqual({ fields: {}, findings: [], ends: ["PolicyValid"] });
});

test("a policy that the API goes by is said to be well-formed", () => {
  expect(found({ Statement: [statement] })).toEqual({
    ...{ type: "PolicyValid", status: "True", reason: "WellFormed" },
    message: "the AWS KMS API goes by the key policy, which has 1 statement",
  });
});

test.each([
  [
    "an unknown operator",
    { Statement: { ...statement, Condition: { StringIs: { "kms:KeySpec": "x" } } } },
    /there is no such operator; correct spec\.policy/,
  ],
  ["more than 32 KiB", { Id: "x".repeat(33_000), Statement: statement }, /it is longer than 32 KiB; correct/],
])("%s => malformed, with the reason and the way out", (_, policy, message) => {
  expect(found(policy)).toMatchObject({
    status: "False",
    reason: "MalformedPolicy",
    message: expect.stringMatching(message),
  });
});
