import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  generateWrappingKeyPair,
  type WrappingAlgorithm,
  wrapMaterial,
} from "../../crypto/import-wrapping.ts";
import type { KeySpec } from "../../crypto/key-specs.ts";
import { ClavigerError } from "../../errors.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { type Binding, toVersionRow } from "../../resources/key-version-rows.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { ImportSpec } from "../../resources/schemas/import.ts";
import type { MasterKeySpec } from "../../resources/schemas/master-key.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { materialFor } from "../../testing/materials.ts";
import {
  currentVersion,
  EARLIER,
  keyId,
  keyVersion,
  masterKey,
  NOW,
  node,
  unserved,
} from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { KeyPairs } from "../key-pairs.ts";
import { assembleStatus } from "../master-key/assemble-status.ts";
import { decideMasterKey } from "../master-key/decide-master-key.ts";
import type { Room } from "../master-key/namespace-room.ts";
import type { ObservedImport } from "./decide-import.ts";
import type { KeyUsers } from "./decide-material-deletion.ts";
import { MaterialImporter } from "./material-importer.ts";

/**
 * Simulates the leader's passes over one EXTERNAL key, with real keys, tokens and seals; the API server is
 * two variables. The wrapping keys are RSA-3072, because RSA-4096 takes too long for a test.
 */
const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const MATERIAL = randomBytes(32);
const OTHER = randomBytes(32);

let folder: string;
let seals: SealSource;
let key: MasterKey;
let versions: KeyVersion[];
let now: Date;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-import-"));
  createRootKey(join(folder, "root.key"));
  createRootKey(join(folder, "other.key"));
  seals = sealsIn(join(folder, "root.key"));
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  now = NOW;
  versions = [];
  key = masterKey({ spec: { origin: "EXTERNAL" }, status: { keyId: keyId(1) } });
  write({ wrappingKeySpec: "RSA_3072" });
});

