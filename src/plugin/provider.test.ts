import { randomBytes } from "node:crypto";

import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { inspect } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { kmsKeyId, newKeyId, newVersionId } from "../crypto/ids.ts";
import { generateMaterial, type KeySpec } from "../crypto/key-specs.ts";
import { encryptMessage } from "../crypto/message.ts";
import { Secret } from "../crypto/secret.ts";
import { type ErrorCode, InvalidCiphertext } from "../errors.ts";
import type { KeyringChange, PutKey } from "../keyring/changes.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import type { VersionRow } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { WaitingPeriods } from "../keyring/tables/waiting-periods.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import type { KeyRef, ObjectName } from "../names.ts";
import { fileSeal } from "../seal/file.ts";
import { createRootKey, readRootKey } from "../seal/root-key-file.ts";
import { sealAad } from "../seal/seal.ts";
import { usageFor } from "../testing/materials.ts";
import { sealsIn } from "../testing/seals.ts";
import { Provider } from "./provider.ts";

/** A provider on a real keyring.db that a real writer changes meanwhile, as the operator's process does. */
const SECRETS: ObjectName = { namespace: "claviger-system", name: "secrets" };
const OTHER: ObjectName = { namespace: "claviger-system", name: "other" };
const ALIAS: ObjectName = { namespace: "claviger-system", name: "alias" };
const SEED = Buffer.from("canary: these bytes must stay in", "ascii");

type Key = PutKey;

let folder: string;
let stateDir: string;
let rootKeyPath: string;
let writer: KeyringWriter;
let keyring: LiveKeyring;
let following: boolean;
/** Everything that was logged. */
let lines: string[];
/** The material of every created version, to search for it in places that must not have it. */
let materials: Buffer[];
let now: number;
let observed: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-test-"));
  stateDir = join(folder, "state");
  rootKeyPath = join(folder, "root.key");
  createRootKey(rootKeyPath);
  writer = KeyringWriter.open(stateDir);
  keyring = new LiveKeyring(join(stateDir, KEYRING_FILE), sealsIn(rootKeyPath));
  following = false;
  lines = [];
  materials = [];
  now = 1_000;
  observed = 0;
  onTestFinished(() => {
    keyring.close();
    writer.close();
    rmSync(folder, { recursive: true });
  });
});

function newKey(name: ObjectName, rest: Partial<Key> = {}): Key {
  const key = { ...name, keyId: newKeyId(), enabled: true, ...rest };
  writer.apply([{ kind: "putKey", key }]);
  return key;
}

async function sealedVersion(
  key: Key,
  number: number,
  spec: KeySpec = "SYMMETRIC_DEFAULT",
): Promise<VersionRow> {
  using material = await generateMaterial(spec);
  materials.push(Buffer.from(material.exposeSecretBytes()));
  const binding = {
    keyId: key.keyId,
    versionId: newVersionId(),
    number,
    keySpec: spec,
    keyUsage: usageFor(spec),
  };
  using rootKey = readRootKey(rootKeyPath);
  const sealed = await fileSeal(rootKey).wrap(material, sealAad(binding));
  return { ...binding, masterKey: { namespace: key.namespace, name: key.name }, origin: "AWS_KMS", sealed };
}

function makeCurrent(key: Key, version: VersionRow): void {
  writer.apply([
    { kind: "putVersion", version },
    { kind: "setCurrent", key, version },
  ]);
}

/** Creates a version of the key and makes it the current version. */
async function rotate(key: Key, number: number): Promise<VersionRow> {
  const version = await sealedVersion(key, number);
  makeCurrent(key, version);
  return version;
}

const idOf = ({ keyId, versionId }: VersionRow): string => kmsKeyId(keyId, versionId);

/** Starts a provider that follows the keyring, as the plugin does. */
function started(
  ref: KeyRef = { key: SECRETS },
  settleMilliseconds?: number,
  refusesImported = false,
): Provider {
  if (!following) keyring.start();
  following = true;
  const provider = new Provider({
    name: "secrets",
    ref,
    refusesImported,
    keyring,
    now: () => now,
    log: (level, message, fields) => lines.push(`${level} ${message} ${inspect(fields)}`),
    onObserved: () => {
      observed += 1;
    },
    ...(settleMilliseconds !== undefined && { settleMilliseconds }),
  });
  onTestFinished(() => provider.close());
  keyring.onChange(() => void provider.follow());
  void provider.follow();
  return provider;
}

/** Polls until `check` stops throwing; the deadline ends a hung test and measures nothing. */
const eventually = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 120_000, interval: 20 });

const serves = (provider: Provider, version: VersionRow): Promise<void> =>
  eventually(() => expect(provider.status()).toBe(idOf(version)));

/** Repeats the check as the plugin does after a failure, although the keyring did not change. */
const servesWhenMended = (provider: Provider, version: VersionRow): Promise<void> =>
  eventually(async () => {
    await provider.follow();
    expect(provider.status()).toBe(idOf(version));
  });

