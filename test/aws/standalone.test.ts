import { createPublicKey, diffieHellman, generateKeyPairSync, randomBytes, verify } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  CreateGrantCommand,
  DecapsulateCommand,
  DecryptCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncapsulateCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  GetKeyLastUsageCommand,
  GetKeyRotationStatusCommand,
  GetPublicKeyCommand,
  type KMSClient,
  ListAliasesCommand,
  ListGrantsCommand,
  ListKeyRotationsCommand,
  ListKeysCommand,
  ListResourceTagsCommand,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  SignCommand,
  VerifyCommand,
  VerifyMacCommand,
} from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { documentedMetrics } from "../docs/documented-metrics.ts";
import { keyAlias, masterKey, type Run } from "../standalone/installation.ts";
import { StandaloneApi } from "./standalone-api.ts";

const Plaintext = Buffer.from("attack at dawn");
const CONTEXT = { tenant: "a", table: "orders" };
/** Keys for what applications do beside encryption. */
const KINDS = [
  ["mac", "HMAC_256", "GENERATE_VERIFY_MAC"],
  ["signing", "ECC_NIST_P256", "SIGN_VERIFY"],
  ["agreement", "ECC_NIST_P384", "KEY_AGREEMENT"],
  ["kem", "ML_KEM_768", "ENCAPSULATE_DECAPSULATE"],
] as const;
const named = (name: string) => expect.objectContaining({ name });
const opened = { Plaintext: new Uint8Array(Plaintext) };

let api: StandaloneApi;
let serve: Run;
let kms: KMSClient;

beforeAll(async () => {
  api = await StandaloneApi.create(
    masterKey("asleep", { enabled: false }, "default"),
    keyAlias("asleep", "asleep", "default"),
    keyAlias("socket", "secrets"),
    ...KINDS.flatMap(([name, keySpec, keyUsage]) => [
      masterKey(name, { keySpec, keyUsage, tags: { team: name } }, "default"),
      keyAlias(name, name, "default"),
    ]),
  );
  serve = await api.start(
    "alias/asleep",
    "alias/claviger-system/socket",
    ...KINDS.map(([name]) => `alias/${name}`),
  );
  kms = await api.client();
});
afterAll(() => api[Symbol.asyncDispose]());

/** Kills the process whose id is in the log. */
function kill(log: string, pattern: RegExp): void {
  process.kill(Number(pattern.exec(log)?.[1]), "SIGKILL");
}

const encrypt = async (EncryptionContext = {}, KeyId = "alias/orders") =>
  kms.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }));