/** Writes spec.import as a user does. Fields that are left out get the schema's default. */
function write(given: Partial<ImportSpec> | undefined, spec: Partial<MasterKeySpec> = {}): void {
  const { import: _, ...rest } = key.spec;
  const wanted = { wrappingKeySpec: "RSA_3072", expirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" } as const;
  key = {
    ...key,
    metadata: { ...key.metadata, generation: key.metadata.generation + 1 },
    spec: { ...rest, ...spec, ...(given && { import: { ...wanted, ...given } }) },
  };
}

const store = {
  createKeyVersion: async (name: string, spec: KeyVersion["spec"]) => {
    if (versions.some(({ metadata }) => metadata.name === name)) throw new ClavigerError("Conflict", name);
    versions = [...versions, keyVersion(spec.number, { spec })];
  },
  setBinding: async (version: KeyVersion, binding: Binding) => {
    const { validTo: _, ownership: __, ...spec } = version.spec;
    versions = versions.map((other) =>
      other === version ? { ...version, spec: { ...spec, ...binding } } : other,
    );
  },
};

const UNUSED: KeyUsers = {
  uses: [],
  unsettled: [],
  nodes: [node("node-1", [])],
  count: { kind: "counted", stored: () => 0 },
};
const users = () => UNUSED;

/** Makes the importer's step, and makes it again when the key pair that it requested is ready. */
async function complete(observed: ObservedImport) {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const pairs = new KeyPairs({
    what: "wrapping key pair",
    generate: generateWrappingKeyPair,
    onReady: () => resolve(),
    log: () => undefined,
  });
  let asked = false;
  const take: (typeof pairs)["take"] = (name, spec) => {
    const pair = pairs.take(name, spec);
    asked = pair === undefined;
    return pair;
  };
  const importer = new MaterialImporter({ store, seals, keyPairs: { take } });
  const part = await importer.advance(observed, now);
  if (!asked) return assembleStatus(observed.masterKey, [observed.plan, part], now);
  await ready;
  return assembleStatus(observed.masterKey, [observed.plan, await importer.advance(observed, now)], now);
}

/** Makes one pass of the leader. `crash`: the leader dies before it writes the status. */
async function pass(
  options: {
    readonly crash?: boolean;
    readonly nodeHasVersions?: boolean;
    readonly room?: Room;
    readonly unsettled?: boolean;
    /** The users of the key, read past the cache. */
    readonly freshUsers?: () => Promise<KeyUsers>;
  } = {},
) {
  const has = options.nodeHasVersions === false ? [] : versions.map(({ spec }) => spec.versionId);
  const nodes = [node("node-1", has, { rootKeyId: seals.get().rootKeyId })];
  const plan = decideMasterKey(
    { masterKey: key, versions, nodes, ...unserved, freshKeyId: keyId(7), arnPrefix: "" },
    now,
  );
  const { room = {}, unsettled = false, freshUsers = async () => UNUSED } = options;
  const facts = { masterKey: key, plan, versions, nodes, room, unsettled, users, freshUsers };
  const status = await complete(facts);
  if (!options.crash) key = { ...key, status };
}

const condition = (type: string) => {
  const found = conditionOf(key.status?.conditions, type);
  return found && `${found.status} ${found.reason}`;
};

/** Makes an offer as `claviger import` does, from the data in status.import. */
function offer(
  material: Buffer = MATERIAL,
  changes: Partial<ImportSpec> = {},
  algorithm: WrappingAlgorithm = "RSAES_OAEP_SHA_256",
): Partial<ImportSpec> {
  const { publicKey, importToken } = key.status?.import ?? {};
  if (publicKey === undefined || importToken === undefined) throw new Error("there are no parameters");
  const wrappedMaterial = wrapMaterial(publicKey, algorithm, material).toString("base64");
  return { wrappedMaterial, importToken, wrappingAlgorithm: algorithm, ...changes };
}

const until = (days: number): Partial<ImportSpec> => ({
  expirationModel: "KEY_MATERIAL_EXPIRES",
  validTo: new Date(now.getTime() + days * DAY).toISOString(),
});

/** Imports this material, so that it is current. */
async function imported(material = MATERIAL, changes: Partial<ImportSpec> = {}): Promise<void> {
  await pass();
  write(offer(material, changes));
  await pass();
  await pass();
  expect(key.status?.currentVersion?.number).toBe(1);
  write(undefined);
}

/** Does the same after a request for a new public key. */
async function requested(token = "again"): Promise<void> {
  write({ requestToken: token });
  await pass();
}

async function unsealed(n: number): Promise<Buffer> {
  const version = versions.find(({ spec }) => spec.number === n);
  if (version === undefined) throw new Error(`there is no version ${n}`);
  const row = toVersionRow(version);
  return Buffer.from((await seals.unseal(row, row.sealed)).exposeSecretBytes());
}

describe("a key that waits for its material", () => {
  test("is PendingImport, publishes public key and token, and no version is made", async () => {
    await pass();
    expect(key.status?.keyState).toBe("PendingImport");
    expect(condition("Ready")).toBe("False PendingImport");
    expect(condition("Imported")).toBe("False PendingImport");
    expect(key.status?.import?.publicKey).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(key.status?.import?.validTo).toBe("2026-01-03T03:04:05Z");
    expect(versions).toEqual([]);
  });

  test("keeps public key and token for 12 hours, then has new ones, and the old token is good for its 24", async () => {
    await pass();
    const old = offer();
    const first = key.status?.import?.publicKey;
    now = new Date(NOW.getTime() + 11 * HOUR);
    await pass();
    expect(key.status?.import?.publicKey).toBe(first);
    now = new Date(NOW.getTime() + 13 * HOUR);
    await pass();
    expect(key.status?.import?.publicKey).not.toBe(first);
    now = new Date(NOW.getTime() + 23 * HOUR);
    write(old);
    await pass();
    expect(condition("Imported")).toBe("True Imported");
  });

  test.each([
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
  ] as const)(
    "takes material that was wrapped by %s; it becomes version 1 by the usual two phases",
    async (algorithm) => {
      await pass();
      write(offer(MATERIAL, {}, algorithm));
      await pass();
      expect(condition("Imported")).toBe("True Imported");
      expect(versions.map(({ spec }) => [spec.number, spec.origin])).toEqual([[1, "EXTERNAL"]]);
      expect(await unsealed(1)).toEqual(MATERIAL);
      await pass({ nodeHasVersions: false });
      expect(condition("Distributed")).toBe("False WaitingForNodes");
      await pass();
      expect(key.status?.currentVersion).toEqual(
        expect.objectContaining({
          ...currentVersion(versions[0] ?? keyVersion(9)),
          promotedAt: expect.any(String),
        }),
      );
      expect(key.status?.keyState).toBe("Enabled");
      expect(key.status?.import?.publicKey).toBeUndefined();
    },
  );

  test("takes an import once: applied again, or after the leader died before it said so, it changes nothing", async () => {
    await pass();
    const once = offer();
    write(once);
    await pass({ crash: true });
    await pass();
    await pass();
    expect(condition("Imported")).toBe("True Imported");
    const before = { versions, import: key.status?.import };
    write(undefined);
    await pass();
    write(once);
    now = new Date(NOW.getTime() + 2 * DAY);
    await pass();
    expect({ versions, import: key.status?.import }).toEqual(before);
    expect(condition("Imported")).toBe("True Imported");
  });

  test("says for each generation of the spec that it has seen it, so that a waiting program can go on", async () => {
    await imported();
    await pass();
    const { generation } = key.metadata;
    expect(conditionOf(key.status?.conditions, "Imported")?.observedGeneration).toBe(generation);
  });

  test("shows neither material nor private key in its status", async () => {
    await imported();
    const text = JSON.stringify([key.status, versions]);
    for (const form of ["hex", "base64", "base64url"] as const) {
      expect(text).not.toContain(MATERIAL.toString(form).replace(/=+$/, ""));
    }
    expect(text).not.toContain("PRIVATE KEY");
  });
});

const altered = (text: string, at: number): string => {
  const bytes = Buffer.from(text, "base64");
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes.toString("base64");
};

describe("a private key", () => {
  const AES = "RSA_AES_KEY_WRAP_SHA_256";
  const bytesFor = async (spec: KeySpec) => Buffer.from((await materialFor(spec)).exposeSecretBytes());

  test.each([
    ["RSA_4096", "SIGN_VERIFY"],
    ["RSA_2048", "ENCRYPT_DECRYPT"],
    ["ECC_NIST_P521", "KEY_AGREEMENT"],
    ["ML_KEM_1024", "ENCAPSULATE_DECAPSULATE"],
  ] as const)("of spec %s is imported for %s, wrapped by way of an AES key", async (keySpec, keyUsage) => {
    write({ wrappingKeySpec: "RSA_3072" }, { keySpec, keyUsage });
    await pass();
    const material = await bytesFor(keySpec);
    write(offer(material, {}, AES));
    await pass();
    await pass();
    expect(condition("Imported")).toBe("True Imported");
    expect(await unsealed(1)).toEqual(material);
  });

  test("of another spec, or bytes that are none => refused, naming what is needed", async () => {
    write({ wrappingKeySpec: "RSA_3072" }, { keySpec: "ECC_NIST_P256", keyUsage: "SIGN_VERIFY" });
    await pass();
    for (const material of [await bytesFor("ECC_NIST_P384"), randomBytes(138)]) {
      write(offer(material, {}, AES));
      await pass();
      expect(condition("Imported")).toBe("False InvalidCiphertext");
      expect(conditionOf(key.status?.conditions, "Imported")?.message).toMatch(
        /wrappedMaterial is not a private key of spec ECC_NIST_P256 \(PKCS #8, DER\) wrapped by RSA_AES/,
      );
    }
    expect(versions).toEqual([]);
  });

  test("is too long for RSA alone => the command says which algorithm to use", async () => {
    write({ wrappingKeySpec: "RSA_3072" }, { keySpec: "RSA_2048", keyUsage: "SIGN_VERIFY" });
    await pass();
    const material = await bytesFor("RSA_2048");
    expect(() => offer(material)).toThrow(
      /^the material has 12\d\d bytes and RSAES_OAEP_SHA_256 wraps at most 318: use RSA_AES_KEY_WRAP_SHA_256$/,
    );
  });
});

describe("an import that cannot be", () => {
  /** A change to a valid first import, and the expected reason. */
  const rows: readonly (readonly [string, (good: Partial<ImportSpec>) => Partial<ImportSpec>, string])[] = [
    [
      "an altered blob",
      (good) => ({ ...good, wrappedMaterial: altered(good.wrappedMaterial ?? "", 9) }),
      "InvalidCiphertext",
    ],
    [
      "another algorithm",
      (good) => ({ ...good, wrappingAlgorithm: "RSAES_OAEP_SHA_1" }),
      "InvalidCiphertext",
    ],
    ["31 bytes of material", () => offer(randomBytes(31)), "InvalidCiphertext"],
    [
      "an altered token",
      (good) => ({ ...good, importToken: altered(good.importToken ?? "", 90) }),
      "InvalidImportToken",
    ],
    [
      "a token whose end was moved",
      (good) => ({ ...good, importToken: altered(good.importToken ?? "", 7) }),
      "InvalidImportToken",
    ],
    ["a token that is none", (good) => ({ ...good, importToken: "AAAA" }), "InvalidImportToken"],
    ["a validTo that is past", (good) => ({ ...good, ...until(-1) }), "InvalidValidTo"],
    ["a validTo in more than 365 days", (good) => ({ ...good, ...until(365.1) }), "InvalidValidTo"],
    [
      "existing material for a key without any",
      (good) => ({ ...good, importType: "EXISTING_KEY_MATERIAL" }),
      "InvalidImportType",
    ],
  ];

  test.each(rows)("%s => a reason, no version, and the key waits on", async (_, change, reason) => {
    await pass();
    write(change(offer()));
    await pass();
    expect(condition("Imported")).toBe(`False ${reason}`);
    expect(versions).toEqual([]);
    expect(key.status?.keyState).toBe("PendingImport");
    expect(key.status?.import?.publicKey).toBeDefined();
  });

  test("an expired token => a reason, and the next public key is there already", async () => {
    await pass();
    const late = offer();
    now = new Date(NOW.getTime() + 25 * HOUR);
    write(late);
    await pass();
    await pass();
    expect(condition("Imported")).toBe("False ExpiredImportToken");
    write(offer());
    await pass();
    expect(condition("Imported")).toBe("True Imported");
  });

  test("a token of another key => refused", async () => {
    await pass();
    const good = offer();
    key = masterKey({ spec: { origin: "EXTERNAL" }, status: { keyId: keyId(2) } });
    write(good);
    await pass();
    expect(condition("Imported")).toBe("False InvalidImportToken");
  });

  test("a token from under another root key => refused, and one that opens is made", async () => {
    await pass();
    const mine = seals;
    seals = sealsIn(join(folder, "other.key"));
    write(offer());
    await pass();
    expect(condition("Imported")).toBe("False InvalidImportToken");
    await pass();
    write(offer());
    await pass();
    expect(condition("Imported")).toBe("True Imported");
    seals = mine;
  });

  test("into a key that adopted versions made by claviger => refused: nobody brings a key of theirs there", async () => {
    await pass();
    write(offer());
    versions = [keyVersion(1)];
    key = { ...key, status: { ...key.status, currentVersion: currentVersion(keyVersion(1)) } };
    await pass();
    expect(condition("Imported")).toBe("False OriginDiffers");
    expect(versions).toHaveLength(1);
  });

  test("while nodes have different root keys => it waits, and is taken when they agree", async () => {
    await pass();
    write(offer());
    const odd = node("node-2", [], { rootKeyId: "another" });
    const nodes = [node("node-1", [], { rootKeyId: "one" }), odd];
    const plan = decideMasterKey(
      { masterKey: key, versions, nodes, ...unserved, freshKeyId: keyId(7), arnPrefix: "" },
      now,
    );
    const facts = { masterKey: key, plan, versions, nodes, room: {}, users, freshUsers: async () => UNUSED };
    key = { ...key, status: await complete(facts) };
    expect(condition("Imported")).toBe("False RootKeysDiffer");
    await pass();
    expect(condition("Imported")).toBe("True Imported");
  });
});

test("a re-import while the one before has not reached the leader's keyring => waits for it, and takes the revision after it", async () => {
  await imported();
  await requested("again");
  write(offer(MATERIAL, until(100)));
  await pass({ unsettled: true });
  expect(versions[0]?.spec.ownership?.revision).toBe(1);
  await pass();
  expect(versions[0]?.spec.ownership?.revision).toBe(2);
});

describe("a key that has material", () => {
  test("publishes no public key unless it is asked, and once per request", async () => {
    await imported();
    await pass();
    expect(key.status?.import?.publicKey).toBeUndefined();
    await requested("one");
    const first = key.status?.import?.publicKey;
    expect(key.status?.import?.requestToken).toBe("one");
    await pass();
    expect(key.status?.import?.publicKey).toBe(first);
    await requested("two");
    expect(key.status?.import?.publicKey).not.toBe(first);
  });

  test("refuses other material, names the way to rotate to it, and changes nothing", async () => {
    await imported();
    await requested();
    const before = versions;
    write(offer(OTHER, { requestToken: "again" }));
    await pass();
    expect(condition("Imported")).toBe("False IncorrectKeyMaterial");
    expect(conditionOf(key.status?.conditions, "Imported")?.message).toMatch(
      /set spec\.import\.importType to NEW_KEY_MATERIAL \(claviger import --new\) to rotate to it$/,
    );
    expect(versions).toEqual(before);
    expect(condition("Ready")).toBe("True VersionCurrent");
  });

  test("takes the same material again and changes nothing", async () => {
    await imported();
    await requested();
    const before = versions;
    write(offer(MATERIAL, { requestToken: "again" }));
    await pass();
    expect(condition("Imported")).toBe("True Imported");
    expect(versions).toEqual(before);
    expect(key.status?.import?.publicKey).toBeUndefined();
  });

  test("rotates to new material where that is said, and refuses to rotate back", async () => {
    await imported();
    await requested();
    write(offer(OTHER, { importType: "NEW_KEY_MATERIAL", requestToken: "again" }));
    await pass();
    expect(key.status?.currentVersion?.number).toBe(1);
    await pass();
    expect(key.status?.currentVersion?.number).toBe(2);
    expect(await unsealed(2)).toEqual(OTHER);
    await requested("back");
    write(offer(MATERIAL, { importType: "NEW_KEY_MATERIAL", requestToken: "back" }));
    await pass();
    expect(condition("Imported")).toBe("False IncorrectKeyMaterial");
    expect(versions).toHaveLength(2);
  });

  test("takes up new material where the last expired before every node had it", async () => {
    await imported();
    await requested();
    write(offer(OTHER, { ...until(1), importType: "NEW_KEY_MATERIAL", requestToken: "again" }));
    await pass();
    await pass({ nodeHasVersions: false });
    now = new Date(now.getTime() + 2 * DAY);
    await requested("more");
    expect(condition("Distributed")).toBe("False MaterialExpired");
    const third = randomBytes(32);
    write(offer(third, { importType: "NEW_KEY_MATERIAL", requestToken: "more" }));
    await pass();
    expect(condition("Imported")).toBe("True Imported");
    await pass();
    expect(key.status?.currentVersion?.number).toBe(3);
    expect(await unsealed(3)).toEqual(third);
  });

  test("waits with new material while the last is not on every node", async () => {
    await imported();
    await requested();
    write(offer(OTHER, { importType: "NEW_KEY_MATERIAL", requestToken: "again" }));
    await pass();
    write({ requestToken: "more" });
    await pass({ nodeHasVersions: false });
    write(offer(randomBytes(32), { importType: "NEW_KEY_MATERIAL", requestToken: "more" }));
    await pass({ nodeHasVersions: false });
    expect(condition("Imported")).toBe("False RotationInProgress");
    expect(versions).toHaveLength(2);
    await pass();
    await pass();
    expect(condition("Imported")).toBe("True Imported");
    expect(versions).toHaveLength(3);
  });

  test("an HMAC key does not rotate to new material", async () => {
    write({ wrappingKeySpec: "RSA_3072" }, { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" });
    await imported();
    await requested();
    write(offer(OTHER, { importType: "NEW_KEY_MATERIAL", requestToken: "again" }));
    await pass();
    expect(condition("Imported")).toBe("False InvalidImportType");
  });
});

describe("material that expires", () => {
  test("is warned of, expires, and is usable again when the same material is imported", async () => {
    await imported(MATERIAL, until(100));
    await pass();
    expect(condition("MaterialExpiring")).toBe("False NotSoon");
    now = new Date(NOW.getTime() + 80 * DAY);
    await pass();
    expect(condition("MaterialExpiring")).toBe("True MaterialExpiresSoon");
    expect(condition("Ready")).toBe("True VersionCurrent");
    now = new Date(NOW.getTime() + 101 * DAY);
    await pass();
    expect(condition("MaterialExpiring")).toBe("True MaterialExpired");
    expect(condition("Ready")).toBe("False MaterialExpired");
    expect(key.status?.keyState).toBe("PendingImport");
    const sealed = versions[0]?.spec.seal;
    write(offer(MATERIAL, until(200)));
    await pass();
    await pass();
    expect(condition("Ready")).toBe("True VersionCurrent");
    expect(condition("MaterialExpiring")).toBe("False NotSoon");
    expect(key.status?.keyState).toBe("Enabled");
    expect(versions).toHaveLength(1);
    expect(versions[0]?.spec.seal).toEqual(sealed);
  });

  test("that is imported again for ever leaves no warning behind", async () => {
    await imported(MATERIAL, until(10));
    await pass();
    expect(condition("MaterialExpiring")).toBe("True MaterialExpiresSoon");
    await requested();
    write(offer(MATERIAL, { requestToken: "again" }));
    await pass();
    await pass();
    expect(condition("MaterialExpiring")).toBe("False DoesNotExpire");
    expect(versions[0]?.spec.validTo).toBeUndefined();
  });

  test("writes the same status at every pass in which nothing changed", async () => {
    await imported(MATERIAL, until(10));
    for (const days of [1, 11]) {
      now = new Date(NOW.getTime() + days * DAY);
      await pass();
      await pass();
      const before = key.status;
      now = new Date(now.getTime() + HOUR);
      await pass();
      expect(key.status).toEqual(before);
    }
  });
});

test("material that was deleted is refused by every clock, stays deleted, and only the same brings the key back", async () => {
  await imported();
  const { seal, materialId, ownership } = versions[0]?.spec ?? {};
  write({ requestToken: "delete", deleteMaterialId: materialId ?? "" });
  await pass({ crash: true });
  const deleted = versions;
  now = new Date(Date.parse(EARLIER) + HOUR);
  await pass();
  expect(versions).toEqual(deleted);
  now = NOW;
  expect(condition("Imported")).toBe("False MaterialDeleted");
  expect(key.status?.import?.processed).toMatchObject({ requestToken: "delete", number: 1, materialId });
  expect(versions[0]?.spec).toMatchObject({ seal, validTo: EARLIER });
  expect(versions[0]?.spec.ownership).not.toEqual(ownership);
  write(undefined);
  await pass();
  expect(key.status?.keyState).toBe("PendingImport");
  expect(condition("Ready")).toBe("False MaterialExpired");
  expect(conditionOf(key.status?.conditions, "MaterialExpiring")?.message).toMatch(
    /^expired: version 1 \(deleted\);/,
  );
  write(offer(Buffer.alloc(32, 9)));
  await pass();
  expect(condition("Imported")).toBe("False IncorrectKeyMaterial");
  write(offer());
  await pass();
  await pass();
  expect(key.status?.keyState).toBe("Enabled");
  expect(versions[0]?.spec.validTo).toBeUndefined();
});

test("material is not deleted if an API server has begun to use the key, which only a look past the cache shows", async () => {
  await imported();
  const before = versions;
  write({ requestToken: "delete", deleteMaterialId: versions[0]?.spec.materialId ?? "" });
  const user = { reason: "ProviderUsesKey", text: "provider p of node two" } as const;
  await pass({ freshUsers: async () => ({ ...UNUSED, uses: [user] }) });
  expect(condition("Imported")).toBe("False InUse");
  expect(versions).toEqual(before);
});

test("a deletion of material that was withdrawn meanwhile => nothing is deleted", async () => {
  await imported();
  const before = versions;
  write({ requestToken: "delete", deleteMaterialId: versions[0]?.spec.materialId ?? "" });
  const freshUsers = () => Promise.reject(new ClavigerError("Conflict", "changed meanwhile"));
  await expect(pass({ freshUsers })).rejects.toThrow("changed meanwhile");
  expect(versions).toEqual(before);
});
