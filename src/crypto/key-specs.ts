import { ClavigerError } from "../errors.ts";
import { generateKeyPair } from "./asymmetric/generate.ts";
import type { AsymmetricSpec } from "./asymmetric/key-types.ts";
import { isConsistentPair } from "./asymmetric/pairwise.ts";
import { encryptsAndDecrypts, type MaterialTest, makesMacs, type TestedVersion } from "./material-tests.ts";
import { Secret } from "./secret.ts";

/** AWS KMS's key usages. */
export type KeyUsage =
  | "ENCRYPT_DECRYPT"
  | "SIGN_VERIFY"
  | "GENERATE_VERIFY_MAC"
  | "KEY_AGREEMENT"
  | "ENCAPSULATE_DECAPSULATE";

/** The length of material in bytes: private keys of one spec differ by a few. */
export interface MaterialSize {
  readonly least: number;
  readonly most: number;
}

/** A key spec of AWS KMS. */
interface AwsKeySpec {
  /** True if claviger has keys of this spec. */
  readonly served: boolean;
  /** The usages that a key of this spec may have, each with its algorithms. A key has one usage. */
  readonly algorithms: { readonly [U in KeyUsage]?: readonly string[] };
}

/** A key spec that claviger has keys of. */
interface ServedKeySpec extends AwsKeySpec {
  readonly served: true;
  readonly size: MaterialSize;
  /** Makes new random material, outside the event loop if it takes long. */
  readonly generate: () => Promise<Secret>;
  /** Tests a version's material before anybody relies on it. */
  readonly test: MaterialTest;
  /** True if a key gets further versions. AWS KMS rotates symmetric keys only. */
  readonly rotates: boolean;
  /** True if new material takes up to seconds of a core. */
  readonly slow: boolean;
}

/** Material of random bytes. */
const random = (bytes: number) => ({
  size: { least: bytes, most: bytes },
  generate: async () => Secret.random(bytes),
  slow: false,
});

/** An HMAC key is as long as the output of its hash. */
const hmac = <const A extends string>(algorithm: A, hash: string, bytes: number) =>
  ({
    served: true,
    algorithms: { GENERATE_VERIFY_MAC: [algorithm] },
    ...random(bytes),
    test: makesMacs(hash),
    rotates: false,
  }) as const;

/** Material that is a private key, PKCS #8 in DER. */
const privateKey = (spec: AsymmetricSpec, least: number, most = least) =>
  ({
    served: true,
    size: { least, most },
    generate: async () => (await generateKeyPair(spec)).privateKey,
    test: isConsistentPair(spec),
    rotates: false,
    slow: false,
  }) as const;

/** The longest key has no number with a leading zero byte. Each such byte makes it shorter. */
const rsa = (spec: AsymmetricSpec, least: number, most: number) =>
  ({
    ...privateKey(spec, least, most),
    slow: true,
    algorithms: {
      ENCRYPT_DECRYPT: ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"],
      SIGN_VERIFY: [
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
      ],
    },
  }) as const;

const nistCurve = <const A extends string>(spec: AsymmetricSpec, signing: A, bytes: number) =>
  ({
    ...privateKey(spec, bytes),
    algorithms: { SIGN_VERIFY: [signing], KEY_AGREEMENT: ["ECDH"] },
  }) as const;

const signing = <const A extends readonly string[]>(spec: AsymmetricSpec, bytes: number, ...algorithms: A) =>
  ({ ...privateKey(spec, bytes), algorithms: { SIGN_VERIFY: algorithms } }) as const;

const mlKem = (spec: AsymmetricSpec) =>
  ({ ...privateKey(spec, 86), algorithms: { ENCAPSULATE_DECAPSULATE: ["ML_KEM"] } }) as const;

/** A table has no prototype: a name such as "constructor" finds no row. */
const table = <const T extends object>(rows: T): T => Object.freeze(Object.setPrototypeOf(rows, null));

