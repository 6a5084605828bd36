import { describe, expect, test } from "vitest";
import { parsePrincipal, principalArn, rootArn } from "./principal.ts";

const ACCOUNT = "000000000000";

test.each([
  ["system:serviceaccount:shop:app", "role/shop/app"],
  ["system:serviceaccount:shop:app.v2", "role/shop/app.v2"],
  ["alice", "user/alice"],
  ["oidc:alice@example.com", "user/oidc:alice@example.com"],
  ["role/shop/app", "user/role/shop/app"],
  ["system:serviceaccount:shop", "user/system:serviceaccount:shop"],
  ["system:serviceaccount:shop:app:x", "user/system:serviceaccount:shop:app:x"],
  ["system:serviceaccount:SHOP:app", "user/system:serviceaccount:SHOP:app"],
  ["system:serviceaccount:shop:", "user/system:serviceaccount:shop:"],
  ["a b%c", "user/a%20b%25c"],
  ["älice", "user/%C3%A4lice"],
  ["a*", "user/a%2A"],
  ["a\nb", "user/a%0Ab"],
  ["😀", "user/%F0%9F%98%80"],
])("%j is %s", (user, resource) => {
  expect(principalArn(user, ACCOUNT)).toBe(`arn:aws:iam::${ACCOUNT}:${resource}`);
});

test.each(["", "a\ud800b"])("%j is nobody", (user) => {
  expect(principalArn(user, ACCOUNT)).toBeUndefined();
});

test("no two users have one ARN, though their names look or normalize alike", () => {
  const users = ["é", "é".normalize("NFD"), "e", "%C3%A9", "é ", "user/é", "É", "é\u200b", "е", "é/..", "é%"];
  expect(new Set(users.map((user) => principalArn(user, ACCOUNT))).size).toBe(users.length);
});

describe("an ARN names", () => {
  test.each([
    [`arn:aws:iam::${ACCOUNT}:role/shop/app`, { kind: "role", namespace: "shop", name: "app" }],
    [`arn:aws:iam::${ACCOUNT}:user/alice`, { kind: "user", name: "alice" }],
    [rootArn(ACCOUNT), { kind: "root" }],
    ["arn:aws:iam::111122223333:role/shop/app", { kind: "other" }],
    [`arn:aws:iam::${ACCOUNT}:role/shop`, { kind: "other" }],
    [`arn:aws:iam::${ACCOUNT}:role/shop/app/x`, { kind: "other" }],
    [`arn:aws:sts::${ACCOUNT}:assumed-role/shop/app/session`, { kind: "other" }],
    [`arn:aws-cn:iam::${ACCOUNT}:role/shop/app`, { kind: "other" }],
    ["*", undefined],
    [`arn:aws:iam::${ACCOUNT}:role/*`, undefined],
    [`arn:aws:iam::${ACCOUNT}:`, undefined],
    [`arn:aws:iam::00000000000:user/alice`, undefined],
    [`arn:aws:kms:us-local-1:${ACCOUNT}:key/x`, undefined],
    [`arn:aws:iam::${ACCOUNT}:user/${"a".repeat(256)}`, undefined],
    [`arn:aws:iam::${ACCOUNT}:user/a\n`, undefined],
  ])("%s => %j", (arn, expected) => {
    expect(parsePrincipal(arn, ACCOUNT)).toEqual(expected);
  });
});
