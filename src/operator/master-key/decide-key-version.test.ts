import { expect, test } from "vitest";
import { kmsKeyId } from "../../crypto/ids.ts";
import { keyId, keyVersion, masterKey, statusWith, versionId } from "../../testing/objects.ts";
import { decideKeyVersionStatus } from "./decide-key-version.ts";

const v1 = keyVersion(1);
const v2 = keyVersion(2);
const v3 = keyVersion(3);
const twin2 = keyVersion(2, { spec: { versionId: versionId(99) } });
const atV2 = masterKey({ status: statusWith(v2) });

const rows = [
  ["the current version => Current", v2, atV2, "Current"],
  ["a lower number => Retired", v1, atV2, "Retired"],
  ["a higher number => Pending", v3, atV2, "Pending"],
  ["the current number under a later id, from a restore => Pending", twin2, atV2, "Pending"],
  [
    "the current number under an earlier id => Retired",
    keyVersion(2),
    masterKey({ status: statusWith(twin2) }),
    "Retired",
  ],
  ["nothing is current yet => Pending", v1, masterKey({ status: { keyId: keyId(1) } }), "Pending"],
  ["the MasterKey has no status yet => Pending", v1, masterKey(), "Pending"],
  ["no MasterKey, no state yet => Pending", v1, undefined, "Pending"],
] as const;

test.each(rows)("%s", (_, version, key, state) => {
  expect(decideKeyVersionStatus(version, key).state).toBe(state);
});

test.each(["Current", "Retired", "Pending"] as const)(
  "its MasterKey was deleted => it stays %s, to be adopted",
  (state) => {
    expect(decideKeyVersionStatus(keyVersion(1, { status: { state } }), undefined).state).toBe(state);
  },
);

test("its MasterKey's name belongs to another key now => it stays as it was", () => {
  const other = keyVersion(5, { spec: { keyId: keyId(2) } });
  const version = keyVersion(1, { status: { state: "Current" } });
  expect(decideKeyVersionStatus(version, masterKey({ status: statusWith(other) })).state).toBe("Current");
});

test("etcd was restored and the status is behind => what was current is Pending until promoted again", () => {
  const version = keyVersion(3, { status: { state: "Current" } });
  expect(decideKeyVersionStatus(version, atV2).state).toBe("Pending");
});

test("the key_id is stated whatever the state", () => {
  expect(decideKeyVersionStatus(v1, undefined).kmsKeyId).toBe(kmsKeyId(keyId(1), versionId(1)));
});