const keyIdOf = async (KeyId: string) =>
  (await kms.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.KeyId ?? "";

/** Rotates a key, and waits until it has rotated this often. */
async function rotate(KeyId: string, count: number): Promise<void> {
  await kms.send(new RotateKeyOnDemandCommand({ KeyId }));
  await eventually("the key has rotated", async () => {
    const { Rotations = [] } = await kms.send(new ListKeyRotationsCommand({ KeyId }));
    return Rotations.length === count || undefined;
  });
}

async function publicKeyOf(KeyId: string) {
  const { PublicKey = new Uint8Array() } = await kms.send(new GetPublicKeyCommand({ KeyId }));
  return createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
}

describe("the AWS SDK for JavaScript against npm start's configuration", () => {
  it("encrypts and decrypts, and names the key by its ARN", async () => {
    const { CiphertextBlob, KeyId } = await encrypt();
    expect(KeyId).toMatch(/^arn:aws:kms:us-local-1:000000000000:key\/[0-9a-f-]{36}$/);
    expect(await kms.send(new DecryptCommand({ CiphertextBlob }))).toMatchObject({ KeyId, ...opened });
    expect(await kms.send(new DecryptCommand({ CiphertextBlob, KeyId }))).toMatchObject(opened);
  });

  it("binds the encryption context: order is free, everything else is not", async () => {
    const { CiphertextBlob } = await encrypt(CONTEXT);
    const decrypt = (EncryptionContext?: Record<string, string>) =>
      kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(await decrypt({ table: "orders", tenant: "a" })).toMatchObject(opened);
    for (const wrong of [undefined, {}, { tenant: "a" }, { ...CONTEXT, tenant: "b" }, { ...CONTEXT, x: "" }])
      await expect(decrypt(wrong)).rejects.toEqual(named("InvalidCiphertextException"));
  });

  it("makes data keys and random bytes, and lists and describes what there is", async () => {
    const KeyId = "alias/orders";
    const key = await kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256" }));
    const again = await kms.send(new DecryptCommand({ CiphertextBlob: key.CiphertextBlob }));
    expect(again).toMatchObject({ Plaintext: key.Plaintext, KeyMaterialId: key.KeyMaterialId });
    const hidden = await kms.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, NumberOfBytes: 64 }));
    const shown = await kms.send(new DecryptCommand({ CiphertextBlob: hidden.CiphertextBlob }));
    expect(shown.Plaintext).toHaveLength(64);
    const random = await kms.send(new GenerateRandomCommand({ NumberOfBytes: 16 }));
    expect(random.Plaintext).toHaveLength(16);
    const { Aliases = [] } = await kms.send(new ListAliasesCommand({}));
    const names = ["asleep", "orders", ...KINDS.map(([name]) => name)].toSorted();
    expect(Aliases.map(({ AliasName }) => AliasName)).toEqual(names.map((name) => `alias/${name}`));
    const { Keys = [] } = await kms.send(new ListKeysCommand({}));
    expect(Keys.map(({ KeyArn }) => KeyArn)).toContain(key.KeyId);
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ Arn: key.KeyId, KeySpec: "SYMMETRIC_DEFAULT", KeyState: "Enabled" });
  });

  it("makes MACs and signatures that verify, and no others do", async () => {
    const Message = Plaintext;
    const mac = { KeyId: "alias/mac", Message, MacAlgorithm: "HMAC_SHA_256" } as const;
    const { Mac } = await kms.send(new GenerateMacCommand(mac));
    expect(await kms.send(new VerifyMacCommand({ ...mac, Mac }))).toMatchObject({ MacValid: true });
    const otherMac = kms.send(new VerifyMacCommand({ ...mac, Mac, Message: Buffer.from("x") }));
    await expect(otherMac).rejects.toEqual(named("KMSInvalidMacException"));
    const signing = { KeyId: "alias/signing", Message, SigningAlgorithm: "ECDSA_SHA_256" } as const;
    const { Signature = new Uint8Array() } = await kms.send(new SignCommand(signing));
    expect(await kms.send(new VerifyCommand({ ...signing, Signature }))).toMatchObject({
      SignatureValid: true,
    });
    const other = kms.send(new VerifyCommand({ ...signing, Signature, Message: Buffer.from("x") }));
    await expect(other).rejects.toEqual(named("KMSInvalidSignatureException"));
    expect(verify("sha256", Message, await publicKeyOf("alias/signing"), Signature)).toBe(true);
  });

  it("shares secrets: by ECDH with another party, and encapsulated", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const PublicKey = publicKey.export({ format: "der", type: "spki" });
    const agreement = { KeyId: "alias/agreement", KeyAgreementAlgorithm: "ECDH", PublicKey } as const;
    const { SharedSecret } = await kms.send(new DeriveSharedSecretCommand(agreement));
    const theirs = diffieHellman({ privateKey, publicKey: await publicKeyOf("alias/agreement") });
    expect(SharedSecret).toEqual(new Uint8Array(theirs));
    const kem = { KeyId: "alias/kem", EncapsulationAlgorithm: "ML_KEM" } as const;
    const made = await kms.send(new EncapsulateCommand(kem));
    const { SharedSecretCiphertextBlob } = made;
    const opened = await kms.send(new DecapsulateCommand({ ...kem, SharedSecretCiphertextBlob }));
    expect(opened.SharedSecret).toEqual(made.SharedSecret);
  });

  it("makes key pairs, and moves a ciphertext to another context", async () => {
    const KeyId = "alias/orders";
    const pair = await kms.send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: "ML_KEM_768" }));
    const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
    const moved = await kms.send(
      new ReEncryptCommand({
        CiphertextBlob,
        DestinationKeyId: KeyId,
        DestinationEncryptionContext: CONTEXT,
      }),
    );
    expect(moved).toMatchObject({ SourceKeyId: pair.KeyId, SourceKeyMaterialId: pair.KeyMaterialId });
    const input = { CiphertextBlob: moved.CiphertextBlob, EncryptionContext: CONTEXT };
    const { Plaintext: privateKey } = await kms.send(new DecryptCommand(input));
    expect(privateKey).toEqual(pair.PrivateKeyPlaintext);
  });

  it("answers what the operator has recorded of a key, and how it was last used", async () => {
    const KeyId = await keyIdOf("alias/mac");
    expect(await kms.send(new ListResourceTagsCommand({ KeyId }))).toMatchObject({
      Tags: [{ TagKey: "team", TagValue: "mac" }],
      Truncated: false,
    });
    const Message = Plaintext;
    await kms.send(new GenerateMacCommand({ KeyId, Message, MacAlgorithm: "HMAC_SHA_256" }));
    const usage = await kms.send(new GetKeyLastUsageCommand({ KeyId }));
    expect(usage).toMatchObject({ KeyId, KeyLastUsage: { Operation: "GenerateMac" } });
    expect(usage.KeyLastUsage?.Timestamp).toBeInstanceOf(Date);
    const orders = await keyIdOf("alias/orders");
    expect(await kms.send(new GetKeyRotationStatusCommand({ KeyId: orders }))).toMatchObject({
      KeyRotationEnabled: false,
    });
    const all = { KeyId: orders, IncludeKeyMaterial: "ALL_KEY_MATERIAL" } as const;
    expect(await kms.send(new ListKeyRotationsCommand(all))).toMatchObject({
      Rotations: [{ KeyId: orders, KeyMaterialState: "CURRENT" }],
    });
    const unused = await kms.send(new GetKeyLastUsageCommand({ KeyId: await keyIdOf("alias/asleep") }));
    expect(unused.KeyLastUsage).toEqual({});
  });

  it("a dry run says that the request would succeed, or why it would not", async () => {
    const { CiphertextBlob } = await encrypt(CONTEXT);
    const dryRun = (input: object) => kms.send(new DecryptCommand({ ...input, DryRun: true }));
    const would = named("DryRunOperationException");
    await expect(dryRun({ CiphertextBlob, EncryptionContext: CONTEXT })).rejects.toEqual(would);
    await expect(dryRun({ CiphertextBlob })).rejects.toEqual(named("InvalidCiphertextException"));
    const alone = { KeyId: "alias/asleep", DryRunModifiers: ["IGNORE_CIPHERTEXT"] };
    await expect(dryRun(alone)).rejects.toEqual(would);
  });

  it("a disabled key => DisabledException", async () => {
    await expect(encrypt({}, "alias/asleep")).rejects.toEqual(named("DisabledException"));
  });

  it("a wrong secret => InvalidSignatureException; a clock six minutes off works after its first answer", async () => {
    const stranger = await api.client("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    await expect(stranger.send(new ListKeysCommand({}))).rejects.toEqual(named("InvalidSignatureException"));
    const late = await api.client();
    late.config.systemClockOffset = -360_000;
    await expect(late.send(new ListKeysCommand({}))).rejects.toEqual(named("InvalidSignatureException"));
    await expect(late.send(new ListKeysCommand({}))).resolves.toBeDefined();
  });

  it("a blob of the KMS v2 socket does not decrypt here, nor the other way round", async () => {
    const socket = api.installation.client();
    const seed = randomBytes(32);
    const { ciphertext, key_id } = await socket.encrypt(seed);
    const there = kms.send(new DecryptCommand({ CiphertextBlob: ciphertext }));
    await expect(there).rejects.toEqual(named("InvalidCiphertextException"));
    const { CiphertextBlob } = await encrypt({}, "alias/claviger-system/socket");
    const here = socket.decrypt({ ciphertext: CiphertextBlob ?? Buffer.alloc(0), key_id });
    await expect(here).rejects.toThrow("the ciphertext is not valid");
    expect(await socket.decrypt({ ciphertext, key_id })).toEqual(seed);
  });

  it("prints how to reach the API and a first command, and no secret", async () => {
    await serve.line(/aws kms encrypt --key-id alias\/orders/);
    const output = await serve.text();
    expect(output).toContain(`endpoint     ${api.endpoint}`);
    const { secretAccessKey } = await kms.config.credentials();
    expect(output).not.toContain(secretAccessKey);
  });
});