const hasProblem = (provider: Provider, code: ErrorCode): Promise<void> =>
  eventually(() => expect(provider.problem?.code).toBe(code));

/** Calls Decrypt, and turns an error that is thrown into a promise that rejects. */
async function decrypt(
  provider: Provider,
  request: { ciphertext: Uint8Array; keyId: string; annotationCount?: number },
) {
  return provider.decrypt({ annotationCount: 0, ...request });
}

const withCode = (code: ErrorCode) => expect.objectContaining({ code });

describe("a provider of a key with a current version", () => {
  let version: VersionRow;
  let provider: Provider;

  beforeEach(async () => {
    version = await rotate(newKey(SECRETS), 1);
    provider = started();
    await serves(provider, version);
  });

  it("opens what it wrapped, and says under which key_id", async () => {
    const encrypted = provider.encrypt(SEED);
    expect(encrypted.keyId).toBe(provider.status());
    expect(encrypted.ciphertext).toHaveLength(SEED.length + 114);
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
    expect(provider.usable).toBe(true);
    expect(provider.problem).toBeUndefined();
  });

  it("answers Decrypt at once if the version's material is open, and with a promise if it is not", async () => {
    const other = newKey(OTHER);
    const sealed = await sealedVersion(other, 1);
    writer.apply([{ kind: "putVersion", version: sealed }]);
    const { keyId, versionId } = sealed;
    const material = Secret.take(Buffer.from(materials[1] ?? []));
    const scope = { keyId, versionId, material, purpose: "kms-v2", context: {} } as const;
    const request = { ciphertext: encryptMessage(scope, SEED), keyId: idOf(sealed), annotationCount: 0 };
    const first = provider.decrypt(request);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toEqual(SEED);
    expect(provider.decrypt(request)).toEqual(SEED);
    expect(provider.decrypt({ ...provider.encrypt(SEED), annotationCount: 0 })).toEqual(SEED);
  });

  it("wraps the same seed differently each time, and distinct seeds to distinct answers", async () => {
    const first = provider.encrypt(SEED);
    const second = provider.encrypt(SEED);
    expect(first.ciphertext).not.toEqual(second.ciphertext);
    expect(await decrypt(provider, second)).toEqual(SEED);
    expect(await decrypt(provider, provider.encrypt(Buffer.from("another")))).toEqual(Buffer.from("another"));
  });

  it.each([1, 32, 910])("takes %i bytes of plaintext, and stays within KMS v2's 1024 bytes", async (size) => {
    const plaintext = randomBytes(size);
    const encrypted = provider.encrypt(plaintext);
    expect(encrypted.ciphertext.length).toBeLessThanOrEqual(1024);
    expect(await decrypt(provider, encrypted)).toEqual(plaintext);
  });

  it.each([0, 911, 4096, 100_000])("refuses %i bytes of plaintext", (size) => {
    expect(() => provider.encrypt(Buffer.alloc(size))).toThrow(withCode("InvalidArgument"));
    expect(() => provider.encrypt(Buffer.alloc(size))).toThrow("takes 1 to 910");
  });

  it("refuses a ciphertext of more than 1024 bytes before it is read", async () => {
    const { keyId } = provider.encrypt(SEED);
    await expect(decrypt(provider, { ciphertext: Buffer.alloc(1025), keyId })).rejects.toThrow(
      "takes at most 1024",
    );
  });

  it.each([0, 1, 113])("refuses a ciphertext of %i bytes", async (size) => {
    const { keyId, ciphertext } = provider.encrypt(SEED);
    await expect(decrypt(provider, { ciphertext: ciphertext.subarray(0, size), keyId })).rejects.toThrow(
      InvalidCiphertext,
    );
  });

  it("refuses annotations, which it never gave", async () => {
    const encrypted = provider.encrypt(SEED);
    await expect(decrypt(provider, { ...encrypted, annotationCount: 1 })).rejects.toThrow(
      withCode("InvalidArgument"),
    );
  });

  it("refuses a ciphertext of which any byte was changed", async () => {
    const { ciphertext, keyId } = provider.encrypt(SEED);
    const messages = new Set<string>();
    for (let at = 0; at < ciphertext.length; at++) {
      const altered = Buffer.from(ciphertext);
      altered.writeUInt8(altered.readUInt8(at) ^ 0x01, at);
      const error = await decrypt(provider, { ciphertext: altered, keyId }).catch((cause: unknown) => cause);
      // Changed ids within a ciphertext no longer match its key_id; any other change makes it fail to open.
      const named = at >= 2 && at < 34;
      expect(error).toMatchObject({ code: named ? "InvalidArgument" : "InvalidCiphertext" });
      if (!named && error instanceof Error) messages.add(error.message);
    }
    expect([...messages]).toEqual(["the ciphertext is not valid for this key, purpose and context"]);
  });

  it.each(["", "unknown", "0".repeat(32)])("refuses a key_id that it does not know: %j", async (keyId) => {
    const { ciphertext } = provider.encrypt(SEED);
    await expect(decrypt(provider, { ciphertext, keyId })).rejects.toThrow(withCode("InvalidArgument"));
  });

  it("refuses the key_id of another version for a ciphertext", async () => {
    const { ciphertext } = provider.encrypt(SEED);
    const other = await rotate(newKey(OTHER), 1);
    await expect(decrypt(provider, { ciphertext, keyId: idOf(other) })).rejects.toThrow(
      withCode("InvalidArgument"),
    );
  });

  it("refuses a ciphertext of a version that this node does not have, and names its key_id", async () => {
    const scope = { keyId: newKeyId(), versionId: newVersionId(), material: Secret.random(32) };
    const ciphertext = encryptMessage({ ...scope, purpose: "kms-v2", context: {} }, SEED);
    const keyId = kmsKeyId(scope.keyId, scope.versionId);
    await expect(decrypt(provider, { ciphertext, keyId })).rejects.toMatchObject({
      code: "NotFound",
      message: expect.stringContaining(keyId),
    });
  });

  it("refuses what the AWS door made under the same material, and what was made with a context", async () => {
    const material = Secret.take(Buffer.from(materials[0] ?? []));
    const scope = { keyId: version.keyId, versionId: version.versionId, material } as const;
    const others = [
      encryptMessage({ ...scope, purpose: "aws-kms", context: {} }, SEED),
      encryptMessage({ ...scope, purpose: "kms-v2", context: { a: "b" } }, SEED),
    ];
    for (const ciphertext of others) {
      await expect(decrypt(provider, { ciphertext, keyId: idOf(version) })).rejects.toThrow(
        InvalidCiphertext,
      );
    }
    const own = encryptMessage({ ...scope, purpose: "kms-v2", context: {} }, SEED);
    expect(await decrypt(provider, { ciphertext: own, keyId: idOf(version) })).toEqual(SEED);
  });

  it("counts the Encrypts under its key_id, and neither Decrypts nor what it refused", async () => {
    expect(provider.observation).toMatchObject({
      provider: "secrets",
      kmsKeyId: idOf(version),
      servingSince: 1_000,
      encrypts: 0,
      settled: false,
    });
    const before = observed;
    now = 2_000;
    const encrypted = provider.encrypt(SEED);
    now = 3_000;
    provider.encrypt(SEED);
    await decrypt(provider, encrypted);
    expect(() => provider.encrypt(Buffer.alloc(0))).toThrow();
    expect(provider.observation).toMatchObject({ servingSince: 1_000, encrypts: 2, lastEncryptAt: 3_000 });
    expect(observed - before).toBe(2);
  });

  it("says nothing secret in logs and errors", async () => {
    const { ciphertext, keyId } = provider.encrypt(SEED);
    const changed = Buffer.from(ciphertext).fill(0, 100);
    const errors = await Promise.all([
      failure(decrypt(provider, { ciphertext: changed, keyId })),
      failure(decrypt(provider, { ciphertext, keyId: "unknown" })),
      failure(decrypt(provider, { ciphertext: Buffer.concat([ciphertext, SEED]), keyId })),
      failure(decrypt(provider, { ciphertext, keyId, annotationCount: 3 })),
      failure(Promise.resolve().then(() => provider.encrypt(Buffer.alloc(2000, SEED)))),
    ]);
    const rootKey = Buffer.from(readRootKey(rootKeyPath).exposeSecretBytes());
    const texts = [...errors, ...lines, inspect(provider, { depth: null, showHidden: true })];
    expect(texts.length).toBeGreaterThan(6);
    for (const text of texts) {
      for (const bytes of [SEED, rootKey, ...materials]) {
        for (const canary of canaries(bytes)) expect(text).not.toContain(canary);
      }
    }
  });
});

