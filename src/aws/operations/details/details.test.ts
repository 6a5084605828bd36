import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AwsKeyring, NOW } from "../../../testing/aws-keyring.ts";
import { getKeyLastUsage } from "./get-key-last-usage.ts";
import { getKeyRotationStatus } from "./get-key-rotation-status.ts";
import { listKeyRotations } from "./list-key-rotations.ts";
import { listResourceTags } from "./list-resource-tags.ts";

const DAY = 86_400_000;
const MATERIAL_ID = expect.stringMatching(/^[0-9a-f]{64}$/);

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

describe("GetKeyRotationStatus", () => {
  const rotation = { enabled: true, periodInDays: 180, nextAt: NOW + DAY };
  const on = { KeyRotationEnabled: true, RotationPeriodInDays: 180, NextRotationDate: new Date(NOW + DAY) };
  const off = {
    KeyRotationEnabled: false,
    RotationPeriodInDays: undefined,
    NextRotationDate: undefined,
  };

  it.each([
    ["rotates by itself", {}, { rotation }, on],
    ["does not rotate by itself", {}, { rotation: { ...rotation, enabled: false } }, off],
    ["is disabled", { enabled: false }, { rotation }, on],
    ["is pending deletion", { deletionDate: "2027-01-01T00:00:00Z" }, { rotation }, off],
    ["makes MACs", {}, { rotation, keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" }, off],
    ["has imported material", {}, { rotation, origin: "EXTERNAL" }, off],
  ] as const)("of a key that %s", async (_, row, details, expected) => {
    const key = await keyring.add("orders", row);
    keyring.describe(key, details);
    keyring.start();
    expect(await keyring.run(getKeyRotationStatus, { KeyId: key.keyId })).toEqual({
      KeyId: key.keyId,
      ...expected,
    });
  });

  it("tells since when a rotation that somebody asked for is running", async () => {
    const key = await keyring.add("orders");
    keyring.describe(key, { rotation: { ...rotation, onDemandStartedAt: NOW - 1000 } });
    keyring.start();
    expect(await keyring.run(getKeyRotationStatus, { KeyId: key.keyId })).toMatchObject({
      OnDemandRotationStartDate: new Date(NOW - 1000),
    });
  });

  it("no details yet => an error after which clients retry, and not a wrong answer", async () => {
    const key = await keyring.add("orders");
    keyring.start();
    const refusal = { type: "DependencyTimeoutException", status: 500 };
    await expect(keyring.run(getKeyRotationStatus, { KeyId: key.keyId })).rejects.toMatchObject(refusal);
    await expect(keyring.run(listResourceTags, { KeyId: key.keyId })).rejects.toMatchObject(refusal);
  });

  it("details of another key that had the name => they are not answered", async () => {
    const { keyId: _, ...name } = await keyring.add("orders");
    keyring.describe({ ...name, keyId: (await keyring.add("invoices")).keyId }, { tags: { a: "b" } });
    keyring.start();
    await expect(keyring.run(listResourceTags, { KeyId: _ })).rejects.toMatchObject({
      type: "DependencyTimeoutException",
    });
  });
});

describe("GetKeyLastUsage", () => {
  it("of a key that was not used => an empty usage, and since when usage is recorded", async () => {
    const { keyId: KeyId, ...key } = await keyring.add("orders");
    keyring.describe({ ...key, keyId: KeyId }, { createdAt: NOW - DAY });
    keyring.start();
    expect(await keyring.run(getKeyLastUsage, { KeyId })).toEqual({
      KeyId,
      KeyLastUsage: {},
      TrackingStartDate: new Date(NOW),
      KeyCreationDate: new Date(NOW - DAY),
    });
  });

  it("of a key that is younger than the record => the last operation, recorded since the key exists", async () => {
    const { keyId: KeyId, ...key } = await keyring.add("orders");
    keyring.describe({ ...key, keyId: KeyId }, { createdAt: NOW + DAY });
    keyring.usage.note([KeyId], { operation: "Encrypt", at: NOW + DAY + 1, requestId: "request-7" });
    keyring.start();
    expect(await keyring.run(getKeyLastUsage, { KeyId })).toEqual({
      KeyId,
      KeyLastUsage: { Operation: "Encrypt", Timestamp: new Date(NOW + DAY + 1), KmsRequestId: "request-7" },
      TrackingStartDate: new Date(NOW + DAY),
      KeyCreationDate: new Date(NOW + DAY),
    });
  });
});

describe("ListResourceTags", () => {
  it("lists all tags in pages", async () => {
    const key = await keyring.add("orders");
    const names = Array.from({ length: 51 }, (_, n) => `tag-${String(n).padStart(2, "0")}`);
    keyring.describe(key, { tags: Object.fromEntries(names.map((name) => [name, `value of ${name}`])) });
    keyring.start();
    const first = await keyring.run(listResourceTags, { KeyId: key.keyId });
    expect(first).toMatchObject({ Truncated: true, NextMarker: expect.any(String) });
    expect(first.Tags).toHaveLength(50);
    const Marker = String(first.NextMarker);
    const second = await keyring.run(listResourceTags, { KeyId: key.keyId, Marker });
    expect(second).toEqual({ Tags: [{ TagKey: "tag-50", TagValue: "value of tag-50" }], Truncated: false });
  });

  it("a key without tags => none; a marker of somebody else => InvalidMarkerException", async () => {
    const key = await keyring.add("orders");
    keyring.describe(key);
    keyring.start();
    const KeyId = key.keyId;
    expect(await keyring.run(listResourceTags, { KeyId })).toEqual({ Tags: [], Truncated: false });
    await expect(keyring.run(listResourceTags, { KeyId, Marker: "AAAA" })).rejects.toMatchObject({
      type: "InvalidMarkerException",
    });
  });
});

describe("ListKeyRotations", () => {
  /** Returns a key whose third version is current, and whose fourth is on its way to the nodes. */
  async function rotated(origin: "AWS_KMS" | "EXTERNAL") {
    const key = keyring.addKey("orders");
    keyring.describe(key, { origin });
    const versions = [];
    for (const number of [1, 2, 3]) versions.push(await keyring.addVersion(key, { number, origin }));
    const [, second, third] = versions.map(({ versionId }) => versionId);
    if (second === undefined || third === undefined) throw new Error("no versions");
    keyring.date({ versionId: second, promotedAt: NOW - 2 * DAY, trigger: "Automatic" });
    keyring.date({ versionId: third, promotedAt: NOW - DAY, trigger: "OnDemand" });
    await keyring.addWaitingVersion(key, { number: 4, origin });
    keyring.start();
    return key.keyId;
  }
  const entry = (KeyId: string, rest: object) => ({ KeyId, KeyMaterialId: MATERIAL_ID, ...rest });

  it("lists the rotations that are done, with date and type", async () => {
    const KeyId = await rotated("AWS_KMS");
    const output = await keyring.run(listKeyRotations, { KeyId });
    expect(output).toEqual({
      Rotations: [
        entry(KeyId, {
          KeyMaterialState: "NON_CURRENT",
          RotationDate: new Date(NOW - 2 * DAY),
          RotationType: "AUTOMATIC",
        }),
        entry(KeyId, {
          KeyMaterialState: "CURRENT",
          RotationDate: new Date(NOW - DAY),
          RotationType: "ON_DEMAND",
        }),
      ],
      Truncated: false,
    });
    expect(new Set(output.Rotations.map(({ KeyMaterialId }) => KeyMaterialId)).size).toBe(2);
  });

  it("a rotation whose date is not recorded yet is not listed without it", async () => {
    const key = keyring.addKey("orders");
    keyring.describe(key);
    for (const number of [1, 2]) await keyring.addVersion(key, { number });
    keyring.start();
    const { Rotations } = await keyring.run(listKeyRotations, { KeyId: key.keyId });
    expect(Rotations).toEqual([]);
    const input = { KeyId: key.keyId, IncludeKeyMaterial: "ALL_KEY_MATERIAL" };
    expect((await keyring.run(listKeyRotations, input)).Rotations).toHaveLength(2);
  });

  it("with all material => the first too, which no rotation made; the version on its way is none yet", async () => {
    const KeyId = await rotated("AWS_KMS");
    const input = { KeyId, IncludeKeyMaterial: "ALL_KEY_MATERIAL" };
    const { Rotations } = await keyring.run(listKeyRotations, input);
    expect(Rotations).toHaveLength(3);
    expect(Rotations[0]).toEqual(entry(KeyId, { KeyMaterialState: "NON_CURRENT" }));
  });

  it("imported material tells that it is here, and when it expires; the next waits for its rotation", async () => {
    const KeyId = await rotated("EXTERNAL");
    const input = { KeyId, IncludeKeyMaterial: "ALL_KEY_MATERIAL" };
    const { Rotations } = await keyring.run(listKeyRotations, input);
    expect(Rotations.map((one) => one.KeyMaterialState)).toEqual([
      "NON_CURRENT",
      "NON_CURRENT",
      "CURRENT",
      "PENDING_ROTATION",
    ]);
    expect(Rotations[0]).toMatchObject({
      ImportState: "IMPORTED",
      ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
    });
    expect((await keyring.run(listKeyRotations, { KeyId })).Rotations).toHaveLength(2);
  });

  it("expired material waits for its import", async () => {
    const key = await keyring.add("orders", {}, { origin: "EXTERNAL", validTo: NOW - 1 });
    keyring.start();
    const input = { KeyId: key.keyId, IncludeKeyMaterial: "ALL_KEY_MATERIAL" };
    expect(await keyring.run(listKeyRotations, input)).toMatchObject({
      Rotations: [
        {
          ImportState: "PENDING_IMPORT",
          ExpirationModel: "KEY_MATERIAL_EXPIRES",
          ValidTo: new Date(NOW - 1),
        },
      ],
    });
  });

  it("pages follow one another", async () => {
    const KeyId = await rotated("AWS_KMS");
    const first = await keyring.run(listKeyRotations, { KeyId, Limit: 1 });
    expect(first).toMatchObject({ Truncated: true, Rotations: [{ RotationType: "AUTOMATIC" }] });
    const Marker = String(first.NextMarker);
    expect(await keyring.run(listKeyRotations, { KeyId, Limit: 1, Marker })).toMatchObject({
      Truncated: false,
      Rotations: [{ RotationType: "ON_DEMAND" }],
    });
  });

  it("a key whose spec does not rotate => UnsupportedOperationException", async () => {
    const { keyId: KeyId } = await keyring.add("tokens", {}, { keySpec: "HMAC_256" });
    keyring.start();
    await expect(keyring.run(listKeyRotations, { KeyId })).rejects.toMatchObject({
      type: "UnsupportedOperationException",
    });
  });
});

describe("a key without material", () => {
  it.each([
    ["EXTERNAL", "PendingImport"],
    ["AWS_KMS", "Creating"],
  ] as const)("of origin %s => its state is %s", (origin, state) => {
    const key = keyring.addKey("orders");
    keyring.describe(key, { origin });
    keyring.start();
    const row = keyring.keys.find(key.keyId, { namespace: "apps" });
    expect(keyring.keys.state(row, NOW)).toBe(state);
  });
});
