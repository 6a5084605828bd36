import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { PutKey } from "../../keyring/changes.ts";
import type { GrantTerms } from "../../keyring/grant-row.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { policyDigest } from "../../keyring/tables/key-policies.ts";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { APP, grantRow } from "../../testing/grants.ts";
import { deadline } from "../../testing/keyring.ts";
import type { Caller } from "../caller.ts";
import type { Need } from "../operations/operation.ts";
import { Access, type Rbac } from "../service/access.ts";

const CALLER: Caller = { ...ALICE, groups: [], arn: APP };
const ROOT = "arn:aws:iam::000000000000:root";
const OTHER = "arn:aws:iam::000000000000:role/shop/other";
const allowed: Rbac = { ask: () => "allowed" };
const denied: Rbac = { ask: () => "denied" };
const account = { Effect: "Allow", Principal: { AWS: ROOT }, Action: "kms:*", Resource: "*" };
const allow = { ...account, Principal: { AWS: APP }, Action: "kms:Encrypt" };
const deny = { ...allow, Effect: "Deny", Action: "kms:*" };
/** Somebody else's: if it were read, the caller would be allowed. */
const denyOther = { ...deny, Principal: { AWS: OTHER } };
const DENIED = "AccessDeniedException";

let keyring: AwsKeyring;
let orders: PutKey;
let namesake: PutKey;
beforeEach(async () => {
  keyring = new AwsKeyring();
  orders = await keyring.add("orders");
  namesake = await keyring.add("orders", { namespace: "others" });
  for (const key of [orders, namesake]) keyring.describe(key);
  keyring.start();
});
afterEach(() => keyring.close());

function putStatements({ namespace, name, keyId }: PutKey, ...Statement: readonly object[]): void {
  const document = JSON.stringify({ Statement });
  keyring.apply({
    kind: "putPolicy",
    policy: { namespace, name, keyId, document, digest: policyDigest(document) },
  });
}

/** Asks if the caller may do something with a key. Returns "allow", or the name of the refusal. */
async function ask(need: Partial<Need> = {}, key = orders, rbac = denied): Promise<string> {
  keyring.keys.freshen();
  const row = keyring.keys.named(key) as KeyRow;
  const request = { id: "r", caller: CALLER, input: {}, now: NOW };
  return new Access(keyring.grants, rbac)
    .check(request, [{ action: "Encrypt", key: row, ...need }], keyring.keys)
    .then(
      () => "allow",
      (error) => error.type,
    );
}

/** Records a grant to the caller, and waits until it counts. */
async function grant(...operations: GrantTerms["operations"]): Promise<void> {
  const { keyId, namespace, name: masterKey } = orders;
  keyring.grant(grantRow(1, { keyId, namespace, masterKey, operations }));
  await vi.waitFor(async () => expect(await ask()).toBe("allow"), deadline);
}

const child = (...operations: GrantTerms["operations"]): Partial<Need> => ({
  action: "CreateGrant",
  proposed: { keyId: orders.keyId, granteePrincipal: OTHER, operations },
});

describe("a key of the same name in another namespace", () => {
  test("has a policy of its own, which allows and denies nothing here", async () => {
    putStatements(orders, account);
    putStatements(namesake, allow);
    expect(await ask()).toBe(DENIED);
    expect(await ask({}, namesake)).toBe("allow");
    putStatements(namesake, account, deny);
    expect(await ask({}, orders, allowed)).toBe("allow");
    expect(await ask({}, namesake, allowed)).toBe(DENIED);
  });
});

describe("a grantee with CreateGrant", () => {
  test("whom the policy denies grants nothing on, and uses nothing", async () => {
    await grant("Encrypt", "CreateGrant");
    expect(await ask(child("Encrypt"))).toBe("allow");
    putStatements(orders, account, deny);
    expect(await ask(child("Encrypt"), orders, allowed)).toBe(DENIED);
    expect(await ask({}, orders, allowed)).toBe(DENIED);
  });

  test("grants on no operation that it does not have, by a policy that denies nothing either", async () => {
    await grant("Encrypt", "CreateGrant");
    expect(await ask(child("Encrypt", "Decrypt"))).toBe(DENIED);
    putStatements(orders, account, { ...allow, Action: "kms:CreateGrant", Principal: { AWS: OTHER } });
    expect(await ask(child("Encrypt", "Decrypt"))).toBe(DENIED);
  });

  test.each([
    ["some operation", { "ForAnyValue:StringEquals": { "kms:GrantOperations": "Encrypt" } }],
    ["some grantee", { ArnLike: { "kms:GranteePrincipal": "arn:aws:iam::*:role/shop/*" } }],
    ["a grant without a constraint", { Null: { "kms:GrantConstraintType": true } }],
  ])("is held to a condition of the policy on %s", async (_, Condition) => {
    await grant("Encrypt", "CreateGrant");
    putStatements(orders, account, { ...deny, Action: "kms:CreateGrant", Condition });
    expect(await ask(child("Encrypt"))).toBe(DENIED);
    expect(await ask()).toBe("allow");
  });
});

/** Letters that look like others, or become them in small letters. */
const [CYRILLIC_E, KELVIN, FULL_WIDTH] = ["\u0415", "\u212a", "\uff0a"];

describe("a trick with letters or wildcards", () => {
  test.each<[string, object]>([
    ["* for a part of a principal", { ...deny, Principal: { AWS: "arn:aws:iam::000000000000:role/shop/*" } }],
    ["? in a principal", { ...deny, Principal: { AWS: `${APP.slice(0, -1)}?` } }],
    ["a letter in a principal that looks alike", { ...deny, Principal: { AWS: APP.replace("a", "\u0430") } }],
    ["a letter in an action that looks alike", { ...denyOther, Action: `kms:${CYRILLIC_E}ncrypt` }],
    ["a Kelvin sign in an action", { ...denyOther, Action: `${KELVIN}ms:Encrypt` }],
    ["an asterisk of full width in an action", { ...denyOther, Action: `kms:${FULL_WIDTH}` }],
    ["an asterisk of full width in a resource", { ...denyOther, Resource: FULL_WIDTH }],
    [
      "a letter in a condition key that looks alike",
      { ...denyOther, Condition: { Null: { "\u043ams:KeySpec": false } } },
    ],
  ])("makes the policy malformed, which allows nothing: %s", async (_, statement) => {
    putStatements(orders, account, allow, statement);
    expect(await ask({}, orders, allowed)).toBe(DENIED);
    putStatements(orders, account, allow);
    expect(await ask({}, orders, allowed)).toBe("allow");
  });

  test.each([
    ["wildcards in the request", "*", "a*"],
    ["another composition of a letter", "e\u0301", "\u00e9"],
    ["a letter that looks alike", "\u0430", "a"],
    ["a zero after the text", "a\0", "a"],
  ])("meets no condition: %s", async (_, given, wanted) => {
    const Condition = { StringLike: { "kms:EncryptionContext:tenant": wanted } };
    putStatements(orders, { ...allow, Condition });
    expect(await ask({ context: { tenant: given } })).toBe(DENIED);
    expect(await ask({ context: { tenant: wanted } })).toBe("allow");
  });
});
