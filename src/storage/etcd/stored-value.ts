import { asBytes, asText, MalformedMessage, readFields } from "../../protobuf.ts";
import type { EncryptionConfig } from "../encryption-config/encryption-config.ts";

/**
 * The way in which a value in etcd is stored, according to its first bytes. Nothing of its contents is kept.
 */
export type StoredValue =
  /** Stored by identity, not encrypted. */
  | { readonly kind: "plain" }
  | { readonly kind: "kms-v2"; readonly provider: string; readonly keyId: string }
  | { readonly kind: "kms-v1"; readonly provider: string }
  /** A provider whose keys are in the EncryptionConfiguration. */
  | { readonly kind: "aescbc" | "aesgcm" | "secretbox"; readonly keyName: string }
  /**
   * Begins as an encrypted value, but no API server could read it. `provider` is the provider that it names,
   * if any.
   */
  | { readonly kind: "damaged"; readonly provider?: string };

const ENCRYPTED = Buffer.from("k8s:enc:");
const KMS_V2 = Buffer.from("k8s:enc:kms:v2:");
const KMS_V1 = Buffer.from("k8s:enc:kms:v1:");
const KEY_KINDS = (["aescbc", "aesgcm", "secretbox"] as const).map((kind) => ({
  kind,
  prefix: Buffer.from(`k8s:enc:${kind}:v1:`),
}));

/** Longer than the name of a provider or key in any real file. */
const MAX_NAME_BYTES = 1_024;
/** The API server's own bounds: ValidateEncryptedObject of its envelope/kmsv2. */
const MAX_KEY_ID_BYTES = 1_024;
const MAX_DEK_SOURCE_BYTES = 1_024;
const LAST_DEK_SOURCE_TYPE = 1;

/** A name that occurs in values of etcd, and its bytes there. */
interface StoredName {
  readonly name: string;
  readonly prefix: Buffer;
}

/** The names with a colon in an EncryptionConfiguration, by kind, the longest first. */
export type StoredNames = ReadonlyMap<StoredValue["kind"], readonly StoredName[]>;

const NO_NAMES: StoredNames = new Map();

/**
 * Returns the names that do not end at a value's first colon: k3s and RKE2 name keys by the time of day, and
 * a KMS v1 provider may be called `aws:kms`.
 */
export function storedNames({ rules }: EncryptionConfig): StoredNames {
  const names = new Map<StoredValue["kind"], StoredName[]>();
  for (const provider of rules.flatMap(({ providers }) => providers)) {
    if (provider.kind === "identity") continue;
    const kind = provider.kind === "kms" ? (`kms-${provider.apiVersion}` as const) : provider.kind;
    const more = (provider.kind === "kms" ? [provider.name] : provider.keyNames)
      .filter((name) => name.includes(":"))
      .map((name) => ({ name, prefix: Buffer.from(`${name}:`) }));
    names.set(kind, [...(names.get(kind) ?? []), ...more]);
  }
  for (const known of names.values()) known.sort((a, b) => b.prefix.length - a.prefix.length);
  return names;
}

/**
 * Reads how a value of etcd is stored. Total: any bytes give an answer. A name in `names` is matched whole;
 * any other name ends at its first colon.
 */
export function storedValue(value: Buffer, names: StoredNames = NO_NAMES): StoredValue {
  if (!startsWith(value, ENCRYPTED)) return { kind: "plain" };
  if (startsWith(value, KMS_V2)) return kmsV2(value.subarray(KMS_V2.length));
  if (startsWith(value, KMS_V1)) {
    const provider = nameOf(value.subarray(KMS_V1.length), names.get("kms-v1"));
    return provider === undefined ? { kind: "damaged" } : { kind: "kms-v1", provider };
  }
  const found = KEY_KINDS.find(({ prefix }) => startsWith(value, prefix));
  const keyName = found && nameOf(value.subarray(found.prefix.length), names.get(found.kind));
  return found === undefined || keyName === undefined ? { kind: "damaged" } : { kind: found.kind, keyName };
}

function kmsV2(rest: Buffer): StoredValue {
  const provider = nameOf(rest);
  if (provider === undefined) return { kind: "damaged" };
  try {
    const keyId = keyIdOf(rest.subarray(rest.indexOf(":") + 1));
    return { kind: "kms-v2", provider, keyId };
  } catch (error) {
    if (error instanceof MalformedMessage) return { kind: "damaged", provider };
    throw error;
  }
}

/** Returns the known name, or the bytes before the first colon. */
function nameOf(bytes: Buffer, known: readonly StoredName[] = []): string | undefined {
  const found = known.find(({ prefix }) => startsWith(bytes, prefix));
  if (found !== undefined) return found.name;
  const end = bytes.subarray(0, MAX_NAME_BYTES + 1).indexOf(":");
  if (end <= 0) return undefined;
  try {
    return asText(bytes.subarray(0, end));
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}

/**
 * Returns the key_id of an EncryptedObject {encryptedData=1, keyID=2, encryptedDEKSource=3, annotations=4,
 * encryptedDEKSourceType=5}. Throws MalformedMessage if the API server would refuse the message: then the
 * object cannot be read.
 */
function keyIdOf(bytes: Buffer): string {
  const size = { data: 0, dekSource: 0 };
  let keyId: Buffer | undefined;
  let type = 0;
  readFields(bytes, (field, value) => {
    if (field === 1) size.data = asBytes(value).length;
    else if (field === 2) keyId = asBytes(value);
    else if (field === 3) size.dekSource = asBytes(value).length;
    else if (field === 5) type = typeof value === "number" ? value : Number.POSITIVE_INFINITY;
  });
  within("encryptedData", size.data, 1, Number.POSITIVE_INFINITY);
  within("encryptedDEKSource", size.dekSource, 1, MAX_DEK_SOURCE_BYTES);
  within("encryptedDEKSourceType", type, 0, LAST_DEK_SOURCE_TYPE);
  within("keyID", keyId?.length ?? 0, 1, MAX_KEY_ID_BYTES);
  return asText(keyId ?? Buffer.alloc(0));
}

function within(field: string, value: number, least: number, most: number): void {
  if (value < least || value > most) throw new MalformedMessage(`${field} is out of its bounds`);
}

const startsWith = (value: Buffer, prefix: Buffer): boolean =>
  value.length >= prefix.length && value.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
