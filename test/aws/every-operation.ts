import { createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes } from "node:crypto";
import type { KMSClient } from "@aws-sdk/client-kms";
import * as sdk from "@aws-sdk/client-kms";
import { expect } from "vitest";
import { eventually } from "../controlplane/wait.ts";

/** Calls one operation and checks its answer. */
type Call = (kms: KMSClient, made: Made) => Promise<void>;

/** Keeps for a later call what an earlier one has made. */
interface Made {
  keyId?: string;
  blob?: Uint8Array | undefined;
  signature?: Uint8Array | undefined;
  mac?: Uint8Array | undefined;
  secret?: Uint8Array | undefined;
  encapsulated?: Uint8Array | undefined;
  grantId?: string | undefined;
  grantToken?: string | undefined;
  imported?: string;
  importToken?: Uint8Array | undefined;
  wrapped?: Uint8Array;
}

const KeyId = "alias/orders";
const Message = Buffer.from("attack at dawn");
const EncryptionContext = { tenant: "a" };
const plaintext = { Plaintext: new Uint8Array(Message) };
const ML_KEM = { KeyId: "alias/kem", EncapsulationAlgorithm: "ML_KEM" } as const;
const SIGN = { KeyId: "alias/sign", Message, SigningAlgorithm: "ECDSA_SHA_256" } as const;
const MAC = { KeyId: "alias/mac", Message, MacAlgorithm: "HMAC_SHA_256" } as const;
const READER = "arn:aws:iam::000000000000:user/reader";
const AliasName = "alias/made";
const bytes = (length: number) => expect.objectContaining({ length });

