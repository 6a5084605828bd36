import { ClavigerError } from "../errors.ts";
import { encryptsAndDecrypts, type MaterialTest, makesMacs, type TestedVersion } from "./material-tests.ts";
import { Secret } from "./secret.ts";

/** AWS KMS's key usages. */
type AwsKeyUsage =
  | "ENCRYPT_DECRYPT"
  | "SIGN_VERIFY"
  | "GENERATE_VERIFY_MAC"
  | "KEY_AGREEMENT"
  | "ENCAPSULATE_DECAPSULATE";

/** A key spec of AWS KMS. */
interface AwsKeySpec {
  /** True if claviger has keys of this spec. */
  readonly served: boolean;
  /** The usages that a key of this spec may have, each with its algorithms. */
  readonly algorithms: { readonly [U in AwsKeyUsage]?: readonly string[] };
}

/** A key spec that claviger has keys of. */
interface ServedKeySpec extends AwsKeySpec {
  readonly served: true;
  /** Length of the material. Imported material must have it exactly. */
  readonly materialBytes: number;
  /** Makes new random material. */
  readonly generate: () => Secret;
  /** Tests a version's material before anybody relies on it. */
  readonly test: MaterialTest;
  /** True if a key gets further versions. AWS KMS rotates symmetric keys only. */
  readonly rotates: boolean;
}

const random = (materialBytes: number) => ({ materialBytes, generate: () => Secret.random(materialBytes) });

/** An HMAC key is as long as the output of its hash. */
const hmac = <const A extends string>(algorithm: A, hash: string, materialBytes: number) =>
  ({
    served: true,
    algorithms: { GENERATE_VERIFY_MAC: [algorithm] },
    ...random(materialBytes),
    test: makesMacs(hash),
    rotates: false,
  }) as const;

const RSA = {
  served: false,
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
} as const;

const nistCurve = <const A extends string>(signing: A) =>
  ({ served: false, algorithms: { SIGN_VERIFY: [signing], KEY_AGREEMENT: ["ECDH"] } }) as const;

const signing = <const A extends readonly string[]>(...algorithms: A) =>
  ({ served: false, algorithms: { SIGN_VERIFY: algorithms } }) as const;

const ML_KEM = { served: false, algorithms: { ENCAPSULATE_DECAPSULATE: ["ML_KEM"] } } as const;

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
  RSA_2048: RSA,
  RSA_3072: RSA,
  RSA_4096: RSA,
  ECC_NIST_P256: nistCurve("ECDSA_SHA_256"),
  ECC_NIST_P384: nistCurve("ECDSA_SHA_384"),
  ECC_NIST_P521: nistCurve("ECDSA_SHA_512"),
  ECC_SECG_P256K1: signing("ECDSA_SHA_256"),
  ECC_NIST_EDWARDS25519: signing("ED25519_SHA_512", "ED25519_PH_SHA_512"),
  ML_DSA_44: signing("ML_DSA_SHAKE_256"),
  ML_DSA_65: signing("ML_DSA_SHAKE_256"),
  ML_DSA_87: signing("ML_DSA_SHAKE_256"),
  ML_KEM_512: ML_KEM,
  ML_KEM_768: ML_KEM,
  ML_KEM_1024: ML_KEM,
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

/** A key usage that a key spec of claviger's can have. */
export type KeyUsage = { [S in KeySpec]: keyof Rows[S]["algorithms"] }[KeySpec];

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

/** Returns the one usage that a served spec has. */
export const usageOf = (spec: KeySpec): KeyUsage => Object.keys(rowOf(spec).algorithms)[0] as KeyUsage;

/** The key usages of all KEY_SPECS, each once. */
export const KEY_USAGES: readonly KeyUsage[] = [...new Set(KEY_SPECS.map(usageOf))];

/** The key spec of a MasterKey that names none. */
export const DEFAULT_KEY_SPEC: KeySpec = "SYMMETRIC_DEFAULT";

/** Returns true if keys of a spec get further versions. */
export const mayRotate = (spec: KeySpec): boolean => isKeySpec(spec) && rowOf(spec).rotates;

/** The key specs whose keys get further versions. */
export const ROTATING_KEY_SPECS: readonly KeySpec[] = KEY_SPECS.filter((spec) => mayRotate(spec));

/** Returns the length of a spec's material, in bytes. */
export const materialBytes = (spec: KeySpec): number => rowOf(spec).materialBytes;

/** Returns new random material for a spec. */
export const generateMaterial = (spec: KeySpec): Secret => rowOf(spec).generate();

/** Uses a version's material once, as its spec allows. Returns true if the result is right. */
export const testMaterial = (spec: KeySpec, version: TestedVersion, material: Secret): boolean =>
  rowOf(spec).test(version, material);

export const ORIGINS = ["AWS_KMS", "EXTERNAL"] as const;
export type Origin = (typeof ORIGINS)[number];
