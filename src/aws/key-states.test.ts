import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newVersionId } from "../crypto/ids.ts";
import type { KeySpec, KeyUsage } from "../crypto/key-specs.ts";
import { encryptMessage } from "../crypto/message.ts";
import { Secret } from "../crypto/secret.ts";
import type { PutKey } from "../keyring/changes.ts";
import { AwsKeyring, NOW } from "../testing/aws-keyring.ts";
import { keyGrant } from "../testing/grants.ts";
import { keyAlias, masterKey } from "../testing/objects.ts";
import { AwsError } from "./aws-error.ts";
import type { ManagedObjects } from "./management/managed-objects.ts";
import { managementOperations } from "./management/management-table.ts";
import { encode } from "./model/encode.ts";
import { validate } from "./model/validate.ts";
import type { Operation } from "./operations/operation.ts";
import { operationOf } from "./operations/table.ts";

/**
 * AWS KMS's table of key states: the outcome of each operation with a key that is Enabled, Disabled,
 * PendingDeletion and PendingImport. Imported material that has expired is PendingImport too.
 */
const YES = "yes";
const DISABLED = "DisabledException";
const STATE = "KMSInvalidStateException";
const UNSUPPORTED = "UnsupportedOperationException";
type Outcome = typeof YES | typeof DISABLED | typeof STATE | typeof UNSUPPORTED;
type Row = readonly [enabled: Outcome, disabled: Outcome, pendingDeletion: Outcome, pendingImport: Outcome];

const CRYPTOGRAPHIC: Row = [YES, DISABLED, STATE, STATE];
const ANY: Row = [YES, YES, YES, YES];
const METADATA: Row = [YES, YES, STATE, YES];

const TABLE: Readonly<Record<string, Row>> = {
  CancelKeyDeletion: [STATE, STATE, YES, STATE],
  CreateAlias: METADATA,
  Decapsulate: CRYPTOGRAPHIC,
  Decrypt: CRYPTOGRAPHIC,
  DeleteAlias: ANY,
  DeriveSharedSecret: CRYPTOGRAPHIC,
  DescribeKey: ANY,
  DisableKey: [YES, YES, STATE, STATE],
  DisableKeyRotation: [YES, DISABLED, STATE, UNSUPPORTED],
  EnableKey: [YES, YES, STATE, STATE],
  EnableKeyRotation: [YES, DISABLED, STATE, UNSUPPORTED],
  Encapsulate: CRYPTOGRAPHIC,
  Encrypt: CRYPTOGRAPHIC,
  GenerateDataKey: CRYPTOGRAPHIC,
  GenerateDataKeyPair: CRYPTOGRAPHIC,
  GenerateDataKeyPairWithoutPlaintext: CRYPTOGRAPHIC,
  GenerateDataKeyWithoutPlaintext: CRYPTOGRAPHIC,
  GenerateMac: CRYPTOGRAPHIC,
  GetKeyLastUsage: ANY,
  GetKeyRotationStatus: ANY,
  GetPublicKey: CRYPTOGRAPHIC,
  ListAliases: ANY,
  ListKeyRotations: ANY,
  ListResourceTags: ANY,
  ReEncrypt: CRYPTOGRAPHIC,
  // AWS KMS rotates keys of origin EXTERNAL on demand; claviger rotates them when new material is imported.
  RotateKeyOnDemand: [YES, DISABLED, STATE, UNSUPPORTED],
  ScheduleKeyDeletion: METADATA,
  Sign: CRYPTOGRAPHIC,
  TagResource: METADATA,
  UntagResource: METADATA,
  UpdateAlias: METADATA,
  UpdateKeyDescription: METADATA,
  Verify: CRYPTOGRAPHIC,
  VerifyMac: CRYPTOGRAPHIC,
};

