import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { KeyRow } from "../../keyring/rows.ts";
import { ALICE } from "../../testing/aws-keyring.ts";
import { grantRow } from "../../testing/grants.ts";
import { deadline } from "../../testing/keyring.ts";
import { StandaloneOperator } from "../../testing/standalone-operator.ts";
import { encrypt } from "../operations/encrypt.ts";
import type { Operation } from "../operations/operation.ts";
import { Access } from "../service/access.ts";
import { standaloneRbac } from "../service/standalone-rbac.ts";
import { createGrant } from "./operations/create-grant.ts";
import { listGrants } from "./operations/list-grants.ts";
import { listRetirableGrants } from "./operations/list-retirable-grants.ts";
import { retireGrant } from "./operations/retire-grant.ts";
import { revokeGrant } from "./operations/revoke-grant.ts";

const arn = (name: string) => `arn:aws:iam::000000000000:user/${name}`;
const user = (name: string) => ({ ...ALICE, user: name, arn: arn(name), groups: [] });
const APP = user("app");
const Plaintext = Buffer.from("attack at dawn");

/** A real operator follows the folder. */
let site: StandaloneOperator;
let orders: KeyRow;
let access: Access;
beforeAll(async () => {
  site = new StandaloneOperator();
  const manifest = (name: string, spec: string) =>
    `apiVersion: kms.claviger.dev/v1alpha1\nkind: MasterKey\nmetadata: { name: ${name}, namespace: apps }\nspec: ${spec}\n`;
  site.write("orders.yaml", manifest("orders", "{}"));
  site.write("idle.yaml", manifest("idle", "{}"));
  site.write("mac.yaml", manifest("mac", "{ keySpec: HMAC_256, keyUsage: GENERATE_VERIFY_MAC }"));
  [orders] = await Promise.all([site.key("orders"), site.key("idle"), site.key("mac")]);
  access = new Access(site.grants, standaloneRbac);
  site.write("idle.yaml", manifest("idle", "{ enabled: false }"));
  const idle = site.keys.named({ namespace: "apps", name: "idle" })?.keyId ?? "";
  await vi.waitFor(() => expect(site.state(idle)).toBe("Disabled"), deadline);
});
afterAll(() => site.stop());

/** Runs an operation as the API does, access included. */
async function run<I extends object, O>(operation: Operation<I, O>, input: I, caller = ALICE): Promise<O> {
  const request = { id: "request-1", caller, input, now: Date.now() };
  await access.check(request, operation.needs(request, site.keys), site.keys);
  return (await operation.prepare(request, site.keys))();
}
const TERMS = { GranteePrincipal: APP.arn, Operations: ["Encrypt", "CreateGrant"] } as const;
const create = (rest: object = {}, caller = ALICE) =>
  run(createGrant(site.grants, site.objects), { KeyId: orders.keyId, ...TERMS, ...rest }, caller);
const list = (rest: object = {}) => run(listGrants(site.grants), { KeyId: orders.keyId, ...rest });
const encrypts = (rest: object = {}, caller = APP) =>
  run(encrypt, { KeyId: orders.keyId, Plaintext, ...rest }, caller);
const recorded = (GrantId: string) =>
  vi.waitFor(() => expect(site.grants.index.get(GrantId)).toBeDefined(), deadline);
const denied = expect.objectContaining({ type: "AccessDeniedException" });

describe("CreateGrant", () => {
  it("makes a KeyGrant whose token is good at once, and the grant without it in a moment", async () => {
    await expect(encrypts()).rejects.toEqual(denied);
    const { GrantId, GrantToken } = await create();
    expect(GrantId).toMatch(/^[0-9a-f]{64}$/);
    await encrypts({ GrantTokens: [GrantToken] });
    await recorded(GrantId);
    await encrypts();
    expect((await list({ GrantId })).Grants).toMatchObject([
      { GrantId, ...TERMS, KeyId: site.keys.arn(orders), IssuingAccount: "arn:aws:iam::000000000000:root" },
    ]);
  });

  it("answers when the grant can be listed and revoked", async () => {
    const { GrantId } = await create({ GranteePrincipal: arn("listed") });
    expect((await list({ GrantId })).Grants).toMatchObject([{ GrantId }]);
    await run(revokeGrant(site.grants, site.objects), { KeyId: orders.keyId, GrantId });
    expect((await list()).Grants.map((grant) => grant.GrantId)).not.toContain(GrantId);
  });

  it("with a Name is made once, and answers a token each time; after its end it is made again", async () => {
    const first = await create({ Name: "for/app" });
    const second = await create({ Name: "for/app" });
    expect(second.GrantId).toBe(first.GrantId);
    await recorded(first.GrantId);
    expect((await create({ Name: "for/app" })).GrantId).toBe(first.GrantId);
    expect((await create({ Name: "for/other" })).GrantId).not.toBe(first.GrantId);
    await run(revokeGrant(site.grants, site.objects), { KeyId: orders.keyId, GrantId: first.GrantId });
    expect((await create({ Name: "for/app" })).GrantId).not.toBe(first.GrantId);
  });

  it("with a Name, from two requests at once, is made once", async () => {
    const [one, two] = await Promise.all([create({ Name: "at/once" }), create({ Name: "at/once" })]);
    expect(one.GrantId).toBe(two.GrantId);
  });

  it("by a grantee of CreateGrant => less of what they have, and nothing more", async () => {
    const parent = await create();
    await recorded(parent.GrantId);
    const child = { GranteePrincipal: arn("child"), Operations: ["Encrypt"] };
    await create(child, APP);
    await expect(create({ ...child, Operations: ["Encrypt", "Decrypt"] }, APP)).rejects.toEqual(denied);
    await expect(create(child, user("child"))).rejects.toEqual(denied);
  });

  it.each([
    ["a grantee that is no ARN", { GranteePrincipal: "*" }, "InvalidArnException"],
    ["no grantee", { GranteePrincipal: undefined }, "ValidationException"],
    ["CreateGrant alone", { Operations: ["CreateGrant"] }, "ValidationException"],
    ["an operation that the key cannot do", { Operations: ["Sign"] }, "ValidationException"],
    ["a SourceArn", { Constraints: { SourceArn: "arn:aws:s3:::x" } }, "UnsupportedOperationException"],
    ["a key by its alias", { KeyId: "alias/none" }, "NotFoundException"],
  ])("of %s => %s, %s", async (_, rest, type) => {
    await expect(create(rest)).rejects.toEqual(expect.objectContaining({ type }));
  });

  it("of a disabled key => DisabledException; of constraints on an HMAC key => ValidationException", async () => {
    const [idle, mac] = ["idle", "mac"].map((name) => site.keys.named({ namespace: "apps", name })?.keyId);
    await expect(create({ KeyId: idle })).rejects.toEqual(
      expect.objectContaining({ type: "DisabledException" }),
    );
    const rest = {
      KeyId: mac,
      Operations: ["GenerateMac"],
      Constraints: { EncryptionContextSubset: { a: "b" } },
    };
    await expect(create(rest)).rejects.toEqual(expect.objectContaining({ type: "ValidationException" }));
  });
});

