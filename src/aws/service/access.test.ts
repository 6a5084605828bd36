import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { GrantRow } from "../../keyring/grant-row.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { APP, grantRow } from "../../testing/grants.ts";
import { deadline } from "../../testing/keyring.ts";
import type { Caller } from "../caller.ts";
import { Access, type Rbac } from "./access.ts";
import { standaloneRbac } from "./standalone-rbac.ts";

/** More than are read at once. */
const OTHERS = 1_200;
const CALLER: Caller = { ...ALICE, groups: [], arn: APP };

let keyring: AwsKeyring;
let orders: GrantRow;
beforeEach(async () => {
  keyring = new AwsKeyring();
  const { keyId, namespace, name } = await keyring.add("orders");
  keyring.grant(...Array.from({ length: OTHERS }, (_, n) => grantRow(n + 10)));
  orders = grantRow(1, { namespace, masterKey: name, keyId, operations: ["Encrypt"] });
});
afterEach(() => keyring.close());

/** Asks if the caller may encrypt. */
const check = (...GrantTokens: readonly string[]) => checkBy(standaloneRbac, ...GrantTokens);

function checkBy(rbac: Rbac, ...GrantTokens: readonly string[]): Promise<readonly string[]> {
  const key = keyring.keys.named({ namespace: "apps", name: "orders" }) as KeyRow;
  const request = { id: "r", caller: CALLER, input: { GrantTokens }, now: NOW };
  return new Access(keyring.grants, rbac).check(request, [{ action: "Encrypt", key }], keyring.keys);
}
const retried = expect.objectContaining({ type: "DependencyTimeoutException", status: 500 });
const denied = expect.objectContaining({ type: "AccessDeniedException" });

test("the token of a revoked grant allows nothing while the grants are still being read", async () => {
  keyring.grant({ ...orders, ended: { phase: "Revoked", at: NOW } });
  const token = keyring.grants.tokenOf(orders, NOW);
  keyring.start();
  await expect(check(token)).rejects.toEqual(retried);
  await vi.waitFor(() => expect(check(token)).rejects.toEqual(denied), deadline);
});

test("a grantee is told to retry, and is not denied, while the grants are still being read", async () => {
  keyring.grant(orders);
  keyring.start();
  await expect(check()).rejects.toEqual(retried);
  await vi.waitFor(() => expect(check()).resolves.toEqual([orders.grantId]), deadline);
});

describe("on a new node, whose operator has not recorded all keys and grants yet,", () => {
  beforeEach(async () => {
    keyring.close();
    keyring = new AwsKeyring({ isNew: true });
    await keyring.add("orders");
    keyring.start();
  });

  test("nobody is allowed by RBAC what a key policy that is not there yet may deny", async () => {
    keyring.follow("MasterKey", "KeyGrant");
    await vi.waitFor(() => expect(keyring.grants.complete).toBe(true), deadline);
    const allowed: Rbac = { ask: () => "allowed" };
    await expect(checkBy(allowed)).rejects.toEqual(retried);
    keyring.follow("KeyPolicy");
    await expect(checkBy(allowed)).resolves.toEqual([]);
  });

  test("a grantee is told to retry until the grants are there", async () => {
    await expect(check()).rejects.toEqual(retried);
    expect(() => keyring.grants.wholeIndex).toThrow(retried);
    keyring.follow("KeyGrant", "KeyPolicy");
    await vi.waitFor(() => expect(check()).rejects.toEqual(denied), deadline);
  });

  test("the user of another key is told to retry until the keys are there", async () => {
    const find = () => keyring.keys.find("alias/later", CALLER);
    expect(find).toThrow(retried);
    keyring.follow("MasterKey");
    await vi.waitFor(
      () => expect(find).toThrow(expect.objectContaining({ type: "NotFoundException" })),
      deadline,
    );
  });
});
