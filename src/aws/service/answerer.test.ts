import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import type { PutKey } from "../../keyring/changes.ts";
import type { GrantRow } from "../../keyring/grant-row.ts";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { EXAMPLE, signedHeaders } from "../../testing/aws-signer.ts";
import { grantRow } from "../../testing/grants.ts";
import { deadline } from "../../testing/keyring.ts";
import type { Caller } from "../caller.ts";
import { grantOperations } from "../grants/grant-table.ts";
import { Access, type Rbac } from "./access.ts";
import { Answerer } from "./answerer.ts";
import { Authenticator } from "./authenticator.ts";
import { KmsService } from "./kms-service.ts";
import { standaloneRbac } from "./standalone-rbac.ts";

let keyring: AwsKeyring;
let key: PutKey;
let lines: string[];
beforeEach(async () => {
  keyring = new AwsKeyring();
  key = await keyring.add("orders");
  keyring.start();
  lines = [];
});
afterEach(() => keyring.close());

/** Returns the part of a grant that says of which MasterKey it is. */
const ofOrders = () => ({ namespace: key.namespace, masterKey: key.name, keyId: key.keyId });

/** Returns an API whose only caller is `caller`. */
function apiFor(caller: Caller, rbac: Rbac = standaloneRbac): Answerer {
  const credential = { secret: Secret.take(Buffer.from(EXAMPLE.secretAccessKey)), caller };
  const service = new KmsService({
    keys: keyring.keys,
    authenticator: new Authenticator("us-local-1", ({ accessKeyId }) =>
      accessKeyId === EXAMPLE.accessKeyId ? credential : undefined,
    ),
    access: new Access(keyring.grants, rbac),
    management: grantOperations(keyring.grants, undefined),
    now: () => NOW,
  });
  return new Answerer(service, (level, message) => lines.push(`${level} ${message}`));
}

/** Sends a signed request and returns the status and the answer. */
async function send(name: string, input: object, caller = ALICE, rbac?: Rbac) {
  const body = JSON.stringify(input);
  const target = `TrentService.${name}`;
  const headers = await signedHeaders({ body, at: NOW, headers: { "x-amz-target": target } });
  const wire = { method: "POST", query: "", headers, body: Buffer.from(body) };
  const reply = await apiFor(caller, rbac).answer("request-1", target, wire);
  return { status: reply.status, ...JSON.parse(reply.body) };
}

const Plaintext = Buffer.from("attack at dawn").toString("base64");

describe("a caller that RBAC allows nothing", () => {
  const reader: Caller = { ...ALICE, groups: [], arn: "arn:aws:iam::000000000000:role/shop/app" };
  const grantOf = (changes: Partial<GrantRow> = {}): GrantRow =>
    grantRow(1, { ...ofOrders(), granteePrincipal: reader.arn, operations: ["Encrypt"], ...changes });
  const encrypt = (rest: object = {}) => send("Encrypt", { KeyId: key.keyId, Plaintext, ...rest }, reader);
  const eventually = (status: number) =>
    vi.waitFor(async () => expect((await encrypt()).status).toBe(status), deadline);

  it("does what a grant allows, with the encryption context that it asks for, until it is revoked", async () => {
    expect(await encrypt()).toMatchObject({ __type: "AccessDeniedException" });
    keyring.grant(grantOf());
    await eventually(200);
    const again = await send("Decrypt", { CiphertextBlob: (await encrypt()).CiphertextBlob }, reader);
    expect(again).toMatchObject({ __type: "AccessDeniedException" });
    keyring.grant(grantOf({ constraint: { kind: "Subset", context: { tenant: "a" } } }));
    await eventually(400);
    expect((await encrypt({ EncryptionContext: { tenant: "a", more: "b" } })).status).toBe(200);
    expect((await encrypt({ EncryptionContext: { tenant: "A" } })).status).toBe(400);
    keyring.grant(grantOf({ ended: { phase: "Revoked", at: NOW } }));
    await vi.waitFor(
      async () => expect((await encrypt({ EncryptionContext: { tenant: "a" } })).status).toBe(400),
      deadline,
    );
  });

  it("does what a token allows before the grant is here; another token => InvalidGrantTokenException", async () => {
    const token = keyring.grants.tokenOf(grantOf(), NOW);
    expect((await encrypt({ GrantTokens: [token] })).status).toBe(200);
    expect(await encrypt({ GrantTokens: [token, "AAAA"] })).toMatchObject({
      ...{ status: 400, __type: "InvalidGrantTokenException" },
    });
    const others = keyring.grants.tokenOf(grantOf({ granteePrincipal: ALICE.arn }), NOW);
    expect(await encrypt({ GrantTokens: [others] })).toMatchObject({ __type: "AccessDeniedException" });
  });
});