const WRAPPING = { WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_3072" } as const;

/** Wraps random key material under a public key as WRAPPING says. */
function wrap(publicKey: Buffer): Buffer {
  const key = createPublicKey({ key: publicKey, format: "der", type: "spki" });
  return publicEncrypt({ key, oaepHash: "sha256" }, randomBytes(32));
}

/** A call of every operation that is served, in the order in which they need one another. */
export const CALLS: Readonly<Record<string, Call>> = {
  async Encrypt(kms, made) {
    made.blob = (
      await kms.send(new sdk.EncryptCommand({ KeyId, Plaintext: Message, EncryptionContext }))
    ).CiphertextBlob;
  },
  async Decrypt(kms, { blob }) {
    const answer = kms.send(new sdk.DecryptCommand({ CiphertextBlob: blob, EncryptionContext }));
    expect(await answer).toMatchObject(plaintext);
  },
  async ReEncrypt(kms, { blob: CiphertextBlob }) {
    const SourceEncryptionContext = EncryptionContext;
    const input = { CiphertextBlob, SourceEncryptionContext, DestinationKeyId: "alias/other" };
    const moved = await kms.send(new sdk.ReEncryptCommand(input));
    const answer = kms.send(new sdk.DecryptCommand({ CiphertextBlob: moved.CiphertextBlob }));
    expect(await answer).toMatchObject({ ...plaintext, KeyId: moved.KeyId });
  },
  async GenerateDataKey(kms) {
    const key = await kms.send(new sdk.GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256" }));
    const answer = kms.send(new sdk.DecryptCommand({ CiphertextBlob: key.CiphertextBlob }));
    expect(await answer).toMatchObject({ Plaintext: key.Plaintext, KeyMaterialId: key.KeyMaterialId });
  },
  async GenerateDataKeyWithoutPlaintext(kms) {
    const input = { KeyId, NumberOfBytes: 24 };
    const { CiphertextBlob } = await kms.send(new sdk.GenerateDataKeyWithoutPlaintextCommand(input));
    expect((await kms.send(new sdk.DecryptCommand({ CiphertextBlob }))).Plaintext).toEqual(bytes(24));
  },
  async GenerateDataKeyPair(kms) {
    const input = { KeyId, KeyPairSpec: "ECC_NIST_EDWARDS25519" } as const;
    const pair = await kms.send(new sdk.GenerateDataKeyPairCommand(input));
    const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
    const { Plaintext } = await kms.send(new sdk.DecryptCommand({ CiphertextBlob }));
    expect(Plaintext).toEqual(pair.PrivateKeyPlaintext);
  },
  async GenerateDataKeyPairWithoutPlaintext(kms) {
    const input = { KeyId, KeyPairSpec: "ECC_NIST_P384" } as const;
    const pair = await kms.send(new sdk.GenerateDataKeyPairWithoutPlaintextCommand(input));
    expect(pair).toMatchObject({ KeyPairSpec: "ECC_NIST_P384", PublicKey: bytes(120) });
  },
  async GenerateRandom(kms) {
    const answer = kms.send(new sdk.GenerateRandomCommand({ NumberOfBytes: 1024 }));
    expect(await answer).toMatchObject({ Plaintext: bytes(1024) });
  },
  async Sign(kms, made) {
    made.signature = (await kms.send(new sdk.SignCommand(SIGN))).Signature;
  },
  async Verify(kms, { signature: Signature }) {
    const answer = kms.send(new sdk.VerifyCommand({ ...SIGN, Signature }));
    expect(await answer).toMatchObject({ SignatureValid: true });
  },
  async GetPublicKey(kms) {
    const answer = kms.send(new sdk.GetPublicKeyCommand({ KeyId: "alias/sign" }));
    expect(await answer).toMatchObject({ KeySpec: "ECC_NIST_P256", SigningAlgorithms: ["ECDSA_SHA_256"] });
  },
  async GenerateMac(kms, made) {
    made.mac = (await kms.send(new sdk.GenerateMacCommand(MAC))).Mac;
  },
  async VerifyMac(kms, { mac: Mac }) {
    const answer = kms.send(new sdk.VerifyMacCommand({ ...MAC, Mac }));
    expect(await answer).toMatchObject({ MacValid: true });
  },
  async DeriveSharedSecret(kms) {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const PublicKey = publicKey.export({ type: "spki", format: "der" });
    const input = { KeyId: "alias/agree", KeyAgreementAlgorithm: "ECDH", PublicKey } as const;
    const answer = kms.send(new sdk.DeriveSharedSecretCommand(input));
    expect(await answer).toMatchObject({ SharedSecret: bytes(32), KeyOrigin: "AWS_KMS" });
  },
  async Encapsulate(kms, made) {
    const answer = await kms.send(new sdk.EncapsulateCommand(ML_KEM));
    made.secret = answer.SharedSecret;
    made.encapsulated = answer.SharedSecretCiphertextBlob;
  },
  async Decapsulate(kms, { encapsulated, secret }) {
    const input = { ...ML_KEM, SharedSecretCiphertextBlob: encapsulated };
    const answer = kms.send(new sdk.DecapsulateCommand(input));
    expect(await answer).toMatchObject({ SharedSecret: secret });
  },
  async CreateKey(kms, made) {
    const { KeyMetadata } = await kms.send(new sdk.CreateKeyCommand({ Description: "made by the SDK" }));
    made.keyId = KeyMetadata?.KeyId ?? "";
    expect(KeyMetadata).toMatchObject({ KeyState: "Enabled", KeySpec: "SYMMETRIC_DEFAULT" });
  },
  async UpdateKeyDescription(kms, { keyId }) {
    await kms.send(new sdk.UpdateKeyDescriptionCommand({ KeyId: keyId, Description: "changed" }));
  },
  async DescribeKey(kms, { keyId }) {
    const answer = await kms.send(new sdk.DescribeKeyCommand({ KeyId: keyId }));
    expect(answer.KeyMetadata).toMatchObject({ KeyId: keyId, Description: "changed", Enabled: true });
  },
  async ListKeys(kms, { keyId }) {
    const { Keys = [] } = await kms.send(new sdk.ListKeysCommand({}));
    expect(Keys.map((key) => key.KeyId)).toContain(keyId);
  },
  async TagResource(kms, { keyId }) {
    const Tags = ["a", "b"].map((TagKey) => ({ TagKey, TagValue: "1" }));
    await kms.send(new sdk.TagResourceCommand({ KeyId: keyId, Tags }));
  },
  async UntagResource(kms, { keyId }) {
    await kms.send(new sdk.UntagResourceCommand({ KeyId: keyId, TagKeys: ["a"] }));
  },
  async ListResourceTags(kms, { keyId }) {
    const answer = kms.send(new sdk.ListResourceTagsCommand({ KeyId: keyId }));
    expect(await answer).toMatchObject({ Tags: [{ TagKey: "b", TagValue: "1" }] });
  },
  async ListKeyPolicies(kms, { keyId }) {
    const answer = kms.send(new sdk.ListKeyPoliciesCommand({ KeyId: keyId }));
    expect(await answer).toMatchObject({ PolicyNames: ["default"], Truncated: false });
  },
  async PutKeyPolicy(kms, { keyId }) {
    const { Policy = "" } = await kms.send(new sdk.GetKeyPolicyCommand({ KeyId: keyId }));
    const { Statement, ...others } = JSON.parse(Policy);
    const reader = { ...Statement[0], Sid: "reader", Principal: { AWS: READER }, Action: "kms:Describe*" };
    const changed = JSON.stringify({ ...others, Statement: [...Statement, reader] });
    await kms.send(new sdk.PutKeyPolicyCommand({ KeyId: keyId, Policy: changed }));
  },
  async GetKeyPolicy(kms, { keyId }) {
    const { Policy = "", PolicyName } = await kms.send(new sdk.GetKeyPolicyCommand({ KeyId: keyId }));
    expect(PolicyName).toBe("default");
    expect(JSON.parse(Policy)).toMatchObject({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow" }, { Sid: "reader", Principal: { AWS: READER } }],
    });
  },
  async CreateAlias(kms, { keyId }) {
    await kms.send(new sdk.CreateAliasCommand({ AliasName, TargetKeyId: keyId }));
  },
  async ListAliases(kms, { keyId }) {
    const answer = kms.send(new sdk.ListAliasesCommand({ KeyId: keyId }));
    expect(await answer).toMatchObject({ Aliases: [{ AliasName, TargetKeyId: keyId }] });
  },
  async UpdateAlias(kms, { keyId }) {
    const { KeyMetadata } = await kms.send(new sdk.CreateKeyCommand({}));
    await kms.send(new sdk.UpdateAliasCommand({ AliasName, TargetKeyId: KeyMetadata?.KeyId }));
    const { Aliases = [] } = await kms.send(new sdk.ListAliasesCommand({ KeyId: keyId }));
    expect(Aliases).toEqual([]);
  },
  async DeleteAlias(kms) {
    await kms.send(new sdk.DeleteAliasCommand({ AliasName }));
  },
  async EnableKeyRotation(kms, { keyId }) {
    await kms.send(new sdk.EnableKeyRotationCommand({ KeyId: keyId, RotationPeriodInDays: 90 }));
  },
  async GetKeyRotationStatus(kms, { keyId }) {
    const answer = kms.send(new sdk.GetKeyRotationStatusCommand({ KeyId: keyId }));
    expect(await answer).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
  },
  async DisableKeyRotation(kms, { keyId }) {
    await kms.send(new sdk.DisableKeyRotationCommand({ KeyId: keyId }));
  },
  async RotateKeyOnDemand(kms, { keyId }) {
    await kms.send(new sdk.RotateKeyOnDemandCommand({ KeyId: keyId }));
  },
  async ListKeyRotations(kms, { keyId }) {
    const rotations = await eventually("the key has rotated", async () => {
      const { Rotations = [] } = await kms.send(new sdk.ListKeyRotationsCommand({ KeyId: keyId }));
      return Rotations.length > 0 ? Rotations : undefined;
    });
    expect(rotations).toMatchObject([{ RotationType: "ON_DEMAND" }]);
  },
  async GetKeyLastUsage(kms) {
    const answer = kms.send(new sdk.GetKeyLastUsageCommand({ KeyId: "alias/mac" }));
    expect(await answer).toMatchObject({ KeyLastUsage: { Operation: "VerifyMac" } });
  },
  async GetParametersForImport(kms, made) {
    // No API server can use an HMAC key, so that its material is deleted at once, whatever API servers do.
    const spec = { KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC" } as const;
    const { KeyMetadata } = await kms.send(new sdk.CreateKeyCommand({ Origin: "EXTERNAL", ...spec }));
    made.imported = KeyMetadata?.KeyId ?? "";
    const input = { KeyId: made.imported, ...WRAPPING };
    const offer = await kms.send(new sdk.GetParametersForImportCommand(input));
    made.importToken = offer.ImportToken;
    made.wrapped = wrap(Buffer.from(offer.PublicKey ?? []));
  },
  async ImportKeyMaterial(kms, { imported, importToken, wrapped }) {
    const input = { KeyId: imported, ImportToken: importToken, EncryptedKeyMaterial: wrapped };
    const ExpirationModel = "KEY_MATERIAL_DOES_NOT_EXPIRE";
    await kms.send(new sdk.ImportKeyMaterialCommand({ ...input, ExpirationModel }));
    const { KeyMetadata } = await kms.send(new sdk.DescribeKeyCommand({ KeyId: imported }));
    expect(KeyMetadata).toMatchObject({ KeyState: "Enabled", Origin: "EXTERNAL", ExpirationModel });
  },
  async DeleteImportedKeyMaterial(kms, { imported }) {
    const deleted = await kms.send(new sdk.DeleteImportedKeyMaterialCommand({ KeyId: imported }));
    const { KeyMetadata } = await kms.send(new sdk.DescribeKeyCommand({ KeyId: imported }));
    expect(KeyMetadata).toMatchObject({ KeyState: "PendingImport" });
    expect(deleted.KeyMaterialId).toMatch(/^[0-9a-f]{64}$/);
  },
  async CreateGrant(kms, made) {
    const terms = { GranteePrincipal: READER, RetiringPrincipal: READER };
    const input = { KeyId: made.keyId, ...terms, Operations: ["Decrypt" as const] };
    made.grantId = (await kms.send(new sdk.CreateGrantCommand(input))).GrantId;
    made.grantToken = (await kms.send(new sdk.CreateGrantCommand(input))).GrantToken;
  },
  async RetireGrant(kms, { grantToken }) {
    await kms.send(new sdk.RetireGrantCommand({ GrantToken: grantToken }));
  },
  async ListGrants(kms, { keyId, grantId }) {
    const answer = await kms.send(new sdk.ListGrantsCommand({ KeyId: keyId }));
    expect(answer.Grants?.map((grant) => grant.GrantId)).toEqual([grantId]);
  },
  async ListRetirableGrants(kms, { grantId }) {
    const answer = await kms.send(new sdk.ListRetirableGrantsCommand({ RetiringPrincipal: READER }));
    expect(answer.Grants?.map((grant) => grant.GrantId)).toEqual([grantId]);
  },
  async RevokeGrant(kms, { keyId, grantId }) {
    await kms.send(new sdk.RevokeGrantCommand({ KeyId: keyId, GrantId: grantId }));
    const answer = await kms.send(new sdk.ListGrantsCommand({ KeyId: keyId }));
    expect(answer.Grants).toEqual([]);
  },
  async DisableKey(kms, { keyId }) {
    await kms.send(new sdk.DisableKeyCommand({ KeyId: keyId }));
  },
  async EnableKey(kms, { keyId }) {
    await kms.send(new sdk.EnableKeyCommand({ KeyId: keyId }));
    const answer = await kms.send(new sdk.DescribeKeyCommand({ KeyId: keyId }));
    expect(answer.KeyMetadata?.KeyState).toBe("Enabled");
  },
  async ScheduleKeyDeletion(kms, { keyId }) {
    const input = { KeyId: keyId, PendingWindowInDays: 7 };
    const answer = kms.send(new sdk.ScheduleKeyDeletionCommand(input));
    expect(await answer).toMatchObject({ KeyState: "PendingDeletion", PendingWindowInDays: 7 });
  },
  async CancelKeyDeletion(kms, { keyId }) {
    await kms.send(new sdk.CancelKeyDeletionCommand({ KeyId: keyId }));
    const answer = await kms.send(new sdk.DescribeKeyCommand({ KeyId: keyId }));
    expect(answer.KeyMetadata?.KeyState).toBe("Disabled");
  },
};

/** The names of all operations of the SDK. */
export const OPERATIONS: readonly string[] = Object.keys(sdk)
  .filter((name) => /^[A-Z].*Command$/.test(name) && name !== "$Command")
  .map((name) => name.slice(0, -"Command".length))
  .sort();

/** Asks the API which operations it serves, by a request without members for each; one at a time, so that none is shed. */
export async function servedOperations(kms: KMSClient): Promise<readonly string[]> {
  const served: string[] = [];
  for (const name of OPERATIONS) if (await isServed(kms, name)) served.push(name);
  return served;
}

async function isServed(kms: KMSClient, name: string): Promise<boolean> {
  // Each class of the SDK takes any members: the API validates them.
  const commands = sdk as unknown as Record<string, new (input: object) => sdk.ListKeysCommand>;
  const Command = commands[`${name}Command`];
  if (Command === undefined) throw new Error(`the SDK has no ${name}Command`);
  try {
    await kms.send(new Command({}));
    return true;
  } catch (error) {
    if (!(error instanceof sdk.KMSServiceException) || error.name === "ThrottlingException") throw error;
    return !/^This release of claviger does not have/.test(error.message);
  }
}