describe("a new current version", () => {
  it("is served as soon as it is committed, and all earlier ciphertexts still open", async () => {
    const key = newKey(SECRETS);
    const versions = [await rotate(key, 1)];
    const provider = started();
    const encrypted = [];
    for (let number = 2; number <= 4; number++) {
      const current = versions.at(-1);
      if (current === undefined) throw new Error("there is a version");
      await serves(provider, current);
      encrypted.push(provider.encrypt(SEED));
      versions.push(await rotate(key, number));
    }
    const last = versions.at(-1);
    if (last === undefined) throw new Error("there is a version");
    await serves(provider, last);
    for (const one of encrypted) expect(await decrypt(provider, one)).toEqual(SEED);
    expect(encrypted.map(({ keyId }) => keyId)).toEqual(versions.slice(0, -1).map(idOf));
  });

  it("begins a new observation: Encrypts under the old key_id do not count", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started();
    await serves(provider, first);
    provider.encrypt(SEED);
    now = 5_000;
    const second = await rotate(key, 2);
    await serves(provider, second);
    expect(provider.observation).toMatchObject({
      provider: "secrets",
      kmsKeyId: idOf(second),
      servingSince: 5_000,
      encrypts: 0,
      settled: false,
    });
  });

  it("settles once no other key_id was answered for long enough, and begins anew with the next one", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started({ key: SECRETS }, 1);
    await serves(provider, first);
    await eventually(() =>
      expect(provider.observation).toMatchObject({ kmsKeyId: idOf(first), settled: true }),
    );
    provider.encrypt(SEED);
    expect(provider.observation).toMatchObject({ encrypts: 1, settled: false });
    await eventually(() => expect(provider.observation).toMatchObject({ encrypts: 1, settled: true }));
    const slow = started({ key: SECRETS });
    await serves(slow, first);
    await serves(slow, await rotate(key, 2));
    expect(slow.observation).toMatchObject({ settled: false });
  });

  it("that is stored and not current is not served, and its ciphertexts open: another node may be ahead", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started();
    await serves(provider, first);
    const pending = await sealedVersion(key, 2);
    writer.apply([{ kind: "putVersion", version: pending }]);
    const ahead = encryptMessage(
      {
        keyId: pending.keyId,
        versionId: pending.versionId,
        material: Secret.take(Buffer.from(materials[1] ?? [])),
        purpose: "kms-v2",
        context: {},
      },
      SEED,
    );
    expect(await decrypt(provider, { ciphertext: ahead, keyId: idOf(pending) })).toEqual(SEED);
    expect(provider.status()).toBe(idOf(first));
  });

  it("whose sealed blob was swapped is never served; the one before goes on until it is put right", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started();
    await serves(provider, first);
    const second = await sealedVersion(key, 2);
    makeCurrent(key, { ...second, sealed: first.sealed });
    await hasProblem(provider, "SealMismatch");
    expect(provider.status()).toBe(idOf(first));
    expect(provider.encrypt(SEED).keyId).toBe(idOf(first));
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
    expect(lines.at(-1)).toContain("warn provider secrets: sealed material does not open");
    writer.apply([{ kind: "putVersion", version: second }]);
    await servesWhenMended(provider, second);
    expect(provider.problem).toBeUndefined();
  });

  it("whose problem stays the same is logged once", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started();
    await serves(provider, first);
    makeCurrent(key, { ...(await sealedVersion(key, 2)), sealed: first.sealed });
    await hasProblem(provider, "SealMismatch");
    for (let again = 0; again < 5; again++) await provider.follow();
    expect(lines.filter((line) => line.startsWith("warn"))).toHaveLength(1);
  });
});

