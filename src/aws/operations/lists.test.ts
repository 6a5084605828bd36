import { afterEach, beforeEach, expect, it } from "vitest";
import { ALICE, AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { describeKey } from "./describe-key.ts";
import { listAliases } from "./list-aliases.ts";
import { listKeys } from "./list-keys.ts";

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

/** Returns all pages of a list. */
async function pages<T>(page: (Marker: object) => Promise<{ readonly NextMarker?: string } & T>) {
  const all: T[] = [];
  let marker = {};
  for (;;) {
    const answer = await page(marker);
    all.push(answer);
    if (answer.NextMarker === undefined) return all;
    marker = { Marker: answer.NextMarker };
  }
}

it("ListKeys has the keys of the caller's namespace, each once, over all pages", async () => {
  const own = Array.from({ length: 5 }, (_, n) => keyring.addKey(`key-${n}`).keyId).sort();
  keyring.addKey("foreign", { namespace: "other" });
  keyring.start();
  const answers = await pages((marker) => keyring.run(listKeys, { Limit: 2, ...marker }));
  expect(answers.map(({ Truncated, Keys }) => [Truncated, Keys.length])).toEqual([
    [true, 2],
    [true, 2],
    [false, 1],
  ]);
  expect(answers.flatMap(({ Keys }) => Keys.map(({ KeyId }) => KeyId))).toEqual(own);
});

it("ListAliases has the aliases of the caller's namespace, or those of one key", async () => {
  const orders = await keyring.add("orders");
  await keyring.add("users");
  keyring.alias("main", "orders");
  keyring.alias("people", "users");
  keyring.alias("main", "orders", "other");
  keyring.start();
  const { Aliases } = await keyring.run(listAliases, {});
  expect(Aliases.map(({ AliasName }) => AliasName)).toEqual(["alias/main", "alias/people"]);
  expect(await keyring.run(listAliases, { KeyId: orders.keyId })).toEqual({
    Aliases: [
      {
        AliasName: "alias/main",
        AliasArn: "arn:aws:kms:us-local-1:000000000000:alias/apps/main",
        TargetKeyId: orders.keyId,
      },
    ],
    Truncated: false,
  });
  const stranger = { ...ALICE, namespace: "shop" };
  const arn = "arn:aws:kms:us-local-1:000000000000";
  await expect(keyring.run(listAliases, { KeyId: orders.keyId }, stranger)).rejects.toMatchObject({
    ...{ type: "NotFoundException", message: `Key '${arn}:key/${orders.keyId}' does not exist` },
  });
  // Neither that the alias exists nor the id of its key is told.
  await expect(keyring.run(listAliases, { KeyId: "alias/apps/main" }, stranger)).rejects.toMatchObject({
    ...{ type: "NotFoundException", message: `Alias ${arn}:alias/apps/main is not found.` },
  });
});

it.each(["x", "Y2xhdmlnZXI", Buffer.from("other:a").toString("base64url")])(
  "the marker %s => InvalidMarkerException",
  async (Marker) => {
    keyring.start();
    await expect(keyring.run(listKeys, { Marker })).rejects.toMatchObject({ type: "InvalidMarkerException" });
  },
);

it.each([
  [
    "an enabled key",
    {},
    {},
    { KeyState: "Enabled", Enabled: true, EncryptionAlgorithms: ["SYMMETRIC_DEFAULT"] },
  ],
  ["a disabled key", { enabled: false }, {}, { KeyState: "Disabled", Enabled: false }],
  [
    "a key that is pending deletion",
    { deletionDate: "2027-01-01T00:00:00Z" },
    {},
    { KeyState: "PendingDeletion", DeletionDate: new Date("2027-01-01T00:00:00Z") },
  ],
  [
    "a key whose imported material has expired",
    {},
    { origin: "EXTERNAL", validTo: 1_000 } as const,
    {
      KeyState: "PendingImport",
      Origin: "EXTERNAL",
      ExpirationModel: "KEY_MATERIAL_EXPIRES",
      ValidTo: new Date(1_000),
    },
    { origin: "EXTERNAL" },
  ],
  [
    "a key for MACs",
    {},
    { keySpec: "HMAC_384" } as const,
    { KeySpec: "HMAC_384", KeyUsage: "GENERATE_VERIFY_MAC", MacAlgorithms: ["HMAC_SHA_384"] },
    { keySpec: "HMAC_384", keyUsage: "GENERATE_VERIFY_MAC" },
  ],
])("DescribeKey says of %s what it is", async (_, row, version, expected, details: object = {}) => {
  const key = await keyring.add("orders", row, version);
  const { keyId } = key;
  keyring.describe(key, { description: "of the shop", createdAt: NOW - 1_000, ...details });
  keyring.start();
  const { KeyMetadata } = await keyring.run(describeKey, { KeyId: keyId });
  expect(KeyMetadata).toMatchObject({
    AWSAccountId: "000000000000",
    KeyId: keyId,
    Arn: `arn:aws:kms:us-local-1:000000000000:key/${keyId}`,
    KeyManager: "CUSTOMER",
    MultiRegion: false,
    CreationDate: new Date(NOW - 1_000),
    Description: "of the shop",
    ...expected,
  });
});

it("a key without a version yet is Creating", async () => {
  const key = keyring.addKey("orders");
  const { keyId } = key;
  keyring.describe(key);
  keyring.start();
  const { KeyMetadata } = await keyring.run(describeKey, { KeyId: keyId });
  expect(KeyMetadata).toMatchObject({ KeyState: "Creating", Enabled: false });
});
