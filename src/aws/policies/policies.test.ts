import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { PutKey } from "../../keyring/changes.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { KEYRING_FILE } from "../../keyring/state-folder.ts";
import { policyDigest } from "../../keyring/tables/key-policies.ts";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { APP, grantRow } from "../../testing/grants.ts";
import { deadline } from "../../testing/keyring.ts";
import type { Caller } from "../caller.ts";
import type { Need } from "../operations/operation.ts";
import { Access, type Rbac } from "../service/access.ts";
import { getKeyPolicy } from "./operations/get-key-policy.ts";
import { listKeyPolicies } from "./operations/list-key-policies.ts";

const CALLER: Caller = { ...ALICE, groups: ["ops", "system:masters"], arn: APP };
const arn = (resource: string) => `arn:aws:iam::000000000000:${resource}`;
const ROOT = arn("root");
const allowed: Rbac = { ask: () => "allowed" };
const denied: Rbac = { ask: () => "denied" };
const account = { Effect: "Allow", Principal: { AWS: ROOT }, Action: "kms:*", Resource: "*" };
const allow = { ...account, Principal: { AWS: APP }, Action: "kms:Encrypt" };
const deny = { ...allow, Effect: "Deny" };

let keyring: AwsKeyring;
let orders: PutKey;
let bills: PutKey;
beforeEach(async () => {
  keyring = new AwsKeyring();
  orders = await keyring.add("orders");
  bills = await keyring.add("bills");
  for (const key of [orders, bills]) keyring.describe(key);
  keyring.start();
});
afterEach(() => keyring.close());

/** Records a policy, as the operator does. */
function put(document: string | undefined, { namespace, name, keyId }: PutKey = orders): void {
  const policy = { namespace, name, keyId, document, digest: policyDigest(document) };
  keyring.apply({ kind: "putPolicy", policy });
}
const putStatements = (...Statement: readonly object[]) => put(JSON.stringify({ Statement }));

interface Asked {
  readonly rbac?: Rbac;
  readonly need?: Partial<Need>;
  readonly key?: PutKey;
  readonly caller?: Caller;
  readonly input?: object;
}

/** Asks if the caller may encrypt with the key. Returns "allow", or the name of the refusal. */
async function ask({ rbac = denied, need = {}, key = orders, caller = CALLER, input = {} }: Asked = {}) {
  keyring.keys.freshen();
  const row = keyring.keys.named(key) as KeyRow;
  const origin = { address: "10.2.3.4", isSecure: true };
  const request = { id: "r", caller, input, now: NOW, origin };
  const needs = [{ action: "Encrypt", key: row, ...need } as Need];
  return new Access(keyring.grants, rbac).check(request, needs, keyring.keys).then(
    () => "allow",
    (error) => error.type,
  );
}
const DENIED = "AccessDeniedException";
const UNKNOWN = "DependencyTimeoutException";