describe("an old copy of the keyring that is put back", () => {
  it("does not turn the key_id back, loses no ciphertext, and later versions are served", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started();
    await serves(provider, first);
    const early = provider.encrypt(SEED);
    const copy = join(folder, "copy.db");
    using source = new DatabaseSync(writer.path);
    source.exec(`VACUUM INTO '${copy}'`);

    const second = await rotate(key, 2);
    await serves(provider, second);
    const late = provider.encrypt(SEED);

    source.close();
    putBack(copy);
    await hasProblem(provider, "KeyringCorrupt");
    expect(provider.problem?.message).toBe(
      `keyring.db or an alias went back from version 2 to version 1 (key_id ${idOf(first)}):` +
        ` the plugin continues to serve version 2 (key_id ${idOf(second)}), because a key_id must never return`,
    );
    expect(provider.status()).toBe(idOf(second));
    expect(provider.encrypt(SEED).keyId).toBe(idOf(second));
    expect(await decrypt(provider, early)).toEqual(SEED);
    expect(await decrypt(provider, late)).toEqual(SEED);

    writer = KeyringWriter.open(stateDir);
    const third = await rotate(key, 3);
    await serves(provider, third);
    expect(provider.problem).toBeUndefined();
    expect(await decrypt(provider, late)).toEqual(SEED);
  });

  function putBack(copy: string): void {
    writer.close();
    for (const end of ["-wal", "-shm"]) rmSync(writer.path + end, { force: true });
    renameSync(copy, writer.path);
  }
});

describe("a keyring that is taken away", () => {
  it("leaves the provider serving from memory, and says so for what memory does not hold", async () => {
    const version = await rotate(newKey(SECRETS), 1);
    const provider = started();
    await serves(provider, version);
    const encrypted = provider.encrypt(SEED);
    writer.close();
    for (const end of ["", "-wal", "-shm"]) rmSync(writer.path + end, { force: true });
    await eventually(() => expect(keyring.problem?.code).toBe("NotReady"));
    expect(provider.status()).toBe(idOf(version));
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
    const scope = { keyId: newKeyId(), versionId: newVersionId(), material: Secret.random(32) };
    const ciphertext = encryptMessage({ ...scope, purpose: "kms-v2", context: {} }, SEED);
    const unknown = { ciphertext, keyId: kmsKeyId(scope.keyId, scope.versionId) };
    await expect(decrypt(provider, unknown)).rejects.toThrow(withCode("NotReady"));

    // An empty keyring in its place, as an operator creates it if it finds none, removes nothing either.
    writer = KeyringWriter.open(stateDir);
    await hasProblem(provider, "NotFound");
    expect(provider.status()).toBe(idOf(version));
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
  });
});

