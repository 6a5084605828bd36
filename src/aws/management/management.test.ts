import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyRow } from "../../keyring/rows.ts";
import type { ObjectName } from "../../names.ts";
import { parseManifests } from "../../store/manifests/manifests.ts";
import { ALICE } from "../../testing/aws-keyring.ts";
import { StandaloneOperator } from "../../testing/standalone-operator.ts";
import { getKeyRotationStatus } from "../operations/details/get-key-rotation-status.ts";
import { listResourceTags } from "../operations/details/list-resource-tags.ts";
import { encrypt } from "../operations/encrypt.ts";
import type { Operation } from "../operations/operation.ts";
import { getKeyPolicy } from "../policies/operations/get-key-policy.ts";
import { putKeyPolicy } from "../policies/operations/put-key-policy.ts";
import type { KeyInput } from "./key-change.ts";
import type { ManagedObjects } from "./managed-objects.ts";
import { cancelKeyDeletion } from "./operations/cancel-key-deletion.ts";
import { createAlias } from "./operations/create-alias.ts";
import { createKey } from "./operations/create-key.ts";
import { deleteAlias } from "./operations/delete-alias.ts";
import { disableKey } from "./operations/disable-key.ts";
import { enableKey } from "./operations/enable-key.ts";
import { disableKeyRotation, enableKeyRotation } from "./operations/key-rotation.ts";
import { rotateKeyOnDemand } from "./operations/rotate-key-on-demand.ts";
import { scheduleKeyDeletion } from "./operations/schedule-key-deletion.ts";
import { tagResource, untagResource } from "./operations/tag-resource.ts";
import { updateAlias } from "./operations/update-alias.ts";
import { updateKeyDescription } from "./operations/update-key-description.ts";

const manifest = (name: string, spec = "{}", namespace = "apps") =>
  `# ${name}: keep this.\napiVersion: kms.claviger.dev/v1alpha1\nkind: MasterKey\n` +
  `metadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
const Plaintext = Buffer.from("attack at dawn");

type Make = (objects: ManagedObjects) => Operation<KeyInput, object>;
const ROTATING: readonly Make[] = [enableKeyRotation, disableKeyRotation, rotateKeyOnDemand];
const REFUSED_IN_DELETION: readonly Make[] = [enableKey, disableKey, scheduleKeyDeletion, ...ROTATING];

/** A real operator follows the folder; nothing is answered before its keyring has the change. */
let site: StandaloneOperator;
let orders: KeyRow;
let mac: KeyRow;
let elsewhere: KeyRow;
beforeAll(async () => {
  site = new StandaloneOperator();
  site.write("keys.yaml", [manifest("orders"), manifest("bills"), manifest("old")].join("---\n"));
  site.write("mac.yaml", manifest("mac", "{ keySpec: HMAC_256, keyUsage: GENERATE_VERIFY_MAC }"));
  site.write("elsewhere.yaml", manifest("elsewhere", "{}", "other"));
  [orders, mac, elsewhere] = await Promise.all([
    site.key("orders"),
    site.key("mac"),
    site.key("elsewhere", "other"),
  ]);
});
afterAll(() => site.stop());

const specOf = (name: string) =>
  parseManifests(site.manifestWith(`${name}: keep this.`), "keys", []).find((one) => one.name === name)?.spec;
const refused = (type: string, message: RegExp) => ({ type, message: expect.stringMatching(message) });
const arn = ({ keyId }: KeyRow) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;

it("changes of one key by several callers at once are all answered, though each is overridden by the next", async () => {
  const { keyId: KeyId } = elsewhere;
  const descriptions = ["one", "two", "three", "four"];
  await Promise.all(
    descriptions.map((Description) => site.run(updateKeyDescription(site.objects), { KeyId, Description })),
  );
  expect(descriptions).toContain(site.keys.details(elsewhere).description);
});

it("a manifest that somebody is writing by hand at that moment is waited for", async () => {
  const text = site.manifestWith("mac: keep this.");
  site.write("mac.yaml", "");
  const Description = "written meanwhile";
  const updated = site.run(updateKeyDescription(site.objects), { KeyId: mac.keyId, Description });
  site.write("mac.yaml", `${text}# by hand\n`);
  await updated;
  expect(specOf("mac")).toMatchObject({ description: Description });
  expect(site.manifestWith("mac: keep this.")).toContain("# by hand");
});

