import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RbacAnswer } from "../../access/decide-access.ts";
import type { PutKey } from "../../keyring/changes.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { readNodeGrantUsage } from "../../keyring/usage/grant-usage.ts";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { grantRow } from "../../testing/grants.ts";
import { deadline } from "../../testing/keyring.ts";
import { encrypt } from "../operations/encrypt.ts";
import { Access } from "./access.ts";
import { KmsService } from "./kms-service.ts";

const CALLER = { ...ALICE, groups: [] };
const PLAINTEXT = Buffer.from("attack at dawn");

let keyring: AwsKeyring;
let secrets: PutKey;
beforeEach(async () => {
  keyring = new AwsKeyring();
  await keyring.add("orders");
  secrets = await keyring.add("secrets");
  keyring.alias("app", "orders");
  keyring.start();
});
afterEach(() => keyring.close());

/** Points the alias elsewhere and waits until the API sees the change. */
async function move(name: string) {
  keyring.alias("app", name);
  const target = () => {
    keyring.keys.freshen();
    return keyring.keys.alias({ namespace: "apps", name: "app" })?.masterKey;
  };
  await vi.waitFor(() => expect(target()).toBe(name), deadline);
}

type Ask = (key: KeyRow | undefined) => Promise<RbacAnswer>;

/** Sends a request by alias to an API whose API server answers so. */
async function send(name: string, input: object, ask: Ask) {
  const service = new KmsService({
    keys: keyring.keys,
    authenticator: { authenticate: async () => CALLER },
    access: new Access(keyring.grants, { ask: (_caller, _verb, key) => ask(key) }),
    management: new Map(),
    now: () => NOW,
  });
  const body = Buffer.from(JSON.stringify({ KeyId: "alias/app", ...input }));
  return JSON.parse(
    await service.answer({ id: "1", name, wire: { method: "POST", query: "", headers: [], body } }),
  );
}

test("an alias that moves while the API server is asked => the permission for the other key is needed", async () => {
  const { CiphertextBlob } = await keyring.run(encrypt, { KeyId: secrets.keyId, Plaintext: PLAINTEXT });
  const decrypted = send("Decrypt", { CiphertextBlob: CiphertextBlob.toString("base64") }, async (key) => {
    if (key?.name !== "orders") return "denied";
    await move("secrets");
    return "allowed";
  });
  await expect(decrypted).rejects.toMatchObject({
    type: "AccessDeniedException",
    message: expect.stringContaining("kms:Decrypt"),
  });
});

test("an alias that moves to a key that the caller may use too => that key is used", async () => {
  const asked: (string | undefined)[] = [];
  const answer = await send("Encrypt", { Plaintext: PLAINTEXT.toString("base64") }, async (key) => {
    asked.push(key?.name);
    if (asked.length === 1) await move("secrets");
    return "allowed";
  });
  expect(answer.KeyId).toBe(keyring.keys.arn(secrets));
  expect(asked).toEqual(["orders", "secrets"]);
});

test("an alias that moves at each question => DependencyTimeoutException, after which clients retry", async () => {
  await keyring.add("next-2");
  await keyring.add("next-3");
  const asked: (string | undefined)[] = [];
  const encrypted = send("Encrypt", { Plaintext: PLAINTEXT.toString("base64") }, async (key) => {
    asked.push(key?.name);
    await move(key?.name === "orders" ? "secrets" : `next-${asked.length}`);
    return "allowed";
  });
  await expect(encrypted).rejects.toMatchObject({ type: "DependencyTimeoutException", status: 500 });
  expect(asked).toEqual(["orders", "secrets", "next-2"]);
});

test("a request that a grant has allowed is a use of the grant; what RBAC allows, a dry run or an error is none", async () => {
  const { keyId, namespace, name } = secrets;
  const grant = { namespace, masterKey: name, keyId, granteePrincipal: CALLER.arn };
  keyring.grant(grantRow(1, { ...grant, operations: ["Encrypt"] }));
  await vi.waitFor(() => expect(keyring.grants.index.size).toBe(1), deadline);
  const Plaintext = PLAINTEXT.toString("base64");
  const unasked = vi.fn<Ask>(async () => "allowed");
  await send("Encrypt", { KeyId: keyId, Plaintext }, unasked);
  await send("Encrypt", { KeyId: keyId, Plaintext }, unasked);
  expect(unasked).not.toHaveBeenCalled();
  await expect(send("Encrypt", { KeyId: keyId, Plaintext, DryRun: true }, unasked)).rejects.toThrow();
  await expect(send("Encrypt", { KeyId: keyId, Plaintext: "" }, unasked)).rejects.toThrow();
  await send("DescribeKey", { KeyId: keyId }, unasked).catch(() => undefined);
  await keyring.usage.close();
  expect([...readNodeGrantUsage(keyring.stateDir)]).toEqual([
    ["1".padStart(64, "0"), { uses: 2, lastAt: NOW }],
  ]);
});