/** The kinds of keys; the name of each is its usage in AWS's names. */
const KINDS: Readonly<Record<KeyUsage, KeySpec>> = {
  ENCRYPT_DECRYPT: "SYMMETRIC_DEFAULT",
  GENERATE_VERIFY_MAC: "HMAC_256",
  SIGN_VERIFY: "ECC_NIST_P256",
  KEY_AGREEMENT: "ECC_NIST_P256",
  ENCAPSULATE_DECAPSULATE: "ML_KEM_512",
};
/** The kind of key that an operation is done with; ENCRYPT_DECRYPT if it is not here. */
const KIND_OF: Readonly<Record<string, KeyUsage>> = {
  Decapsulate: "ENCAPSULATE_DECAPSULATE",
  DeriveSharedSecret: "KEY_AGREEMENT",
  Encapsulate: "ENCAPSULATE_DECAPSULATE",
  GenerateMac: "GENERATE_VERIFY_MAC",
  GetPublicKey: "SIGN_VERIFY",
  Sign: "SIGN_VERIFY",
  Verify: "SIGN_VERIFY",
  VerifyMac: "GENERATE_VERIFY_MAC",
};
const kindOf = (operation: string): KeyUsage => KIND_OF[operation] ?? "ENCRYPT_DECRYPT";

const STATES = ["Enabled", "Disabled", "PendingDeletion", "PendingImport", "Expired"] as const;
type State = (typeof STATES)[number];
const DELETION = "2027-01-01T00:00:00Z";
const ROWS: Readonly<Record<State, Partial<PutKey>>> = {
  Enabled: {},
  Disabled: { enabled: false },
  PendingDeletion: { deletionDate: DELETION },
  PendingImport: {},
  Expired: {},
};
const isImported = (state: State): boolean => state === "PendingImport" || state === "Expired";

const nameOf = (kind: KeyUsage, state: State): string =>
  `${kind}-${state}`.toLowerCase().replaceAll("_", "-");
const found = new Map<string, PutKey>();
const keyOf = (kind: KeyUsage, state: State): PutKey => {
  const key = found.get(nameOf(kind, state));
  if (key === undefined) throw new Error(`no key ${nameOf(kind, state)}`);
  return key;
};
const arnOf = ({ keyId }: PutKey) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;

let keyring: AwsKeyring;
/** Ciphertexts of the symmetric keys, by state. */
const ciphertexts = new Map<State, Buffer>();

async function addKey(kind: KeyUsage, state: State): Promise<void> {
  const keySpec = KINDS[kind];
  const origin = isImported(state) ? "EXTERNAL" : "AWS_KMS";
  const key = keyring.addKey(nameOf(kind, state), ROWS[state]);
  found.set(nameOf(kind, state), key);
  keyring.describe(key, { origin, keySpec, keyUsage: kind });
  keyring.alias(key.name, key.name);
  const version = {
    keySpec,
    keyUsage: kind,
    origin,
    ...(state === "Expired" && { validTo: NOW - 1 }),
  } as const;
  const row = state === "PendingImport" ? undefined : await keyring.addVersion(key, version);
  if (kind !== "ENCRYPT_DECRYPT") return;
  const scope = {
    keyId: key.keyId,
    versionId: row?.versionId ?? newVersionId(),
    material: row === undefined ? Secret.random(32) : await keyring.keys.material(row),
  };
  ciphertexts.set(
    state,
    encryptMessage({ ...scope, purpose: "aws-kms", context: {} }, Buffer.from("secret")),
  );
}

beforeAll(async () => {
  keyring = new AwsKeyring();
  for (const kind of Object.keys(KINDS) as KeyUsage[]) for (const state of STATES) await addKey(kind, state);
  const other = await keyring.add("another");
  found.set("another", other);
  keyring.alias("moved", "another");
  keyring.start();
});
afterAll(() => keyring.close());

/** Thrown by the first write to a custom resource: everything was checked, and nothing changes. */
class Allowed extends Error {}
const reached = async (): Promise<never> => {
  throw new Allowed();
};

/** MasterKeys that say what the keyring says. */
const objects: ManagedObjects = {
  standalone: true,
  read: async (kind, { namespace, name }) => {
    const objectsOf = {
      MasterKey: () => masterKeyNamed(namespace, name),
      KeyAlias: () => keyAlias({ spec: { masterKey: name === "moved" ? "another" : name } }),
      KeyGrant: () => keyGrant(),
    };
    return objectsOf[kind]() as never;
  },
  create: reached,
  change: reached,
  remove: reached,
};

