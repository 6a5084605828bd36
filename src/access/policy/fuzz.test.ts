import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultPolicy } from "./default-policy.ts";
import { judgePolicy, type PolicyRequest } from "./judge-policy.ts";
import { MalformedPolicy } from "./malformed-policy.ts";
import type { Policy } from "./policy.ts";
import { readPolicy } from "./read-policy.ts";

/** `npm run fuzz` tries more than CI has time for. */
const FUZZ_RUNS = Number(process.env.CLAVIGER_TEST_FUZZ_RUNS ?? 1_000);
const ACCOUNT = "000000000000";
const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;

/** The policy of a document; undefined if it is malformed. Any other error fails the test. */
function readOrRefuse(document: unknown): Policy | undefined {
  try {
    return readPolicy(document, ACCOUNT);
  } catch (error) {
    if (error instanceof MalformedPolicy) return undefined;
    throw error;
  }
}

const name = fc.constantFrom("tenant", "Tenant", "__proto__", "constructor");
const key = fc.oneof(
  fc.constantFrom("aws:SourceIp", "aws:TagKeys", "kms:KeySpec", "aws:CurrentTime", "aws:PrincipalArn"),
  name.map((text) => `kms:EncryptionContext:${text}`),
);
const operator = fc.constantFrom(
  ...["StringEquals", "StringNotLike", "ForAllValues:StringLike", "ForAnyValue:StringNotEquals", "Null"],
  ...["ArnLike", "NotIpAddress", "DateLessThanIfExists", "Bool", "constructor"],
);
const value = fc.constantFrom("a", "*", "?*", "10.0.0.0/8", "true", "2026-01-01T00:00:00Z", ALICE);
const principal = fc.constantFrom<unknown>("*", { AWS: ALICE }, { AWS: [ACCOUNT, ALICE] }, { Service: "x" });
const action = fc.constantFrom("kms:Encrypt", "kms:*", "KMS:e?crypt", "s3:*", "*");
const statement = fc.record(
  {
    Effect: fc.constantFrom("Allow", "Deny"),
    Principal: principal,
    NotPrincipal: principal,
    Action: action,
    NotAction: action,
    Resource: fc.constantFrom("*", "arn:aws:kms:*:key/*"),
    Condition: fc.dictionary(operator, fc.dictionary(key, fc.oneof(value, fc.array(value))), { maxKeys: 2 }),
  },
  { requiredKeys: ["Effect", "Resource"] },
);
const request = fc
  .dictionary(fc.constantFrom("kms:encryptioncontext:tenant", "aws:sourceip", "aws:tagkeys"), fc.array(value))
  .map(
    (values): PolicyRequest => ({
      ...{ principal: ALICE, groups: [], account: ACCOUNT, action: "Encrypt" },
      resource: `arn:aws:kms:us-local-1:${ACCOUNT}:key/k`,
      values: new Map(Object.entries(values)),
    }),
  );

test("whatever a document is => a policy, or malformed", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json().map((text) => JSON.parse(text)),
        fc.anything(),
      ),
      (document) => {
        readOrRefuse(document);
        readOrRefuse({ ...defaultPolicy(ACCOUNT), Statement: document });
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
});

test("a Deny of everything before or after any statements denies; without an Allow nothing is allowed", () => {
  const all = { Effect: "Deny", Principal: "*", Action: "*", Resource: "*" };
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 4 }), request, (statements, asked) => {
      const policy = readOrRefuse({ Statement: statements });
      if (policy === undefined) return;
      const { effect } = judgePolicy(policy, asked);
      if (statements.every(({ Effect }) => Effect === "Deny")) expect(["deny", "none"]).toContain(effect);
      for (const more of [
        [all, ...statements],
        [...statements, all],
      ])
        expect(judgePolicy(readPolicy({ Statement: more }, ACCOUNT), asked).effect).toBe("deny");
      // A further Deny takes away, and a further Allow does not: neither gets around the other.
      const allowing = [...statements, { ...all, Effect: "Allow" }];
      const allowed = judgePolicy(readPolicy({ Statement: allowing }, ACCOUNT), asked).effect;
      expect(allowed).toBe(effect === "deny" ? "deny" : "allow");
    }),
    { numRuns: FUZZ_RUNS },
  );
});