describe("a key that is pending deletion", () => {
  const deletionDate = "2026-02-01T00:00:00Z";

  it("is refused like a disabled one, with a text of its own, until the deletion is cancelled", async () => {
    const key = newKey(SECRETS);
    const version = await rotate(key, 1);
    const provider = started();
    await serves(provider, version);
    const encrypted = provider.encrypt(SEED);
    writer.apply([{ kind: "putKey", key: { ...key, enabled: false, deletionDate } }]);
    await eventually(() => expect(provider.usable).toBe(false));
    const refusal = {
      code: "KeyPendingDeletion",
      message:
        "MasterKey claviger-system/secrets is pending deletion and will be destroyed after 2026-02-01T00:00:00Z; remove spec.deletion to keep it",
    };
    expect(() => provider.status()).toThrow(expect.objectContaining(refusal));
    expect(() => provider.encrypt(SEED)).toThrow(expect.objectContaining(refusal));
    await expect(decrypt(provider, encrypted)).rejects.toMatchObject(refusal);
    writer.apply([{ kind: "putKey", key }]);
    await serves(provider, version);
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
  });
});

describe("a version that was destroyed", () => {
  const destroyed = ({ sealed, ...identity }: VersionRow): KeyringChange => ({
    kind: "destroyVersion",
    tombstone: {
      ...identity,
      destroyedAt: "2026-01-02T03:04:05Z",
      reason: "its deletion came due",
      proof: sealed,
    },
  });
  const error = (number: number) => ({
    code: "VersionDestroyed",
    message: `version ${number} of MasterKey claviger-system/secrets was destroyed on 2026-01-02T03:04:05Z: its deletion came due`,
  });

  it("is named by Decrypt, and the version after it goes on", async () => {
    const key = newKey(SECRETS);
    const first = await rotate(key, 1);
    const provider = started();
    await serves(provider, first);
    const early = provider.encrypt(SEED);
    const second = await rotate(key, 2);
    await serves(provider, second);
    const late = provider.encrypt(SEED);
    writer.apply([destroyed(first)]);
    await eventually(() => expect(decrypt(provider, early)).rejects.toMatchObject(error(1)));
    expect(await decrypt(provider, late)).toEqual(SEED);
    expect(provider.status()).toBe(idOf(second));
  });

  it("is refused at once, its own bytes too, however often it was opened before", async () => {
    const version = await rotate(newKey(SECRETS), 1);
    const provider = started();
    await serves(provider, version);
    const request = { ...provider.encrypt(SEED), annotationCount: 0 };
    expect(provider.decrypt(request)).toEqual(SEED);
    writer.apply([destroyed(version)]);
    await eventually(() => expect(() => provider.decrypt(request)).toThrow(error(1).message));
  });

  it("does not continue to be served from memory, were it the current one", async () => {
    const version = await rotate(newKey(SECRETS), 1);
    const provider = started();
    await serves(provider, version);
    writer.apply([destroyed(version)]);
    await eventually(() => expect(provider.usable).toBe(false));
    expect(() => provider.status()).toThrow(expect.objectContaining(error(1)));
    expect(() => provider.encrypt(SEED)).toThrow(expect.objectContaining(error(1)));
  });
});