describe("a key policy", () => {
  test("allows its principal at once, and no other key, caller or action", async () => {
    putStatements(allow);
    expect(await ask()).toBe("allow");
    expect(await ask({ key: bills })).toBe(DENIED);
    expect(await ask({ caller: { ...CALLER, arn: arn("role/shop/other") } })).toBe(DENIED);
    expect(await ask({ need: { action: "Decrypt" } })).toBe(DENIED);
  });

  test("without a statement for the account => RBAC and system:masters allow nothing", async () => {
    putStatements(allow);
    expect(await ask({ rbac: allowed, need: { action: "Decrypt" } })).toBe(DENIED);
    putStatements(allow, account);
    expect(await ask({ rbac: allowed, need: { action: "Decrypt" } })).toBe("allow");
  });

  test("that comes while RBAC is asked counts", async () => {
    const rbac: Rbac = {
      ask: async () => {
        putStatements(account, deny);
        return "allowed" as const;
      },
    };
    expect(await ask({ rbac })).toBe(DENIED);
  });

  test("denies what a grant and RBAC allow", async () => {
    const { keyId, namespace, name } = orders;
    keyring.grant(grantRow(1, { keyId, namespace, masterKey: name, operations: ["Encrypt"] }));
    await vi.waitFor(async () => expect(await ask()).toBe("allow"), deadline);
    putStatements(account, deny);
    expect(await ask({ rbac: allowed })).toBe(DENIED);
    putStatements(account, { ...deny, Principal: { AWS: arn("group/ops") } });
    expect(await ask({ rbac: allowed })).toBe(DENIED);
  });

  test("of a condition on the encryption context, the address and the tags of the key", async () => {
    const condition = (Condition: object) => putStatements({ ...allow, Condition });
    condition({
      StringEquals: { "kms:EncryptionContext:tenant": "a" },
      IpAddress: { "aws:SourceIp": "10.0.0.0/8" },
    });
    expect(await ask({ need: { context: { tenant: "a" } } })).toBe("allow");
    expect(await ask({ need: { context: { tenant: "b" } } })).toBe(DENIED);
    expect(await ask({ need: { context: { tenant: "a", Tenant: "b" } } })).toBe(DENIED);
    condition({ StringEquals: { "aws:ResourceTag/team": "shop" } });
    expect(await ask()).toBe(DENIED);
    keyring.describe(orders, { tags: { team: "shop" } });
    expect(await ask()).toBe("allow");
  });

  test("what a condition needs is not recorded yet => nobody is allowed in the meantime", async () => {
    const bare = keyring.addKey("bare");
    await vi.waitFor(() => {
      keyring.keys.freshen();
      expect(keyring.keys.named(bare)).toBeDefined();
    }, deadline);
    const Condition = { StringEquals: { "kms:KeySpec": "SYMMETRIC_DEFAULT" } };
    put(JSON.stringify({ Statement: [account, { ...deny, Condition }] }), bare);
    expect(await ask({ key: bare, rbac: allowed })).toBe(UNKNOWN);
  });

  test.each([
    [
      "NotPrincipal of oneself with the account spares oneself only",
      [account, { ...deny, Principal: undefined, NotPrincipal: { AWS: [APP, ROOT] } }],
      "allow",
    ],
    [
      "NotPrincipal of the account alone denies everybody in it",
      [account, { ...deny, Principal: undefined, NotPrincipal: { AWS: ROOT } }],
      DENIED,
    ],
    [
      "NotPrincipal with Allow, which would allow everybody else, is no policy",
      [account, { ...allow, Principal: undefined, NotPrincipal: { AWS: arn("user/x") } }],
      DENIED,
    ],
    [
      "NotAction allows what it does not name",
      [{ ...allow, Action: undefined, NotAction: "kms:Decrypt" }],
      "allow",
    ],
    [
      "NotAction with Deny denies what it does not name",
      [account, { ...deny, Action: undefined, NotAction: "kms:Decrypt" }],
      DENIED,
    ],
    [
      "a principal of another account with the same name is nobody here",
      [{ ...allow, Principal: { AWS: APP.replace("000000000000", "111122223333") } }],
      DENIED,
    ],
    ["a name that merely begins so is another's", [{ ...allow, Principal: { AWS: `${APP}-2` } }], DENIED],
  ])("%s", async (_, statements, expected) => {
    putStatements(...statements);
    expect(await ask({ rbac: allowed })).toBe(expected);
  });

  test.each([
    ["no JSON", "{"],
    [
      "an unknown condition key",
      JSON.stringify({ Statement: { ...allow, Condition: { Bool: { "aws:x": true } } } }),
    ],
    ["more than is kept", undefined],
  ])("that is malformed, by %s, allows nothing to anybody", async (_, document) => {
    put(document);
    expect(await ask({ rbac: allowed })).toBe(DENIED);
    expect(await ask({ rbac: allowed, key: bills })).toBe("allow");
  });

  test("of the former key of a name is no policy of the name's next key", async () => {
    putStatements(allow);
    expect(await ask()).toBe("allow");
    const other = keyring.addKey("other");
    put(JSON.stringify({ Statement: allow }), { ...orders, keyId: other.keyId });
    expect(await ask({ rbac: allowed })).toBe(UNKNOWN);
  });

  test("that is changed while RBAC is asked counts as it is then", async () => {
    putStatements(account);
    const slow: Rbac = {
      ask: async () => {
        putStatements(account, deny);
        return "allowed" as const;
      },
    };
    expect(await ask({ rbac: slow })).toBe(DENIED);
  });

  test("that is removed => the default policy, which leaves it to RBAC", async () => {
    putStatements(allow);
    expect(await ask({ rbac: allowed, need: { action: "Decrypt" } })).toBe(DENIED);
    keyring.apply({ kind: "removePolicy", key: orders });
    expect(await ask({ rbac: allowed, need: { action: "Decrypt" } })).toBe("allow");
    expect(await ask()).toBe(DENIED);
  });

  test("that was read last counts while the keyring cannot be read; of other keys nothing is known", async () => {
    putStatements(account, deny);
    expect(await ask({ rbac: allowed })).toBe(DENIED);
    const path = join(keyring.stateDir, KEYRING_FILE);
    for (const name of [path, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true });
    await vi.waitFor(() => expect(keyring.live.problem).toBeDefined(), deadline);
    expect(await ask({ rbac: allowed })).toBe(DENIED);
    expect(await ask({ rbac: allowed, key: bills })).toBe(UNKNOWN);
  });

  test("of a keyring of an older release is not known", async () => {
    using db = new DatabaseSync(join(keyring.stateDir, KEYRING_FILE));
    db.exec("DELETE FROM followed_kinds WHERE kind = 'KeyPolicy'");
    expect(await ask({ rbac: allowed })).toBe(UNKNOWN);
  });
});

describe("GetKeyPolicy and ListKeyPolicies", () => {
  const KeyId = () => orders.keyId;
  test("a key without a policy of its own has AWS KMS's default policy", async () => {
    const { Policy, PolicyName } = await keyring.run(getKeyPolicy, { KeyId: KeyId() });
    expect(PolicyName).toBe("default");
    expect(JSON.parse(Policy)).toEqual({
      ...{ Version: "2012-10-17", Id: "key-default-1" },
      Statement: [{ ...account, Sid: "Enable IAM User Permissions" }],
    });
    expect(await keyring.run(listKeyPolicies, { KeyId: KeyId() })).toEqual({
      PolicyNames: ["default"],
      Truncated: false,
    });
  });
  test("another name => NotFoundException, and so is an alias", async () => {
    keyring.alias("app", "orders");
    const missing = expect.objectContaining({ type: "NotFoundException" });
    await expect(keyring.run(getKeyPolicy, { KeyId: KeyId(), PolicyName: "other" })).rejects.toEqual(missing);
    await expect(keyring.run(getKeyPolicy, { KeyId: "alias/app" })).rejects.toEqual(missing);
  });
});
