/** A curve of short Weierstrass form, with the constants that node:crypto does not tell. */
export interface Curve {
  /** OpenSSL's name. */
  readonly name: "prime256v1" | "secp384r1" | "secp521r1" | "secp256k1";
  /** Object identifier, DER. */
  readonly oid: string;
  /** Order of the base point (SEC 2, version 2). */
  readonly order: bigint;
  /** The length of a coordinate, and of an integer below the order, in bytes. */
  readonly bytes: number;
}

interface RsaType {
  readonly kind: "rsa";
  readonly modulusBits: number;
}
interface CurveType {
  readonly kind: "ec";
  readonly curve: Curve;
  /** AWS KMS has one signature algorithm for each curve. */
  readonly signing: "ECDSA_SHA_256" | "ECDSA_SHA_384" | "ECDSA_SHA_512";
}
interface Ed25519Type {
  readonly kind: "ed25519";
}
interface MlDsaType {
  readonly kind: "ml-dsa";
  readonly parameters: "ml-dsa-44" | "ml-dsa-65" | "ml-dsa-87";
}
interface MlKemType {
  readonly kind: "ml-kem";
  readonly parameters: "ml-kem-512" | "ml-kem-768" | "ml-kem-1024";
  /** The length of an encapsulation (FIPS 203, table 3). */
  readonly ciphertextBytes: number;
}

/** The key pair of an asymmetric key spec. */
export type KeyType = RsaType | CurveType | Ed25519Type | MlDsaType | MlKemType;

const rsa = (modulusBits: number): RsaType => ({ kind: "rsa", modulusBits });
const ec = (curve: Curve, signing: CurveType["signing"]): CurveType => ({ kind: "ec", curve, signing });
const mlDsa = (parameters: MlDsaType["parameters"]): MlDsaType => ({ kind: "ml-dsa", parameters });
const mlKem = (parameters: MlKemType["parameters"], ciphertextBytes: number): MlKemType => ({
  kind: "ml-kem",
  parameters,
  ciphertextBytes,
});

const P256: Curve = {
  name: "prime256v1",
  oid: "06082a8648ce3d030107",
  order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  bytes: 32,
};
const P384: Curve = {
  name: "secp384r1",
  oid: "06052b81040022",
  order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  bytes: 48,
};
const P521: Curve = {
  name: "secp521r1",
  oid: "06052b81040023",
  order:
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  bytes: 66,
};
const P256K1: Curve = {
  name: "secp256k1",
  oid: "06052b8104000a",
  order: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  bytes: 32,
};

/** The key pairs of AWS KMS's asymmetric key specs. */
export const keyTypes = {
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  ECC_NIST_P256: ec(P256, "ECDSA_SHA_256"),
  ECC_NIST_P384: ec(P384, "ECDSA_SHA_384"),
  ECC_NIST_P521: ec(P521, "ECDSA_SHA_512"),
  ECC_SECG_P256K1: ec(P256K1, "ECDSA_SHA_256"),
  ECC_NIST_EDWARDS25519: { kind: "ed25519" },
  ML_DSA_44: mlDsa("ml-dsa-44"),
  ML_DSA_65: mlDsa("ml-dsa-65"),
  ML_DSA_87: mlDsa("ml-dsa-87"),
  ML_KEM_512: mlKem("ml-kem-512", 768),
  ML_KEM_768: mlKem("ml-kem-768", 1088),
  ML_KEM_1024: mlKem("ml-kem-1024", 1568),
} as const satisfies Readonly<Record<string, KeyType>>;

/** A key spec whose material is a private key. */
export type AsymmetricSpec = keyof typeof keyTypes;

/** The key specs whose material is a private key. */
export const ASYMMETRIC_SPECS = Object.keys(keyTypes) as readonly AsymmetricSpec[];

/** Returns true if the material of a key spec is a private key. */
export const isAsymmetric = (spec: string): spec is AsymmetricSpec => Object.hasOwn(keyTypes, spec);

/** Returns the key pair's type of a spec. */
export const keyTypeOf = (spec: AsymmetricSpec): KeyType => keyTypes[spec];