describe("imported material that expires", () => {
  const VALID_TO = 9_000;
  const EXPIRED = {
    code: "MaterialExpired",
    message:
      "the material of version 1 of MasterKey claviger-system/secrets expired at 1970-01-01T00:00:09.000Z;" +
      " import the same material again to use it",
  };

  it("is served until then, and refused for Status, Encrypt and Decrypt from then on", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: VALID_TO } as const;
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    const sealed = provider.encrypt(SEED);
    now = VALID_TO - 1;
    expect(await decrypt(provider, sealed)).toEqual(SEED);
    now = VALID_TO;
    expect(provider.usable).toBe(false);
    expect(() => provider.status()).toThrow(expect.objectContaining(EXPIRED));
    expect(() => provider.encrypt(SEED)).toThrow(expect.objectContaining(EXPIRED));
    await expect(decrypt(provider, sealed)).rejects.toMatchObject(EXPIRED);
  });

  it("is usable again when it was imported again, with all that was encrypted under it", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: VALID_TO } as const;
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    const sealed = provider.encrypt(SEED);
    now = VALID_TO;
    writer.apply([{ kind: "putVersion", version: { ...version, validTo: 2 * VALID_TO } }]);
    await serves(provider, version);
    expect(await decrypt(provider, sealed)).toEqual(SEED);
  });

  it("is only imported material: what claviger made continues to be served, whatever validTo the keyring has", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), validTo: 1 };
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    now = VALID_TO;
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
  });

  it("continues to be served while this node's operator says that the clock may be wrong, and refused once it no longer does", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: 86_400_000 } as const;
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    const sealed = provider.encrypt(SEED);
    const periods = new WaitingPeriods(writer);
    now = 40 * 86_400_000;
    expect(provider.usable).toBe(false);
    periods.putTime({ seen: 1, agreedAt: 1, doubted: true });
    await serves(provider, version);
    expect(await decrypt(provider, sealed)).toEqual(SEED);
    periods.putTime({ seen: 2, agreedAt: 1, doubted: false });
    await vi.waitFor(() => expect(provider.usable).toBe(false));
  });

  it("had expired when the clock was last known to be right => is refused, whatever the clock says now", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: VALID_TO } as const;
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    new WaitingPeriods(writer).putTime({ seen: 1, agreedAt: VALID_TO, doubted: true });
    now = 40 * 86_400_000;
    await vi.waitFor(() => expect(keyring.expiryTime(now)).toBeLessThan(now));
    expect(() => provider.status()).toThrow(expect.objectContaining(EXPIRED));
  });

  it("the operator that doubted the clock is gone => its word counts for three minutes, in which time continues", async () => {
    const clock = vi.spyOn(performance, "now");
    onTestFinished(() => clock.mockRestore());
    new WaitingPeriods(writer).putTime({ seen: 1, agreedAt: VALID_TO - 1, doubted: true });
    clock.mockReturnValue(1_000);
    keyring.start();
    expect(keyring.expiryTime(40 * VALID_TO)).toBe(VALID_TO - 1);
    clock.mockReturnValue(121_000);
    expect(keyring.expiryTime(40 * VALID_TO)).toBe(VALID_TO - 1 + 120_000);
    clock.mockReturnValue(181_001);
    expect(keyring.expiryTime(40 * VALID_TO)).toBe(40 * VALID_TO);
  });

  it("does not keep a later version from being served", async () => {
    const key = newKey(SECRETS);
    const first = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: VALID_TO } as const;
    makeCurrent(key, first);
    const provider = started();
    await serves(provider, first);
    const early = provider.encrypt(SEED);
    const second = await rotate(key, 2);
    await serves(provider, second);
    now = VALID_TO;
    expect(provider.status()).toBe(idOf(second));
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
    await expect(decrypt(provider, early)).rejects.toMatchObject(EXPIRED);
  });
});

describe("a disabled key", () => {
  it("stops its own versions only: not those of a key whose keyId it claims", async () => {
    const key = newKey(SECRETS);
    const version = await rotate(key, 1);
    const provider = started();
    await serves(provider, version);
    const claimant = { namespace: "tenant", name: "stolen", keyId: key.keyId, enabled: false };
    writer.apply([{ kind: "putKey", key: claimant }]);
    writer.apply([{ kind: "putKey", key: { ...claimant, deletionDate: "2026-02-01T00:00:00Z" } }]);
    const next = await rotate(key, 2);
    await serves(provider, next);
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
  });

  it("is refused for Status, Encrypt and Decrypt, and usable again once enabled", async () => {
    const key = newKey(SECRETS);
    const version = await rotate(key, 1);
    const provider = started();
    await serves(provider, version);
    const encrypted = provider.encrypt(SEED);

    writer.apply([{ kind: "putKey", key: { ...key, enabled: false } }]);
    await eventually(() => expect(provider.usable).toBe(false));
    expect(() => provider.status()).toThrow(withCode("KeyDisabled"));
    expect(() => provider.encrypt(SEED)).toThrow(withCode("KeyDisabled"));
    await expect(decrypt(provider, encrypted)).rejects.toMatchObject({
      code: "KeyDisabled",
      message: "MasterKey claviger-system/secrets is disabled; set spec.enabled to true to use it again",
    });

    writer.apply([{ kind: "putKey", key }]);
    await serves(provider, version);
    expect(provider.usable).toBe(true);
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
    expect(provider.encrypt(SEED).keyId).toBe(encrypted.keyId);
  });

  it("is refused at the provider of another key too, which itself goes on", async () => {
    const disabled = newKey(OTHER);
    await rotate(disabled, 1);
    const version = await rotate(newKey(SECRETS), 1);
    const other = started({ key: OTHER });
    await eventually(() => expect(other.usable).toBe(true));
    const encrypted = other.encrypt(SEED);
    const provider = started();
    await serves(provider, version);
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
    writer.apply([{ kind: "putKey", key: { ...disabled, enabled: false } }]);
    await eventually(() => expect(decrypt(provider, encrypted)).rejects.toThrow(withCode("KeyDisabled")));
    expect(provider.status()).toBe(idOf(version));
  });

  it("that is disabled from the start is served when it is enabled", async () => {
    const key = newKey(SECRETS, { enabled: false });
    const version = await rotate(key, 1);
    const provider = started();
    await eventually(() => expect(() => provider.status()).toThrow(withCode("KeyDisabled")));
    expect(provider.usable).toBe(false);
    writer.apply([{ kind: "putKey", key: { ...key, enabled: true } }]);
    await serves(provider, version);
  });
});

