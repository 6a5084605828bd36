import { createPublicKey, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wrapMaterial } from "../../../crypto/import-wrapping.ts";
import { ALICE } from "../../../testing/aws-keyring.ts";
import { StandaloneOperator } from "../../../testing/standalone-operator.ts";
import { decrypt } from "../../operations/decrypt.ts";
import { encrypt } from "../../operations/encrypt.ts";
import { createKey } from "../operations/create-key.ts";
import { deleteImportedKeyMaterial } from "./delete-imported-key-material.ts";
import { getParametersForImport } from "./get-parameters-for-import.ts";
import { importKeyMaterial } from "./import-key-material.ts";

/** A real operator makes the public keys and opens the material. */
let site: StandaloneOperator;
let KeyId: string;
beforeAll(async () => {
  site = new StandaloneOperator();
  ({ KeyId } = (
    await site.run(createKey(site.objects), { Origin: "EXTERNAL", Description: "ours" })
  ).KeyMetadata);
});
afterAll(() => site.stop());

const RSA = { WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_3072" } as const;
const key = () => site.keys.find(KeyId, ALICE);
const parametersOf = () => site.run(getParametersForImport(site.objects), { KeyId, ...RSA });
/** The last offer of the material that the key has. */
let used: Awaited<ReturnType<typeof wrapped>>;

/** Wraps material under a public key of the key, which takes the operator half a second to make. */
async function wrapped(material: Buffer, given?: Awaited<ReturnType<typeof parametersOf>>) {
  const parameters = given ?? (await parametersOf());
  const publicKey = createPublicKey({ key: parameters.PublicKey, type: "spki", format: "der" });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const EncryptedKeyMaterial = wrapMaterial(pem, RSA.WrappingAlgorithm, material);
  return { parameters, input: { KeyId, ImportToken: parameters.ImportToken, EncryptedKeyMaterial } };
}
const FOR_EVER = { ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" } as const;
const run = (input: Parameters<ReturnType<typeof importKeyMaterial>["prepare"]>[0]["input"]) =>
  site.run(importKeyMaterial(site.objects), input);

describe("material of one's own", () => {
  it("that was never there is not deleted", async () => {
    expect(await site.run(deleteImportedKeyMaterial(site.objects), { KeyId })).toEqual({
      KeyId: site.keys.arn(key()),
    });
  });

  it("is imported by two requests, and the key encrypts when the answer comes; other material is refused", async () => {
    const material = randomBytes(32);
    const { parameters, input } = await wrapped(material);
    expect(parameters.KeyId).toBe(`arn:aws:kms:us-local-1:000000000000:key/${KeyId}`);
    expect(parameters.ParametersValidTo.getTime()).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    const { KeyMaterialId } = await run({ ...input, ...FOR_EVER });
    expect(KeyMaterialId).toMatch(/^[0-9a-f]{64}$/);
    await site.run(encrypt, { KeyId, Plaintext: Buffer.from("attack at dawn") });
    expect(site.manifestWith("ours")).not.toContain("import");
    const again = await wrapped(material);
    used = again;
    expect(await run({ ...again.input, ...FOR_EVER })).toMatchObject({ KeyMaterialId });
    const other = await wrapped(randomBytes(32));
    await expect(run({ ...other.input, ...FOR_EVER })).rejects.toMatchObject({
      type: "IncorrectKeyMaterialException",
    });
    expect(site.manifestWith("ours")).not.toContain("import");
    const altered = { ...other.input, EncryptedKeyMaterial: randomBytes(384) };
    await expect(run({ ...altered, ...FOR_EVER })).rejects.toMatchObject({
      type: "InvalidCiphertextException",
    });
  });

  it("is deleted: the key is pending import, only the same material brings it back, and deleting twice is nothing new", async () => {
    const remove = (input: { readonly KeyMaterialId?: string } = {}) =>
      site.run(deleteImportedKeyMaterial(site.objects), { KeyId, ...input });
    const arn = `arn:aws:kms:us-local-1:000000000000:key/${KeyId}`;
    const { CiphertextBlob } = await site.run(encrypt, { KeyId, Plaintext: Buffer.from("attack") });
    await expect(remove({ KeyMaterialId: "0".repeat(64) })).rejects.toMatchObject({
      type: "NotFoundException",
    });
    const deleted = await remove();
    expect(deleted).toEqual({ KeyId: arn, KeyMaterialId: site.keys.current(key())?.materialId });
    expect(site.state(KeyId)).toBe("PendingImport");
    await expect(site.run(decrypt, { CiphertextBlob })).rejects.toMatchObject({
      type: "KMSInvalidStateException",
      message: `${arn} is pending import.`,
    });
    expect(await remove()).toEqual(deleted);
    const other = await wrapped(randomBytes(32), used.parameters);
    await expect(run({ ...other.input, ...FOR_EVER })).rejects.toMatchObject({
      type: "IncorrectKeyMaterialException",
    });
    await run({ ...used.input, ...FOR_EVER });
    const { Plaintext } = await site.run(decrypt, { CiphertextBlob });
    expect(Plaintext?.toString()).toBe("attack");
  });

  it.each([
    [{}, "ValidationException"],
    [{ ValidTo: new Date(0) }, "ValidationException"],
    [{ ValidTo: new Date(Date.now() + 400 * 86_400_000) }, "ValidationException"],
    [{ ValidTo: new Date(Date.now() + 86_400_000), ...FOR_EVER }, "ValidationException"],
    [{ KeyMaterialId: "0".repeat(64), ...FOR_EVER }, "UnsupportedOperationException"],
    [{ ImportToken: Buffer.from("an AWS token"), ...FOR_EVER }, "InvalidImportTokenException"],
    [{ ImportToken: Buffer.from([1, 0, 1, 2, 3]), ...FOR_EVER }, "InvalidImportTokenException"],
  ])("ImportKeyMaterial with %j => %s", async (input, type) => {
    const given = { KeyId, ImportToken: Buffer.from([1, 0, 1]), EncryptedKeyMaterial: randomBytes(384) };
    await expect(run({ ...given, ...input })).rejects.toMatchObject({ type });
  });

  it.each([
    [{ WrappingAlgorithm: "RSAES_PKCS1_V1_5" }, "UnsupportedOperationException"],
    [{ WrappingKeySpec: "RSA_2048" }, "UnsupportedOperationException"],
  ])("GetParametersForImport with %j => %s", async (input, type) => {
    await expect(
      site.run(getParametersForImport(site.objects), { KeyId, ...RSA, ...input }),
    ).rejects.toMatchObject({ type });
  });

  it("is not for a key of claviger's own material => UnsupportedOperationException", async () => {
    const { KeyMetadata } = await site.run(createKey(site.objects), {});
    await expect(
      site.run(getParametersForImport(site.objects), { KeyId: KeyMetadata.KeyId, ...RSA }),
    ).rejects.toMatchObject({ type: "UnsupportedOperationException" });
    await expect(
      site.run(deleteImportedKeyMaterial(site.objects), { KeyId: KeyMetadata.KeyId }),
    ).rejects.toMatchObject({ type: "UnsupportedOperationException" });
  });
});
