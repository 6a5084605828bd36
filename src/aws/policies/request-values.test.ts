import { afterAll, beforeAll, expect, test } from "vitest";
import { contextName } from "../../access/policy/condition-keys.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import type { Need, Origin } from "../operations/operation.ts";
import { requestValues } from "./request-values.ts";

let keyring: AwsKeyring;
let key: KeyRow;
beforeAll(async () => {
  keyring = new AwsKeyring();
  const orders = await keyring.add("orders");
  keyring.describe(orders, { tags: { Team: "shop" } });
  keyring.alias("app", "orders");
  keyring.alias("late", "orders");
  await keyring.add("bare");
  keyring.start();
  key = keyring.keys.named(orders) as KeyRow;
});
afterAll(() => keyring.close());

const ORIGIN: Origin = { address: "::ffff:10.2.3.4", isSecure: true };
const asked = (
  name: string,
  need: Partial<Need> = {},
  input: object = {},
  origin: Origin = ORIGIN,
  row = key,
) => {
  const request = { id: "r", caller: ALICE, input, now: NOW, origin };
  const question = { request, need: { action: "Encrypt", ...need } as Need, key: row, keys: keyring.keys };
  return requestValues(question).get(contextName(name));
};

const bob = "arn:aws:iam::000000000000:role/shop/bob";
const Tags = [{ TagKey: "Dept", TagValue: "it" }];
const proposed = () => ({
  ...{ keyId: key.keyId, granteePrincipal: bob, operations: ["Encrypt", "Decrypt"] as const },
  constraint: { kind: "Subset", context: { tenant: "a" } } as const,
});

test.each<[string, () => readonly string[] | undefined, readonly string[] | undefined]>([
  [
    "kms:EncryptionContext:Tenant",
    () => asked("kms:EncryptionContext:Tenant", { context: { tenant: "a", x: "y" } }),
    ["a"],
  ],
  [
    "both of names that differ in case",
    () => asked("kms:EncryptionContext:t", { context: { t: "a", T: "b" } }),
    ["a", "b"],
  ],
  [
    "kms:EncryptionContextKeys as they are",
    () => asked("kms:EncryptionContextKeys", { context: { Tenant: "a" } }),
    ["Tenant"],
  ],
  [
    "the context that a new grant is bound to",
    () => asked("kms:EncryptionContext:tenant", { action: "CreateGrant", proposed: proposed() }),
    ["a"],
  ],
  [
    "kms:GrantConstraintType",
    () => asked("kms:GrantConstraintType", { action: "CreateGrant", proposed: proposed() }),
    ["EncryptionContextSubset"],
  ],
  [
    "kms:GrantOperations",
    () => asked("kms:GrantOperations", { action: "CreateGrant", proposed: proposed() }),
    ["Encrypt", "Decrypt"],
  ],
  [
    "kms:GranteePrincipal",
    () => asked("kms:GranteePrincipal", { action: "CreateGrant", proposed: proposed() }),
    [bob],
  ],
  ["no kms:GranteePrincipal of another action", () => asked("kms:GranteePrincipal"), undefined],
  [
    "kms:GrantIsForAWSResource, which is never so",
    () => asked("kms:GrantIsForAWSResource", { action: "RevokeGrant" }),
    ["false"],
  ],
  ["kms:KeySpec", () => asked("kms:KeySpec"), ["SYMMETRIC_DEFAULT"]],
  [
    "kms:RequestAlias by its ARN",
    () => asked("kms:RequestAlias", {}, { KeyId: "arn:aws:kms:us-local-1:000000000000:alias/apps/app" }),
    ["alias/app"],
  ],
  ["no kms:RequestAlias of a request by id", () => asked("kms:RequestAlias", {}, { KeyId: key.keyId }), []],
  [
    "no kms:RequestAlias of what is done with the alias",
    () => asked("kms:RequestAlias", { action: "DeleteAlias" }, { AliasName: "alias/app" }),
    undefined,
  ],
  ["kms:ResourceAliases", () => asked("kms:ResourceAliases"), ["alias/app", "alias/late"]],
  [
    "kms:ScheduleKeyDeletionPendingWindowInDays by default",
    () => asked("kms:ScheduleKeyDeletionPendingWindowInDays", { action: "ScheduleKeyDeletion" }),
    ["30"],
  ],
  ["kms:PolicyName by default", () => asked("kms:PolicyName", { action: "GetKeyPolicy" }), ["default"]],
  ["no kms:PolicyName of another action", () => asked("kms:PolicyName"), undefined],
  ["kms:CallerAccount", () => asked("kms:CallerAccount"), ["000000000000"]],
  ["no kms:ViaService ever", () => asked("kms:ViaService"), undefined],
  ["no aws:PrincipalTag ever", () => asked("aws:PrincipalTag/team"), undefined],
  ["aws:RequestTag", () => asked("aws:RequestTag/dept", {}, { Tags }), ["it"]],
  ["aws:TagKeys of tags", () => asked("aws:TagKeys", {}, { Tags }), ["Dept"]],
  ["aws:TagKeys of names", () => asked("aws:TagKeys", {}, { TagKeys: ["a"] }), ["a"]],
  ["aws:ResourceTag", () => asked("aws:ResourceTag/team"), ["shop"]],
  ["aws:PrincipalArn", () => asked("aws:PrincipalArn"), [ALICE.arn]],
  ["aws:SourceIp, an IPv4 address of a socket for both families", () => asked("aws:SourceIp"), ["10.2.3.4"]],
  [
    "aws:SourceIp, an IPv6 address",
    () => asked("aws:SourceIp", {}, {}, { address: "fd00::1", isSecure: false }),
    ["fd00::1"],
  ],
  ["aws:SecureTransport", () => asked("aws:SecureTransport", {}, {}, { isSecure: false }), ["false"]],
  ["aws:CurrentTime", () => asked("aws:CurrentTime"), ["2026-11-30T12:00:00Z"]],
])("a request has %s", (_, values, expected) => {
  expect(values()).toEqual(expected);
});

const retried = expect.objectContaining({ type: "DependencyTimeoutException" });

test("an address that is gone, or details that are not recorded, are no empty value: a Deny would not match", () => {
  const bare = keyring.keys.named({ namespace: "apps", name: "bare" }) as KeyRow;
  expect(() => asked("aws:SourceIp", {}, {}, { isSecure: true })).toThrow(retried);
  expect(() => asked("kms:KeySpec", {}, {}, ORIGIN, bare)).toThrow(retried);
});