describe("the log of a provider whose key must not be used any more", () => {
  const refused = (why: string) =>
    expect.stringContaining(`warn provider secrets refuses Status, Encrypt and Decrypt: ${why}`);
  const again = expect.stringContaining("info provider secrets serves claviger-system/secrets again");
  /** Returns the lines since the provider began to serve. */
  const said = () => lines.slice(1);

  it.each([
    {
      what: "disabled",
      change: { enabled: false },
      why: "MasterKey claviger-system/secrets is disabled; set spec.enabled to true to use it again",
    },
    {
      what: "pending deletion",
      change: { enabled: false, deletionDate: "2026-02-01T00:00:00Z" },
      why: "MasterKey claviger-system/secrets is pending deletion and will be destroyed after 2026-02-01T00:00:00Z; remove spec.deletion to keep it",
    },
  ])(
    "has one warning when it is $what, with what to do, and a word when it serves again",
    async ({ change, why }) => {
      const key = newKey(SECRETS);
      const version = await rotate(key, 1);
      const provider = started();
      await serves(provider, version);
      writer.apply([{ kind: "putKey", key: { ...key, ...change } }]);
      await eventually(() => expect(said()).toEqual([refused(why)]));
      await provider.follow();
      expect(said()).toHaveLength(1);
      expect(said()[0]).toContain(idOf(version));
      writer.apply([{ kind: "putKey", key }]);
      await eventually(() => expect(said()).toEqual([refused(why), again]));
    },
  );

  it("has the one at the first start too, after what it would serve", async () => {
    await rotate(newKey(SECRETS, { enabled: false }), 1);
    started();
    await eventually(() =>
      expect(said()).toEqual([refused("MasterKey claviger-system/secrets is disabled")]),
    );
  });

  it("has one when time alone took its material away, at the next look", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: 9_000 } as const;
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    expect(provider.useHasChanged).toBe(false);
    now = 9_000;
    expect(provider.useHasChanged).toBe(true);
    await provider.follow();
    expect(said()).toEqual([
      refused("the material of version 1 of MasterKey claviger-system/secrets expired"),
    ]);
    expect(provider.useHasChanged).toBe(false);
  });

  it("has the next version, and not that the same is served again, where that one took its place", async () => {
    const key = newKey(SECRETS);
    const version = { ...(await sealedVersion(key, 1)), origin: "EXTERNAL", validTo: 9_000 } as const;
    makeCurrent(key, version);
    const provider = started();
    await serves(provider, version);
    now = 9_000;
    await provider.follow();
    await serves(provider, await rotate(key, 2));
    expect(said()).toEqual([
      refused("the material of version 1"),
      expect.stringContaining("info provider secrets serves claviger-system/secrets {"),
    ]);
  });
});