describe("an end", () => {
  it("by RevokeGrant is in force when the answer comes, and the token is useless", async () => {
    const { GrantId, GrantToken } = await create({ GranteePrincipal: arn("revoked") });
    await recorded(GrantId);
    const caller = user("revoked");
    await encrypts({}, caller);
    await run(revokeGrant(site.grants, site.objects), { KeyId: orders.keyId, GrantId });
    await expect(encrypts({ GrantTokens: [GrantToken] }, caller)).rejects.toEqual(denied);
    await expect(list({ GrantId })).rejects.toEqual(
      expect.objectContaining({ type: "InvalidGrantIdException" }),
    );
  });

  it("by RetireGrant is for the retiring principal, by the token or by key and id", async () => {
    const retire = (input: object, caller = ALICE) =>
      run(retireGrant(site.grants, site.objects), input, caller);
    const terms = { GranteePrincipal: arn("retired"), RetiringPrincipal: arn("judge") };
    const [one, two] = [await create(terms), await create(terms)];
    await expect(retire({ GrantToken: one.GrantToken }, user("retired"))).rejects.toEqual(denied);
    await retire({ GrantToken: one.GrantToken }, user("judge"));
    await recorded(two.GrantId);
    // Whoever may retire the grants of one key may not name another key's grant beside it.
    const mac = await site.key("mac");
    await expect(retire({ KeyId: mac.keyId, GrantId: two.GrantId })).rejects.toEqual(
      expect.objectContaining({ type: "NotFoundException" }),
    );
    const listed = await run(listRetirableGrants(site.grants), { RetiringPrincipal: arn("judge") });
    expect(listed.Grants.map(({ GrantId }) => GrantId)).toEqual([two.GrantId]);
    await retire({ KeyId: orders.keyId, GrantId: two.GrantId }, user("judge"));
    await expect(encrypts({ GrantTokens: [one.GrantToken] }, user("retired"))).rejects.toEqual(denied);
    await expect(encrypts({}, user("retired"))).rejects.toEqual(denied);
    await expect(retire({ KeyId: orders.keyId })).rejects.toEqual(
      expect.objectContaining({ type: "ValidationException" }),
    );
  });
});

it("ListRetirableGrants lists one's own in all namespaces, and those of others in the caller's namespace only", async () => {
  const { GrantId } = await create({ GranteePrincipal: arn("kept"), RetiringPrincipal: arn("keeper") });
  await recorded(GrantId);
  const lists = async (caller: typeof ALICE) => {
    const { Grants } = await run(
      listRetirableGrants(site.grants),
      { RetiringPrincipal: arn("keeper") },
      { ...caller, groups: ALICE.groups },
    );
    return Grants.map((grant) => grant.GrantId);
  };
  expect(await lists(ALICE)).toEqual([GrantId]);
  expect(await lists({ ...user("keeper"), namespace: "shop" })).toEqual([GrantId]);
  expect(await lists({ ...user("stranger"), namespace: "shop" })).toEqual([]);
});

it("CreateGrant of a key that has 50,000 grants => LimitExceededException; those that have expired do not count", async () => {
  const { keyId } = await site.key("mac");
  const put = (n: number, changes: object = {}) => site.grants.index.put(grantRow(n, { keyId, ...changes }));
  for (let n = 1; n <= 50_000; n++) put(n);
  const Operations = ["GenerateMac"];
  await expect(create({ KeyId: keyId, Operations })).rejects.toEqual(
    expect.objectContaining({ type: "LimitExceededException" }),
  );
  put(1, { expiresAt: Date.now() - 1 });
  await create({ KeyId: keyId, Operations });
});
