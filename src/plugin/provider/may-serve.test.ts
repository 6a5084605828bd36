import { expect, test } from "vitest";
import { kmsKeyId, newKeyId, newVersionId } from "../../crypto/ids.ts";
import { KEY_SPECS, type KeySpec } from "../../crypto/key-specs.ts";
import { usageFor } from "../../testing/materials.ts";
import { servingObstacle } from "./may-serve.ts";

const name = { namespace: "apps", name: "secrets" };

/** Returns why a provider must not serve a key of this spec. */
function obstacle(keySpec: KeySpec) {
  const provider = {
    name: "secrets",
    ref: { key: name },
    served: undefined,
    left: new Set<never>(),
    mayBeImported: false,
  };
  const [keyId, versionId] = [newKeyId(), newVersionId()];
  const version = {
    ...{ keyId, versionId, number: 1, masterKey: name, keySpec, keyUsage: usageFor(keySpec) },
    origin: "AWS_KMS",
    sealed: { provider: "file", rootKeyId: "root-1", blob: new Uint8Array() },
  } as const;
  const key = { ...name, keyId, enabled: true, formerKeyIds: [] };
  return servingObstacle(provider, { key, version, kmsKeyId: kmsKeyId(keyId, versionId) });
}

test.each(KEY_SPECS.filter((spec) => spec !== "SYMMETRIC_DEFAULT"))(
  "a provider that names a %s key => refused by name: KMS v2 encrypts with symmetric keys only",
  (keySpec) => {
    expect(obstacle(keySpec)).toMatchObject({
      code: "ConfigInvalid",
      message: `provider secrets names a ${keySpec} key; KMS v2 needs SYMMETRIC_DEFAULT`,
    });
  },
);

test("a provider that names a symmetric key => served", () => {
  expect(obstacle("SYMMETRIC_DEFAULT")).toBeUndefined();
});