function masterKeyNamed(namespace: string, name: string) {
  const key = found.get(name);
  const state = STATES.find((one) => name.endsWith(`-${one.toLowerCase()}`)) ?? "Enabled";
  return masterKey({
    metadata: { namespace, name },
    spec: {
      enabled: state !== "Disabled",
      origin: isImported(state) ? "EXTERNAL" : "AWS_KMS",
      ...(state === "PendingDeletion" && { deletion: { pendingWindowInDays: 30 } }),
    },
    status: { keyId: String(key?.keyId), keyState: state === "Expired" ? "PendingImport" : state },
  });
}

const PEER = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
  format: "der",
  type: "spki",
});

/** Returns an input that would succeed with an Enabled key. */
async function inputOf(operation: string, key: PutKey, state: State): Promise<object> {
  const KeyId = key.keyId;
  const Message = Buffer.from("attack at dawn");
  const mac = { KeyId, Message, MacAlgorithm: "HMAC_SHA_256" };
  const signing = { KeyId, Message, SigningAlgorithm: "ECDSA_SHA_256" };
  const kem = { KeyId, EncapsulationAlgorithm: "ML_KEM" };
  /** Only an Enabled key makes what is then verified. */
  const made = async (name: string, member: string, input: object): Promise<unknown> => {
    const output = state === "Enabled" ? await keyring.run(named(name), input) : {};
    return Object.entries(output).find(([one]) => one === member)?.[1] ?? Buffer.alloc(32);
  };
  const inputs: Readonly<Record<string, () => object | Promise<object>>> = {
    CreateAlias: () => ({ AliasName: "alias/new", TargetKeyId: KeyId }),
    Decapsulate: async () => ({
      ...kem,
      SharedSecretCiphertextBlob: await made("Encapsulate", "SharedSecretCiphertextBlob", kem),
    }),
    Decrypt: () => ({ CiphertextBlob: ciphertexts.get(state) }),
    DeleteAlias: () => ({ AliasName: `alias/${key.name}` }),
    DeriveSharedSecret: () => ({ KeyId, KeyAgreementAlgorithm: "ECDH", PublicKey: PEER }),
    Encapsulate: () => kem,
    Encrypt: () => ({ KeyId, Plaintext: Message }),
    GenerateDataKey: () => ({ KeyId, KeySpec: "AES_256" }),
    GenerateDataKeyPair: () => ({ KeyId, KeyPairSpec: "ECC_NIST_P256" }),
    GenerateDataKeyPairWithoutPlaintext: () => ({ KeyId, KeyPairSpec: "ECC_NIST_P256" }),
    GenerateDataKeyWithoutPlaintext: () => ({ KeyId, KeySpec: "AES_256" }),
    GenerateMac: () => mac,
    ReEncrypt: () => ({
      CiphertextBlob: ciphertexts.get(state),
      DestinationKeyId: found.get("another")?.keyId,
    }),
    Sign: () => signing,
    TagResource: () => ({ KeyId, Tags: [{ TagKey: "a", TagValue: "b" }] }),
    UntagResource: () => ({ KeyId, TagKeys: ["a"] }),
    UpdateAlias: () => ({ AliasName: "alias/moved", TargetKeyId: KeyId }),
    UpdateKeyDescription: () => ({ KeyId, Description: "new" }),
    Verify: async () => ({ ...signing, Signature: await made("Sign", "Signature", signing) }),
    VerifyMac: async () => ({ ...mac, Mac: await made("GenerateMac", "Mac", mac) }),
  };
  return (await inputs[operation]?.()) ?? (operation === "ListAliases" ? {} : { KeyId });
}

const managed = managementOperations(objects);
const implementationOf = (name: string): Operation<object, object> | undefined =>
  operationOf(name) ?? managed.get(name);
function named(name: string): Operation<object, object> {
  const operation = implementationOf(name);
  if (operation === undefined) throw new Error(`no operation ${name}`);
  return operation;
}