describe("CreateKey", () => {
  it("makes a MasterKey in the caller's namespace, and the key encrypts when the answer comes", async () => {
    const Tags = [{ TagKey: "no", TagValue: "yes" }];
    const { KeyMetadata } = await site.run(createKey(site.objects), { Description: "The shop's: #1", Tags });
    expect(KeyMetadata).toMatchObject({
      ...{ AWSAccountId: "000000000000", Description: "The shop's: #1", Enabled: true, KeyState: "Enabled" },
      ...{ KeySpec: "SYMMETRIC_DEFAULT", KeyUsage: "ENCRYPT_DECRYPT", Origin: "AWS_KMS", MultiRegion: false },
      ...{ EncryptionAlgorithms: ["SYMMETRIC_DEFAULT"], CreationDate: expect.any(Date) },
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { KeyId } = await site.run(encrypt, { KeyId: KeyMetadata.KeyId, Plaintext });
    expect(KeyId).toBe(KeyMetadata.Arn);
    const text = site.manifestWith("The shop's");
    expect(text).toContain("# Created by the AWS KMS API for arn:aws:iam::000000000000:user/alice.");
    expect(parseManifests(text, "created", [])).toMatchObject([
      {
        kind: "MasterKey",
        namespace: "apps",
        name: expect.stringMatching(/^key-[0-9a-f]{8}$/),
        spec: { tags: { no: "yes" } },
      },
    ]);
  });
  it("of a spec with several usages => is of the usage that was asked for, with its algorithms", async () => {
    const input = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" };
    const { KeyMetadata } = await site.run(createKey(site.objects), input);
    expect(KeyMetadata).toMatchObject({
      ...input,
      KeyState: "Enabled",
      SigningAlgorithms: ["ECDSA_SHA_256"],
    });
    expect(KeyMetadata).not.toHaveProperty("CurrentKeyMaterialId");
  });
  it("with a policy => has it when the answer comes", async () => {
    const root = "arn:aws:iam::000000000000:root";
    const Statement = [{ Effect: "Allow", Principal: { AWS: root }, Action: "kms:*", Resource: "*" }];
    const { KeyMetadata } = await site.run(createKey(site.objects), {
      Policy: JSON.stringify({ Statement }),
    });
    const { Policy } = await site.run(getKeyPolicy, { KeyId: KeyMetadata.KeyId });
    expect(JSON.parse(Policy)).toEqual({ Statement });
  });
  it("of origin EXTERNAL => is pending import", async () => {
    const { KeyMetadata } = await site.run(createKey(site.objects), { Origin: "EXTERNAL" });
    expect(KeyMetadata).toMatchObject({ KeyState: "PendingImport", Enabled: false, Origin: "EXTERNAL" });
  });
  it.each([
    [{ MultiRegion: true }, "UnsupportedOperationException"],
    [{ Policy: "{}" }, "MalformedPolicyDocumentException"],
    [{ Policy: '{"Statement":{"Effect":"Deny","Principal":"*"}}' }, "MalformedPolicyDocumentException"],
    [{ Origin: "AWS_CLOUDHSM" }, "UnsupportedOperationException"],
    [{ KeySpec: "SM2", KeyUsage: "SIGN_VERIFY" }, "UnsupportedOperationException"],
    [{ KeySpec: "HMAC_256" }, "ValidationException"],
    [{ KeyUsage: "SIGN_VERIFY" }, "ValidationException"],
    [{ Tags: [{ TagKey: "aws:x", TagValue: "" }] }, "TagException"],
    [{ Tags: ["a", "a"].map((TagKey) => ({ TagKey, TagValue: "" })) }, "TagException"],
    [
      { Tags: Array.from({ length: 51 }, (_, n) => ({ TagKey: `${n}`, TagValue: "" })) },
      "LimitExceededException",
    ],
  ])("with %j => %s, and nothing is made", async (input, type) => {
    await expect(site.run(createKey(site.objects), input)).rejects.toMatchObject({ type });
  });
});

describe("a key's state", () => {
  it("DisableKey, EnableKey => the caller's next request finds the key so, and its manifest keeps its comments", async () => {
    const KeyId = orders.keyId;
    await site.run(disableKey(site.objects), { KeyId });
    await expect(site.run(encrypt, { KeyId, Plaintext })).rejects.toMatchObject(
      refused("DisabledException", /is disabled\.$/),
    );
    await site.run(disableKey(site.objects), { KeyId });
    await site.run(enableKey(site.objects), { KeyId: arn(orders) });
    expect(await site.run(encrypt, { KeyId, Plaintext })).toMatchObject({ KeyId: arn(orders) });
    expect(specOf("orders")).toEqual({ enabled: true });
    expect(specOf("bills")).toEqual({});
  });
  it("ScheduleKeyDeletion => pending deletion, and refused then; CancelKeyDeletion => disabled", async () => {
    const old = await site.key("old");
    const KeyId = old.keyId;
    const answer = await site.run(scheduleKeyDeletion(site.objects), { KeyId, PendingWindowInDays: 7 });
    expect(answer).toMatchObject({ KeyId: arn(old), KeyState: "PendingDeletion", PendingWindowInDays: 7 });
    expect(answer.DeletionDate.getTime()).toBeGreaterThan(Date.now() + 6.9 * 86_400_000);
    const pending = refused("KMSInvalidStateException", /is pending deletion\.$/);
    for (const refusing of REFUSED_IN_DELETION)
      await expect(site.run(refusing(site.objects), { KeyId })).rejects.toMatchObject(pending);
    await expect(
      site.run(createAlias(site.objects), { AliasName: "alias/old", TargetKeyId: KeyId }),
    ).rejects.toMatchObject(pending);
    expect(await site.run(cancelKeyDeletion(site.objects), { KeyId })).toEqual({ KeyId: arn(old) });
    expect(site.state(KeyId)).toBe("Disabled");
    await expect(site.run(cancelKeyDeletion(site.objects), { KeyId })).rejects.toMatchObject(
      refused("KMSInvalidStateException", /is not pending deletion\.$/),
    );
    await expect(site.run(enableKeyRotation(site.objects), { KeyId })).rejects.toMatchObject(
      refused("DisabledException", /is disabled\.$/),
    );
  });
  it.each([6, 31, 365])(
    "ScheduleKeyDeletion with a window of %d days => ValidationException",
    async (days) => {
      const input = { KeyId: orders.keyId, PendingWindowInDays: days };
      await expect(site.run(scheduleKeyDeletion(site.objects), input)).rejects.toMatchObject({
        type: "ValidationException",
      });
    },
  );
  it("an alias in place of a key id => NotFoundException, as in AWS KMS", async () => {
    const AliasName = "alias/enabled";
    await site.run(createAlias(site.objects), { AliasName, TargetKeyId: orders.keyId });
    const own = "arn:aws:kms:us-local-1:000000000000";
    for (const KeyId of [AliasName, `${own}:alias/apps/enabled`, `${own}:key/alias/enabled`])
      await expect(site.run(enableKey(site.objects), { KeyId })).rejects.toMatchObject(
        refused("NotFoundException", /^Invalid keyId '/),
      );
    await site.run(deleteAlias(site.objects), { AliasName });
  });
  it("a key whose manifest was taken away => NotFoundException, which says what to do", async () => {
    site.write("gone.yaml", manifest("gone"));
    const { keyId } = await site.key("gone");
    site.write("gone.yaml", "");
    await expect(site.run(disableKey(site.objects), { KeyId: keyId })).rejects.toMatchObject(
      refused("NotFoundException", /MasterKey apps\/gone: apply the MasterKey again/),
    );
  });
});

describe("what a key says of itself", () => {
  it("UpdateKeyDescription, TagResource, UntagResource => are in its manifest", async () => {
    const { keyId: KeyId } = await site.key("bills");
    await site.run(updateKeyDescription(site.objects), { KeyId, Description: "yes" });
    await site.run(tagResource(site.objects), {
      KeyId,
      Tags: ["a", "b"].map((TagKey) => ({ TagKey, TagValue: "1" })),
    });
    await site.run(untagResource(site.objects), { KeyId, TagKeys: ["a", "absent"] });
    expect(specOf("bills")).toEqual({ description: "yes", tags: { b: "1" } });
    const { Tags } = await site.run(listResourceTags, { KeyId });
    expect(Tags).toEqual([{ TagKey: "b", TagValue: "1" }]);
  });
  it("more than 50 tags together => LimitExceededException", async () => {
    const { keyId: KeyId } = await site.key("bills");
    const Tags = Array.from({ length: 50 }, (_, n) => ({ TagKey: `t${n}`, TagValue: "" }));
    await expect(site.run(tagResource(site.objects), { KeyId, Tags })).rejects.toMatchObject({
      type: "LimitExceededException",
    });
  });
});

describe("PutKeyPolicy", () => {
  const root = "arn:aws:iam::000000000000:root";
  const statement = { Sid: "all", Effect: "Allow", Principal: { AWS: root }, Action: "kms:*", Resource: "*" };
  const put = (document: object, more: object = {}) =>
    site.run(putKeyPolicy(site.objects), { KeyId: mac.keyId, Policy: JSON.stringify(document), ...more });
  const policy = async () => JSON.parse((await site.run(getKeyPolicy, { KeyId: mac.keyId })).Policy);

  it("replaces all of spec.policy, and the caller's next request goes by it", async () => {
    const Condition = { StringLike: { "kms:EncryptionContext:tenant": ["a*", "b"] } };
    const document = {
      Version: "2012-10-17",
      Id: "first",
      Statement: [statement, { ...statement, Sid: "c", Condition }],
    };
    await put(document);
    expect(await policy()).toEqual(document);
    expect(specOf("mac")).toMatchObject({ policy: document });
    // Nothing of the former document stays, and a lone statement becomes a list.
    await put({ Statement: statement });
    expect(await policy()).toEqual({ Statement: [statement] });
    expect(specOf("mac")).toMatchObject({ policy: { Statement: [statement] } });
    await put({ Statement: [statement] });
  });
  it.each<[string, object, object, string, RegExp]>([
    [
      "an unknown condition key",
      { Statement: { ...statement, Condition: { Bool: { "aws:x": true } } } },
      {},
      "MalformedPolicyDocumentException",
      /"aws:x": this condition key is not served/,
    ],
    [
      "a policy that would lock the caller out",
      { Statement: { ...statement, Action: "kms:Encrypt" } },
      {},
      "MalformedPolicyDocumentException",
      /will not allow you to update the key policy/,
    ],
    [
      "more than 32 KiB",
      { Id: "x".repeat(33_000), Statement: statement },
      {},
      "LimitExceededException",
      /32 KiB/,
    ],
    ["another name", { Statement: statement }, { PolicyName: "other" }, "ValidationException", /default/],
  ])("of %s => refused, and nothing is changed", async (_, document, more, type, message) => {
    const before = await policy();
    await expect(put(document, more)).rejects.toMatchObject(refused(type, message));
    expect(await policy()).toEqual(before);
  });
  it("with BypassPolicyLockoutSafetyCheck may lock the caller out; an editor of the manifest is not", async () => {
    const locked = { Statement: [{ ...statement, Action: "kms:Encrypt" }] };
    await put(locked, { BypassPolicyLockoutSafetyCheck: true });
    expect(await policy()).toEqual(locked);
    site.write("mac.yaml", manifest("mac", "{ keySpec: HMAC_256, keyUsage: GENERATE_VERIFY_MAC }"));
    await expect.poll(policy, { timeout: 10_000 }).toMatchObject({ Id: "key-default-1" });
  });
});

describe("rotation", () => {
  it("EnableKeyRotation, DisableKeyRotation => are in the manifest; the period stays", async () => {
    const KeyId = orders.keyId;
    await site.run(enableKeyRotation(site.objects), { KeyId, RotationPeriodInDays: 90 });
    await site.run(enableKeyRotation(site.objects), { KeyId });
    expect(specOf("orders")).toMatchObject({ rotation: { enabled: true, periodInDays: 90 } });
    expect(await site.run(getKeyRotationStatus, { KeyId })).toMatchObject({
      ...{ KeyRotationEnabled: true, RotationPeriodInDays: 90 },
    });
    await site.run(disableKeyRotation(site.objects), { KeyId });
    expect(specOf("orders")).toMatchObject({ rotation: { enabled: false, periodInDays: 90 } });
  });
  it("RotateKeyOnDemand twice => the second is a conflict while the first runs", async () => {
    const KeyId = orders.keyId;
    expect(await site.run(rotateKeyOnDemand(site.objects), { KeyId })).toEqual({ KeyId: arn(orders) });
    await expect(site.run(rotateKeyOnDemand(site.objects), { KeyId })).rejects.toMatchObject({
      type: "ConflictException",
    });
  });
  it.each([89, 2561])("a period of %d days => ValidationException", async (days) => {
    const input = { KeyId: orders.keyId, RotationPeriodInDays: days };
    await expect(site.run(enableKeyRotation(site.objects), input)).rejects.toMatchObject({
      type: "ValidationException",
    });
  });
  it.each(ROTATING)("of a key for MACs => UnsupportedOperationException", async (operation) => {
    await expect(site.run(operation(site.objects), { KeyId: mac.keyId })).rejects.toMatchObject({
      type: "UnsupportedOperationException",
    });
  });
});

describe("aliases", () => {
  const alias = (AliasName: string, { keyId }: KeyRow) => ({ AliasName, TargetKeyId: keyId });

  it("CreateAlias, UpdateAlias, DeleteAlias => the caller's next request finds the key, the other key, none", async () => {
    const bills = await site.key("bills");
    const encryptUnder = async () => (await site.run(encrypt, { KeyId: "alias/main", Plaintext })).KeyId;
    await site.run(createAlias(site.objects), alias("alias/main", orders));
    expect(await encryptUnder()).toBe(arn(orders));
    await expect(site.run(createAlias(site.objects), alias("alias/apps/main", bills))).rejects.toMatchObject(
      refused("AlreadyExistsException", /alias\/apps\/main already exists$/),
    );
    await site.run(updateAlias(site.objects), alias("alias/main", bills));
    expect(await encryptUnder()).toBe(arn(bills));
    await site.run(deleteAlias(site.objects), { AliasName: "alias/main" });
    await expect(encryptUnder()).rejects.toMatchObject({ type: "NotFoundException" });
    await expect(site.run(deleteAlias(site.objects), { AliasName: "alias/main" })).rejects.toMatchObject(
      refused("NotFoundException", /alias\/apps\/main is not found\.$/),
    );
    await site.run(createAlias(site.objects), alias("alias/main", bills));
    expect(await encryptUnder()).toBe(arn(bills));
  });
  it("UpdateAlias to a key of another spec => ValidationException, and the alias stays", async () => {
    const bills = await site.key("bills");
    await expect(site.run(updateAlias(site.objects), alias("alias/main", mac))).rejects.toMatchObject({
      type: "ValidationException",
    });
    expect(site.keys.find("alias/main", ALICE).keyId).toBe(bills.keyId);
  });
  it("an alias that moves while the permissions are checked is neither removed nor moved, and the client asks again", async () => {
    const moved = {
      standalone: true,
      read: async (kind: "KeyAlias" | "MasterKey", name: ObjectName) => {
        const object = await site.objects.read(kind, name);
        return kind === "MasterKey" ? object : { ...object, status: { masterKey: "orders" } };
      },
      change: (...args: Parameters<ManagedObjects["change"]>) => site.objects.change(...args),
      remove: (...args: Parameters<ManagedObjects["remove"]>) => site.objects.remove(...args),
    } as unknown as ManagedObjects;
    const refusal = refused("DependencyTimeoutException", /has moved to another key/);
    await expect(site.run(deleteAlias(moved), { AliasName: "alias/main" })).rejects.toMatchObject(refusal);
    await expect(site.run(updateAlias(moved), alias("alias/main", orders))).rejects.toMatchObject(refusal);
    expect(site.manifestWith("KeyAlias")).toContain('masterKey: "bills"');
  });
  it("an alias that two callers move at once is answered to both", async () => {
    const { KeyMetadata } = await site.run(createKey(site.objects), {});
    const bills = await site.key("bills");
    const first = site.keys.find(KeyMetadata.KeyId, ALICE);
    await site.run(createAlias(site.objects), alias("alias/race", first));
    const move = (key: KeyRow) => site.run(updateAlias(site.objects), alias("alias/race", key));
    await Promise.all([move(orders), move(bills)]);
    expect([orders.keyId, bills.keyId]).toContain(site.keys.find("alias/race", ALICE).keyId);
    await site.run(deleteAlias(site.objects), { AliasName: "alias/race" });
  });
  it("an alias is neither made for nor moved to a key of another namespace", async () => {
    const refusal = refused("NotFoundException", /an alias points to a key of its own namespace$/);
    await expect(site.run(createAlias(site.objects), alias("alias/theft", elsewhere))).rejects.toMatchObject(
      refusal,
    );
    await expect(
      site.run(createAlias(site.objects), alias("alias/other/theft", orders)),
    ).rejects.toMatchObject(refusal);
    await expect(site.run(updateAlias(site.objects), alias("alias/main", elsewhere))).rejects.toMatchObject(
      refusal,
    );
  });
  it("a key that an alias points to => its deletion is refused at once, and not left in the manifest", async () => {
    const { keyId: KeyId } = await site.key("bills");
    await expect(site.run(scheduleKeyDeletion(site.objects), { KeyId })).rejects.toMatchObject(
      refused("KMSInvalidStateException", /cannot be deleted: .*KeyAlias.*main/),
    );
    expect(specOf("bills")).not.toHaveProperty("deletion");
  });
  it.each(["alias/aws/x", "alias/Main", "alias/my_app", "alias/a/b/c", "alias/-a", "alias/"])(
    "CreateAlias %s => InvalidAliasNameException",
    async (name) => {
      await expect(site.run(createAlias(site.objects), alias(name, orders))).rejects.toMatchObject({
        type: "InvalidAliasNameException",
      });
    },
  );
});