describe("a restart", () => {
  it("of the API alone, as serve does when it dies: the sockets go on, and a former ciphertext decrypts", async () => {
    const { CiphertextBlob } = await encrypt(CONTEXT);
    const listening = /^.* api: the AWS KMS API is served at/gm;
    const starts = async () => [...(await serve.text()).matchAll(listening)].length;
    const before = await starts();
    kill(await serve.text(), /api: .*pid=(\d+)/);
    await eventually("the API is started again", async () => (await starts()) > before || undefined);
    const input = { CiphertextBlob, EncryptionContext: CONTEXT };
    expect(await kms.send(new DecryptCommand(input))).toMatchObject(opened);
    expect(await api.installation.client().status()).toMatchObject({ healthz: "ok" });
  });

  it("of everything, with the keyring lost and restored: a ciphertext from before three rotations decrypts without a KeyId", async () => {
    const { CiphertextBlob, KeyId = "" } = await encrypt(CONTEXT);
    for (const count of [1, 2, 3]) await rotate(KeyId, count);
    // The introduction that serve prints at its start uses alias/orders.
    const { KeyId: other } = await encrypt({}, "alias/claviger-system/socket");
    const backup = join(api.installation.dir, "backup");
    expect(await api.installation.runWithConfig("backup", "--out", backup)).toMatchObject({ code: 0 });
    await serve.process.stop();
    expect(await serve.text()).toMatch(/api: this API has stopped/);
    for (const suffix of ["", "-wal", "-shm"])
      await rm(`${api.installation.keyringPath}${suffix}`, { force: true });
    expect(await api.installation.runWithConfig("restore", backup)).toMatchObject({ code: 0 });
    await api.setWorkers(2);
    serve = await api.start();
    expect(await kms.send(new GetKeyLastUsageCommand({ KeyId: other }))).toMatchObject({
      KeyLastUsage: { Operation: "Encrypt" },
    });
    const input = { CiphertextBlob, EncryptionContext: CONTEXT };
    expect(await kms.send(new DecryptCommand(input))).toMatchObject({ KeyId, ...opened });
  });

  it("of one of two workers: the other answers, and a change by one is seen by both at once", async () => {
    for (const worker of ["api-0", "api-1"])
      await serve.line(new RegExp(`${worker}: the AWS KMS API is served`));
    kill(await serve.text(), /api-1: .*pid=(\d+)/);
    await serve.line(/worker 1 of the API ended \(SIGKILL\)/);
    // Its connections ended with it.
    kms = await api.client();
    for (let call = 0; call < 20; call++) expect(await encrypt()).toBeDefined();
    await eventually("the worker is back", async () => {
      const starts = (await serve.text()).match(/api-1: the AWS KMS API is served/g);
      return (starts ?? []).length > 1 || undefined;
    });
    // Each client has connections of its own, which go to the workers in turn.
    const clients = await Promise.all([api.client(), api.client(), api.client(), api.client()]);
    const KeyId = "alias/orders";
    const states = () =>
      Promise.all(
        clients.map(async (client) => {
          const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }));
          return KeyMetadata?.KeyState;
        }),
      );
    expect(await states()).toEqual(["Enabled", "Enabled", "Enabled", "Enabled"]);
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
    const GranteePrincipal = "arn:aws:iam::000000000000:user/reader";
    const terms = { KeyId: KeyMetadata?.KeyId, GranteePrincipal, Operations: ["Decrypt" as const] };
    const { GrantId } = await kms.send(new CreateGrantCommand(terms));
    for (const client of clients) {
      const { Grants } = await client.send(new ListGrantsCommand({ KeyId: KeyMetadata?.KeyId, GrantId }));
      expect(Grants).toHaveLength(1);
    }
    await kms.send(new DisableKeyCommand({ KeyId: KeyMetadata?.KeyId }));
    expect(await states()).toEqual(["Disabled", "Disabled", "Disabled", "Disabled"]);
  });

  it("of a worker takes nothing out of the metrics, which one address has for all of them", async () => {
    const scrape = async () => (await fetch(`http://${api.metrics}/metrics`)).text();
    const text = await eventually("both workers have reported", async () => {
      const found = await scrape();
      const ready = found.match(/^claviger_aws_worker_ready\{worker="[01]"\} 1$/gm) ?? [];
      const encrypts =
        /^claviger_aws_request_duration_seconds_count\{operation="Encrypt",result="ok"\} (\d+)$/m;
      return ready.length === 2 && Number(encrypts.exec(found)?.[1]) >= 20 ? found : undefined;
    });
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name).sort();
    // Nothing has a certificate here.
    const absent = "claviger_aws_certificate_expiry_timestamp_seconds";
    expect([...names, absent].sort()).toEqual(documentedMetrics("AWS KMS API"));
  });
});
