import { randomBytes } from "node:crypto";
import {
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  type KMSClient,
  ListAliasesCommand,
  ListKeysCommand,
} from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { keyAlias, masterKey, type Run } from "../standalone/installation.ts";
import { StandaloneApi } from "./standalone-api.ts";

const Plaintext = Buffer.from("attack at dawn");
const CONTEXT = { tenant: "a", table: "orders" };
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
  );
  serve = await api.start("alias/asleep", "alias/claviger-system/socket");
  kms = await api.client();
});
afterAll(() => api[Symbol.asyncDispose]());

/** Kills the process whose id is in the log. */
function kill(log: string, pattern: RegExp): void {
  process.kill(Number(pattern.exec(log)?.[1]), "SIGKILL");
}

const encrypt = async (EncryptionContext = {}, KeyId = "alias/orders") =>
  kms.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }));

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
    expect(Aliases.map(({ AliasName }) => AliasName)).toEqual(["alias/asleep", "alias/orders"]);
    const { Keys = [] } = await kms.send(new ListKeysCommand({}));
    expect(Keys.map(({ KeyArn }) => KeyArn)).toContain(key.KeyId);
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ Arn: key.KeyId, KeySpec: "SYMMETRIC_DEFAULT", KeyState: "Enabled" });
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

  it("of everything: the credential stays, and a former ciphertext decrypts without a KeyId", async () => {
    const { CiphertextBlob } = await encrypt(CONTEXT);
    await serve.process.stop();
    expect(await serve.text()).toMatch(/api: this API has stopped/);
    await api.setWorkers(2);
    serve = await api.start();
    const input = { CiphertextBlob, EncryptionContext: CONTEXT };
    expect(await kms.send(new DecryptCommand(input))).toMatchObject(opened);
  });

  it("of one of two workers: the other answers, and a change by one is seen by both at once", async () => {
    await serve.line(/api-1: the AWS KMS API is served/);
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
    await kms.send(new DisableKeyCommand({ KeyId: KeyMetadata?.KeyId }));
    expect(await states()).toEqual(["Disabled", "Disabled", "Disabled", "Disabled"]);
  });
});