/** AWS KMS's key specs, one row each (AWS KMS developer guide, "Key spec reference"). */
export const keySpecs = table({
  SYMMETRIC_DEFAULT: {
    served: true,
    algorithms: { ENCRYPT_DECRYPT: ["SYMMETRIC_DEFAULT"] },
    ...random(32),
    test: encryptsAndDecrypts,
    rotates: true,
  },
  HMAC_224: hmac("HMAC_SHA_224", "sha224", 28),
  HMAC_256: hmac("HMAC_SHA_256", "sha256", 32),
  HMAC_384: hmac("HMAC_SHA_384", "sha384", 48),
  HMAC_512: hmac("HMAC_SHA_512", "sha512", 64),
  RSA_2048: rsa("RSA_2048", 1196, 1220),
  RSA_3072: rsa("RSA_3072", 1772, 1796),
  RSA_4096: rsa("RSA_4096", 2353, 2377),
  ECC_NIST_P256: nistCurve("ECC_NIST_P256", "ECDSA_SHA_256", 138),
  ECC_NIST_P384: nistCurve("ECC_NIST_P384", "ECDSA_SHA_384", 185),
  ECC_NIST_P521: nistCurve("ECC_NIST_P521", "ECDSA_SHA_512", 241),
  ECC_SECG_P256K1: signing("ECC_SECG_P256K1", 135, "ECDSA_SHA_256"),
  ECC_NIST_EDWARDS25519: signing("ECC_NIST_EDWARDS25519", 48, "ED25519_SHA_512", "ED25519_PH_SHA_512"),
  ML_DSA_44: signing("ML_DSA_44", 54, "ML_DSA_SHAKE_256"),
  ML_DSA_65: signing("ML_DSA_65", 54, "ML_DSA_SHAKE_256"),
  ML_DSA_87: signing("ML_DSA_87", 54, "ML_DSA_SHAKE_256"),
  ML_KEM_512: mlKem("ML_KEM_512"),
  ML_KEM_768: mlKem("ML_KEM_768"),
  ML_KEM_1024: mlKem("ML_KEM_1024"),
  /** AWS's regions in China only. */
  SM2: {
    served: false,
    algorithms: { ENCRYPT_DECRYPT: ["SM2PKE"], SIGN_VERIFY: ["SM2DSA"], KEY_AGREEMENT: ["ECDH"] },
  },
} satisfies Record<string, AwsKeySpec | ServedKeySpec>);

type Rows = typeof keySpecs;

/** The name of a key spec that claviger has keys of. */
export type KeySpec = {
  [S in keyof Rows]: Rows[S] extends { readonly served: true } ? S : never;
}[keyof Rows];

const isServed = (spec: keyof Rows): spec is KeySpec => keySpecs[spec].served;
const isKeySpec = (spec: string): spec is KeySpec => spec in keySpecs && isServed(spec as keyof Rows);

/** The key specs that claviger has keys of. */
export const KEY_SPECS: readonly KeySpec[] = (Object.keys(keySpecs) as (keyof Rows)[]).filter(isServed);

/** Throws InvalidArgument for a spec of another release, which a newer CRD may allow. */
function rowOf(spec: KeySpec): ServedKeySpec {
  const row: AwsKeySpec | ServedKeySpec | undefined = keySpecs[spec];
  if (row !== undefined && isServedRow(row)) return row;
  throw new ClavigerError(
    "InvalidArgument",
    `this release has no keys of spec ${spec}: use the release that the key was made with, or a newer one`,
  );
}

const isServedRow = (row: AwsKeySpec): row is ServedKeySpec => row.served;

/** Returns the usages of which a key of this spec may have one. */
export const usagesOf = (spec: KeySpec): readonly KeyUsage[] =>
  Object.keys(rowOf(spec).algorithms) as KeyUsage[];

/** Returns true if a key of this spec may have this usage. */
export const mayHaveUsage = (spec: KeySpec, usage: string): boolean =>
  isKeySpec(spec) && usagesOf(spec).some((one) => one === usage);

/** Returns AWS KMS's names of the algorithms that a key of this spec and usage has. */
export const algorithmsOf = (spec: KeySpec, usage: KeyUsage): readonly string[] =>
  (usagesOf(spec).includes(usage) ? rowOf(spec).algorithms[usage] : undefined) ?? [];

/** The key usages of all KEY_SPECS, each once. */
export const KEY_USAGES: readonly KeyUsage[] = [...new Set(KEY_SPECS.flatMap(usagesOf))];

/** The key spec of a MasterKey that names none. */
export const DEFAULT_KEY_SPEC: KeySpec = "SYMMETRIC_DEFAULT";

/** The key usage of a MasterKey that names none, as AWS KMS has it. */
export const DEFAULT_KEY_USAGE: KeyUsage = "ENCRYPT_DECRYPT";

/** Returns true if keys of a spec get further versions. */
export const mayRotate = (spec: KeySpec): boolean => isKeySpec(spec) && rowOf(spec).rotates;

/** The key specs whose keys get further versions. */
export const ROTATING_KEY_SPECS: readonly KeySpec[] = KEY_SPECS.filter((spec) => mayRotate(spec));

/** Returns the length of a spec's material. */
export const materialSize = (spec: KeySpec): MaterialSize => rowOf(spec).size;

/** Returns true if new material for a spec takes up to seconds of a core. */
export const isSlowToGenerate = (spec: KeySpec): boolean => isKeySpec(spec) && rowOf(spec).slow;

/** Returns new random material for a spec. */
export const generateMaterial = async (spec: KeySpec): Promise<Secret> => rowOf(spec).generate();

/** Uses a version's material once, as its spec and usage allow. Returns true if the result is right. */
export const testMaterial = (spec: KeySpec, version: TestedVersion, material: Secret): boolean =>
  rowOf(spec).test(version, material);

export const ORIGINS = ["AWS_KMS", "EXTERNAL"] as const;
export type Origin = (typeof ORIGINS)[number];