describe("grants", () => {
  it("are listed with the members that the service model has", async () => {
    const row = grantRow(1, { keyId: key.keyId, createdAt: NOW, grantName: "for/app" });
    keyring.grant(row);
    const list = () => send("ListGrants", { KeyId: key.keyId });
    await vi.waitFor(async () => expect((await list()).Grants).toHaveLength(1), deadline);
    expect((await list()).Grants[0]).toMatchObject({
      ...{ GrantId: row.grantId, Name: "for/app", CreationDate: NOW / 1000, Operations: ["Decrypt"] },
      ...{ KeyId: keyring.keys.arn(key), GranteePrincipal: row.granteePrincipal },
    });
  });

  it("of AWS's own services => UnsupportedOperationException, and no list of all grants", async () => {
    const GranteeServicePrincipal = "rds.amazonaws.com";
    expect(await send("ListGrants", { KeyId: key.keyId, GranteeServicePrincipal })).toMatchObject({
      ...{ status: 400, __type: "UnsupportedOperationException" },
      message: "claviger does not support GranteeServicePrincipal: leave it out.",
    });
  });
});

describe("the API", () => {
  it("answers what the service model has, blobs as base64", async () => {
    const encrypted = await send("Encrypt", { KeyId: key.keyId, Plaintext });
    expect(encrypted).toMatchObject({ status: 200, KeyId: keyring.keys.arn(key) });
    expect(await send("Decrypt", { CiphertextBlob: encrypted.CiphertextBlob })).toMatchObject({ Plaintext });
  });

  it("a request that nobody signed => MissingAuthenticationTokenException, whatever it asks", async () => {
    const wire = { method: "POST", query: "", headers: ["host", "x"], body: Buffer.from("{") };
    const reply = await apiFor(ALICE).answer("request-1", "TrentService.Nothing", wire);
    expect([reply.status, JSON.parse(reply.body).__type]).toEqual([
      400,
      "MissingAuthenticationTokenException",
    ]);
  });

  it.each([
    ["Nothing", "UnknownOperationException"],
    ["constructor", "UnknownOperationException"],
    ["ReplicateKey", "UnsupportedOperationException"],
    ["ConnectCustomKeyStore", "UnsupportedOperationException"],
  ])("the operation %s => %s", async (name, type) => {
    expect(await send(name, {})).toMatchObject({ status: 400, __type: type });
  });

  it("a plaintext of 4,097 bytes => ValidationException with AWS's text, without the plaintext", async () => {
    const answer = await send("Encrypt", {
      KeyId: key.keyId,
      Plaintext: Buffer.alloc(4_097).toString("base64"),
    });
    expect(answer).toMatchObject({
      __type: "ValidationException",
      message:
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
    });
  });

  it("a dry run that would succeed => DryRunOperationException; one that would not => why", async () => {
    const input = { KeyId: key.keyId, Plaintext, DryRun: true };
    expect(await send("Encrypt", input)).toMatchObject({ __type: "DryRunOperationException" });
    expect(await send("Encrypt", { ...input, KeyId: "alias/none" })).toMatchObject({
      __type: "NotFoundException",
    });
  });

  it("a member for Nitro enclaves => UnsupportedOperationException, not an answer without it", async () => {
    const Recipient = { KeyEncryptionAlgorithm: "RSAES_OAEP_SHA_256", AttestationDocument: "AAAA" };
    expect(await send("GenerateRandom", { NumberOfBytes: 8, Recipient })).toMatchObject({
      __type: "UnsupportedOperationException",
      message: "claviger does not support Recipient: leave it out.",
    });
  });

  it("a caller without permission => AccessDeniedException, which names caller, action and key", async () => {
    const bob = { ...ALICE, arn: "arn:aws:iam::000000000000:user/bob", user: "bob", groups: [] };
    const answer = await send("Encrypt", { KeyId: key.keyId, Plaintext }, bob);
    expect(answer).toMatchObject({ status: 400, __type: "AccessDeniedException" });
    expect(answer.message).toContain(
      `User: ${bob.arn} is not authorized to perform: kms:Encrypt on resource: ${keyring.keys.arn(key)} because`,
    );
    expect(await send("ListKeys", {}, bob)).toMatchObject({ __type: "AccessDeniedException" });
  });

  it("a caller without permission => AccessDeniedException that names an alias as the request did, without the key's id", async () => {
    keyring.alias("main", "orders");
    await vi.waitFor(
      () => expect(keyring.keys.alias({ namespace: "apps", name: "main" })).toBeDefined(),
      deadline,
    );
    const bob = { ...ALICE, namespace: "shop", groups: [] };
    const arn = "arn:aws:kms:us-local-1:000000000000:alias/apps/main";
    for (const KeyId of ["alias/apps/main", arn]) {
      const answer = await send("Encrypt", { KeyId, Plaintext }, bob);
      expect(answer).toMatchObject({ status: 400, __type: "AccessDeniedException" });
      expect(answer.message).toContain(`on resource: ${arn} because`);
      expect(answer.message).not.toContain(key.keyId);
    }
    const encrypted = await send("Encrypt", { KeyId: key.keyId, Plaintext });
    const { message } = await send("ReEncrypt", { ...encrypted, DestinationKeyId: "alias/apps/main" }, bob);
    expect(message).toContain(`on resource: ${arn} because`);
  });

  it("RBAC cannot be asked => DependencyTimeoutException, which SDKs retry; too many questions => ThrottlingException", async () => {
    const bob = { ...ALICE, arn: "arn:aws:iam::000000000000:user/bob", groups: [] };
    const input = { KeyId: key.keyId, Plaintext };
    const unasked = await send("Encrypt", input, bob, { ask: () => "unknown" });
    expect(unasked).toMatchObject({ status: 500, __type: "DependencyTimeoutException" });
    expect(unasked.message).toContain("RBAC could not be asked for the verb encrypt on this MasterKey");
    const throttled = await send("Encrypt", input, bob, { ask: () => "throttled" });
    expect(throttled).toMatchObject({ status: 400, __type: "ThrottlingException" });
    // A grant needs no answer of RBAC.
    keyring.grant(grantRow(1, { ...ofOrders(), granteePrincipal: bob.arn, operations: ["Encrypt"] }));
    const byGrant = () => send("Encrypt", input, bob, { ask: () => "unknown" });
    await vi.waitFor(async () => expect((await byGrant()).status).toBe(200), deadline);
  });

  it("a caller without permission is not told that a key is disabled", async () => {
    const disabled = await keyring.add("disabled", { enabled: false });
    const find = () => keyring.keys.withId(disabled.keyId);
    await expect.poll(find, { timeout: 60_000, interval: 20 }).toBeDefined();
    const bob = { ...ALICE, groups: [] };
    const input = { KeyId: disabled.keyId, Plaintext };
    expect(await send("Encrypt", input, bob)).toMatchObject({ __type: "AccessDeniedException" });
    expect(await send("Encrypt", input)).toMatchObject({ __type: "DisabledException" });
  });

  it("a failure of claviger => 500 with the request id; the log has the reason, and no payload", async () => {
    keyring.spoilRootKey();
    const answer = await send("Encrypt", { KeyId: key.keyId, Plaintext });
    expect(answer).toMatchObject({ status: 500, __type: "KeyUnavailableException" });
    expect(answer.message).toContain("request-1");
    expect(lines).toEqual([expect.stringMatching(/^error KeyUnavailableException: .*root key/)]);
    expect(lines.join()).not.toContain(Plaintext);
  });
});