/** Returns an input as the operation gets it: in JSON, and validated by the service model. */
function sent(operation: string, input: object): object {
  const members = Object.entries(input).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  ]);
  return validate(operation, Buffer.from(JSON.stringify(Object.fromEntries(members))));
}

interface Result {
  readonly outcome: string;
  readonly message?: string;
}

async function resultOf(operation: string, key: PutKey, state: State): Promise<Result> {
  try {
    const input = sent(operation, await inputOf(operation, key, state));
    expect(encode(operation, await keyring.run(named(operation), input))).toMatch(/^\{.*\}$/);
    return { outcome: YES };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return error.cause instanceof Allowed
      ? { outcome: YES }
      : { outcome: error.type, message: error.message };
  }
}

/** The texts on which tools match, by the state: Terraform on "is pending deletion". */
const TEXTS: Readonly<Record<State, string>> = {
  Enabled: "is not pending deletion.",
  Disabled: "is disabled.",
  PendingDeletion: "is pending deletion.",
  PendingImport: "is pending import.",
  Expired: "is pending import.",
};
const expectedOf = (row: Row, state: State): Outcome => row[Math.min(STATES.indexOf(state), 3)] ?? YES;

const SERVED = Object.keys(TABLE);
const WITHOUT_STATES = new Set(["ListAliases"]);
const cells = SERVED.filter((name) => !WITHOUT_STATES.has(name)).flatMap((operation) =>
  STATES.map((state) => ({ operation, state, expected: expectedOf(TABLE[operation] ?? ANY, state) })),
);

describe("AWS KMS's table of key states", () => {
  it.each(cells)("$operation, $state => $expected", async ({ operation, state, expected }) => {
    const key = keyOf(kindOf(operation), state);
    const { outcome, message } = await resultOf(operation, key, state);
    expect(outcome).toBe(expected);
    if (outcome === DISABLED || (outcome === STATE && operation !== "CancelKeyDeletion"))
      expect(message).toBe(`${arnOf(key)} ${TEXTS[state]}`);
    if (outcome === STATE && operation === "CancelKeyDeletion")
      expect(message).toBe(`${arnOf(key)} is not pending deletion.`);
  });

  it.each(STATES)("ReEncrypt to a key that is %s => as with any cryptographic operation", async (state) => {
    const DestinationKeyId = keyOf("ENCRYPT_DECRYPT", state).keyId;
    const input = { CiphertextBlob: ciphertexts.get("Enabled"), DestinationKeyId };
    const run = keyring.run(named("ReEncrypt"), input);
    const expected = expectedOf(CRYPTOGRAPHIC, state);
    if (expected === YES) await run;
    else await expect(run).rejects.toMatchObject({ type: expected });
  });

  it("a dry run of a cryptographic operation finds the state too", async () => {
    const operations = SERVED.filter((name) => TABLE[name] === CRYPTOGRAPHIC);
    for (const operation of operations) {
      const key = keyOf(kindOf(operation), "Disabled");
      const input = { ...(await inputOf(operation, key, "Disabled")), DryRun: true };
      await expect(keyring.run(named(operation), input)).rejects.toMatchObject({ type: DISABLED });
    }
  });

  const wrong = SERVED.filter((name) => TABLE[name] === CRYPTOGRAPHIC && name !== "GetPublicKey").map(
    (operation) => ({
      operation,
      kind:
        kindOf(operation) === "GENERATE_VERIFY_MAC"
          ? ("SIGN_VERIFY" as const)
          : ("GENERATE_VERIFY_MAC" as const),
    }),
  );
  it.each(wrong)(
    "$operation with a key for $kind => InvalidKeyUsageException",
    async ({ operation, kind }) => {
      const { keyId } = keyOf(kind, "Enabled");
      const input = await inputOf(operation, keyOf(kindOf(operation), "Enabled"), "Enabled");
      const keyMember = operation === "ReEncrypt" ? "DestinationKeyId" : "KeyId";
      await expect(keyring.run(named(operation), { ...input, [keyMember]: keyId })).rejects.toMatchObject({
        type: "InvalidKeyUsageException",
      });
    },
  );
});