describe("a provider that cannot serve yet", () => {
  it("says that it is starting before it has looked", () => {
    const provider = started();
    expect(() => provider.status()).toThrow(withCode("NotReady"));
    expect(() => provider.encrypt(SEED)).toThrow(withCode("NotReady"));
    expect(provider.usable).toBe(false);
    expect(provider.observation).toBeUndefined();
  });

  it("names a key that is missing, and serves it once it is there", async () => {
    const provider = started();
    await provider.follow();
    expect(() => provider.status()).toThrow(withCode("NotFound"));
    expect(() => provider.status()).toThrow("MasterKey claviger-system/secrets is not in the keyring");
    const key = newKey(SECRETS);
    await hasProblem(provider, "NotReady");
    await serves(provider, await rotate(key, 1));
  });

  it("refuses an HMAC key and says what it needs", async () => {
    const key = newKey(SECRETS);
    makeCurrent(key, await sealedVersion(key, 1, "HMAC_256"));
    const provider = started();
    await hasProblem(provider, "ConfigInvalid");
    const why = "provider secrets names a HMAC_256 key; KMS v2 needs SYMMETRIC_DEFAULT";
    expect(() => provider.status()).toThrow(why);
    expect(() => provider.encrypt(SEED)).toThrow(why);
    expect(lines.at(-1)).toContain(why);
  });

  it("begins with imported material through an alias only if that is allowed", async () => {
    const key = newKey(SECRETS);
    const version = await sealedVersion(key, 1);
    makeCurrent(key, { ...version, origin: "EXTERNAL" });
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: SECRETS.name } }]);
    const refusing = started({ alias: ALIAS }, undefined, true);
    await hasProblem(refusing, "ConfigInvalid");
    expect(() => refusing.status()).toThrow("set allowImported to true on the provider");
    await serves(started({ alias: ALIAS }), version);
  });

  it("serves on through an alias what an older release served, with nothing left but its keyring: before the operator opens that file, and after", async () => {
    const key = newKey(SECRETS);
    const version = await sealedVersion(key, 1);
    makeCurrent(key, { ...version, origin: "EXTERNAL" });
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: SECRETS.name } }]);
    // No older release has this table.
    writer.run("DROP TABLE served_imports");
    await serves(started({ alias: ALIAS }, undefined, true), version);
    writer.close();
    writer = KeyringWriter.open(dirname(writer.path));
    await vi.waitFor(() => expect(keyring.servedImport({ alias: ALIAS, masterKey: "none" })).toBe(false));
    await serves(started({ alias: ALIAS }, undefined, true), version);
    // An alias that moves to imported material from now on is refused.
    const other = { ...ALIAS, name: "other" };
    writer.apply([{ kind: "putAlias", alias: { ...other, masterKey: SECRETS.name } }]);
    const refusing = started({ alias: other }, undefined, true);
    await hasProblem(refusing, "ConfigInvalid");
  });

  it("serves once its root key was put right", async () => {
    const version = await rotate(newKey(SECRETS), 1);
    renameSync(rootKeyPath, `${rootKeyPath}.kept`);
    const provider = started();
    await hasProblem(provider, "SealUnavailable");
    expect(() => provider.status()).toThrow("does not exist; restore it from your backup");

    writeFileSync(rootKeyPath, randomBytes(32), { mode: 0o600 });
    await eventually(async () => {
      await provider.follow();
      expect(() => provider.status()).toThrow("put the right root key there");
    });

    renameSync(`${rootKeyPath}.kept`, rootKeyPath);
    await servesWhenMended(provider, version);
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
  });
});

describe("an alias", () => {
  it("is followed to the key that it points to, and old ciphertexts still open", async () => {
    const one = await rotate(newKey(SECRETS), 1);
    const two = await rotate(newKey(OTHER), 1);
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: SECRETS.name } }]);
    const provider = started({ alias: ALIAS });
    await serves(provider, one);
    const encrypted = provider.encrypt(SEED);
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: OTHER.name } }]);
    await serves(provider, two);
    expect(provider.encrypt(SEED).keyId).toBe(idOf(two));
    expect(await decrypt(provider, encrypted)).toEqual(SEED);
  });

  it("that is pointed back to a key that has not moved since keeps the one before: a key_id never returns", async () => {
    const secrets = newKey(SECRETS);
    const left = await rotate(secrets, 1);
    const other = await rotate(newKey(OTHER), 1);
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: SECRETS.name } }]);
    const provider = started({ alias: ALIAS });
    await serves(provider, left);
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: OTHER.name } }]);
    await serves(provider, other);
    // The writer refuses it, but an old keyring that was put in place bypasses the writer.
    writer.run("UPDATE aliases SET master_key = ?", SECRETS.name);
    await hasProblem(provider, "KeyringCorrupt");
    expect(provider.status()).toBe(idOf(other));
    await serves(provider, await rotate(secrets, 2));
  });

  it("that points to a key without a version keeps the one before", async () => {
    const one = await rotate(newKey(SECRETS), 1);
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: SECRETS.name } }]);
    const provider = started({ alias: ALIAS });
    await serves(provider, one);
    writer.apply([{ kind: "putAlias", alias: { ...ALIAS, masterKey: OTHER.name } }]);
    await hasProblem(provider, "NotFound");
    expect(provider.status()).toBe(idOf(one));
    expect(await decrypt(provider, provider.encrypt(SEED))).toEqual(SEED);
  });

  it("that is missing is named", async () => {
    const provider = started({ alias: ALIAS });
    await provider.follow();
    expect(() => provider.status()).toThrow("KeyAlias claviger-system/alias is not in the keyring");
  });
});

it("a key whose name passes to a new key is followed, and the old key's ciphertexts still open", async () => {
  const version = await rotate(newKey(SECRETS), 5);
  const provider = started();
  await serves(provider, version);
  const encrypted = provider.encrypt(SEED);
  const successor = newKey(SECRETS);
  await hasProblem(provider, "NotReady");
  expect(provider.status()).toBe(idOf(version));
  const first = await rotate(successor, 1);
  await serves(provider, first);
  expect(await decrypt(provider, encrypted)).toEqual(SEED);
});

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => "it did not fail",
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(Error);
  return inspect(error, { depth: null, showHidden: true });
}

/** Returns the forms in which bytes could be printed. */
function canaries(bytes: Uint8Array): string[] {
  const start = Buffer.from(bytes.subarray(0, 9));
  return [start.toString("hex"), start.toString("base64"), start.toString("latin1"), start.join(", ")];
}
