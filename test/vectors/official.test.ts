import { createDecipheriv, createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { deriveSharedSecret } from "../../src/crypto/asymmetric/agree.ts";
import { ecPrivateKey } from "../../src/crypto/asymmetric/ec-private-key.ts";
import { parseEcdsaSignature } from "../../src/crypto/asymmetric/ecdsa-signature.ts";
import { decapsulate } from "../../src/crypto/asymmetric/encapsulate.ts";
import { type AsymmetricSpec, type Curve, keyTypes } from "../../src/crypto/asymmetric/key-types.ts";
import { decryptOaep } from "../../src/crypto/asymmetric/oaep.ts";
import type { Signing } from "../../src/crypto/asymmetric/signing-schemes.ts";
import { verifyByPublicKey } from "../../src/crypto/asymmetric/verify.ts";
import { isMac } from "../../src/crypto/mac.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { codeOf } from "../../src/errors.ts";

/** The vectors of official/README.md. All fields but the result and the numbers are hexadecimal. */
interface Vector {
  readonly tcId: number;
  readonly comment?: string;
  readonly result: "valid" | "invalid" | "acceptable";
  readonly [field: string]: unknown;
}
interface Group {
  readonly tests: readonly Vector[];
  readonly [field: string]: unknown;
}
interface VectorSet {
  readonly file: string;
  readonly groups: readonly Group[];
}

const read = (name: string): readonly VectorSet[] =>
  (
    JSON.parse(readFileSync(join(import.meta.dirname, "official", `${name}.json`), "utf8")) as {
      readonly sets: readonly VectorSet[];
    }
  ).sets;

const hex = (from: Vector | Group, field: string): Buffer => Buffer.from(String(from[field] ?? ""), "hex");

/** Runs each vector of a file. The outcome is compared as a list, so that a failure shows which vector it was. */
function each(
  name: string,
  outcome: (vector: Vector, group: Group, set: VectorSet) => boolean,
  expected: (vector: Vector, group: Group, set: VectorSet) => boolean = ({ result }) => result === "valid",
): void {
  describe.each(read(name))("$file", (set) => {
    test("each vector => as expected", () => {
      const all = set.groups.flatMap((group) => group.tests.map((vector) => ({ vector, group })));
      const said = (is: typeof outcome) =>
        all.map(({ vector, group }) => `${vector.tcId} ${vector.comment}: ${is(vector, group, set)}`);
      expect(all.length).toBeGreaterThan(0);
      expect(said(outcome)).toEqual(said(expected));
    });
  });
}

/** Returns the function's result; undefined if it refuses its arguments or the ciphertext. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!["InvalidArgument", "InvalidCiphertext"].includes(codeOf(error))) throw error;
    return undefined;
  }
}

const isSecret = (made: Secret | undefined, right: Buffer): boolean =>
  made !== undefined && Buffer.from(made.exposeSecretBytes()).equals(right);

function publicKey(group: Group): KeyObject | undefined {
  try {
    return createPublicKey({ key: hex(group, "publicKeyDer"), format: "der", type: "spki" });
  } catch {
    // A public key that is none has no valid signature. claviger's own come from its private keys.
    return undefined;
  }
}

/** Verifies a signature with the spec and algorithm that a set's file name and group name. */
const verifies =
  (signingOf: (group: Group, set: VectorSet) => Omit<Signing, "messageType">) =>
  (vector: Vector, group: Group, set: VectorSet): boolean => {
    const key = publicKey(group);
    const signing: Signing = { ...signingOf(group, set), messageType: "RAW" };
    return key !== undefined && verifyByPublicKey(signing, key, hex(vector, "msg"), hex(vector, "sig"));
  };

const hashOf = ({ sha }: Group): string => String(sha).replace("-", "_");
const rsaSpec = ({ keySize }: Group): AsymmetricSpec => `RSA_${keySize}` as AsymmetricSpec;

describe("RSASSA-PKCS1-v1_5", () => {
  each(
    "rsa-pkcs1",
    verifies((group) => ({ spec: rsaSpec(group), algorithm: `RSASSA_PKCS1_V1_5_${hashOf(group)}` })),
  );
});

describe("RSASSA-PSS", () => {
  each(
    "rsa-pss",
    verifies((group) => ({ spec: rsaSpec(group), algorithm: `RSASSA_PSS_${hashOf(group)}` })),
    ({ result }, { sLen, sha }) => result === "valid" && Number(sLen) * 8 === Number(String(sha).slice(-3)),
  );
});

const curves: Readonly<Record<string, AsymmetricSpec>> = {
  secp256r1: "ECC_NIST_P256",
  secp384r1: "ECC_NIST_P384",
  secp521r1: "ECC_NIST_P521",
  secp256k1: "ECC_SECG_P256K1",
};
const specIn = ({ file }: VectorSet): AsymmetricSpec => curves[file.split("_")[2] ?? ""] ?? "RSA_2048";
const curveOf = (spec: AsymmetricSpec): Curve => {
  const type = keyTypes[spec];
  if (type.kind !== "ec") throw new Error(`${spec} has no curve`);
  return type.curve;
};

describe("ECDSA", () => {
  each(
    "ecdsa",
    verifies((group, set) => ({ spec: specIn(set), algorithm: `ECDSA_${hashOf(group)}` })),
  );

  test("a signature that is not DER, or out of range => our parser refuses it, and never a valid signature", () => {
    const refused: string[] = [];
    for (const set of read("ecdsa"))
      for (const vector of set.groups.flatMap(({ tests }) => tests)) {
        if (parseEcdsaSignature(hex(vector, "sig"), curveOf(specIn(set))) === undefined)
          refused.push(vector.result);
      }
    expect(refused.length).toBeGreaterThan(100);
    expect(refused).not.toContain("valid");
  });
});

describe("EdDSA", () => {
  each(
    "eddsa",
    verifies(() => ({ spec: "ECC_NIST_EDWARDS25519", algorithm: "ED25519_SHA_512" })),
  );
});

describe("ML-DSA", () => {
  each(
    "ml-dsa",
    verifies((_, { file }) => ({
      spec: `ML_DSA_${file.split("_")[2]}` as AsymmetricSpec,
      algorithm: "ML_DSA_SHAKE_256",
    })),
    ({ result, ctx = "" }) => result === "valid" && ctx === "",
  );
});

describe("RSA-OAEP", () => {
  each(
    "rsa-oaep",
    (vector, group) => {
      using material = Secret.take(hex(group, "privateKeyPkcs8"));
      const algorithm = `RSAES_OAEP_${hashOf(group)}`;
      const opened = unlessRefused(() => decryptOaep(rsaSpec(group), algorithm, material, hex(vector, "ct")));
      return isSecret(opened, hex(vector, "msg"));
    },
    ({ result, label = "" }, { sha, mgfSha }) => result === "valid" && label === "" && sha === mgfSha,
  );
});

describe("ECDH", () => {
  each("ecdh", (vector, _, set) => {
    const spec = specIn(set);
    const scalar = BigInt(`0x${vector.private}`);
    const key = ecPrivateKey(curveOf(spec), scalar % curveOf(spec).order);
    using material = Secret.take(key.export({ type: "pkcs8", format: "der" }));
    const shared = unlessRefused(() => deriveSharedSecret(spec, "ECDH", material, hex(vector, "public")));
    return isSecret(shared, hex(vector, "shared"));
  });
});

/** PKCS #8 with ML-KEM's seed (RFC 9935, section 6), up to the seed itself. */
const mlKemPrefix = (set: number): Buffer =>
  Buffer.from(`3054020100300b060960864801650304040${set}04428040`, "hex");

describe("ML-KEM", () => {
  each("ml-kem", (vector, { parameterSet }) => {
    const size = String(parameterSet).slice(-4).replace("-", "");
    const spec = `ML_KEM_${size}` as AsymmetricSpec;
    const prefix = mlKemPrefix(["512", "768", "1024"].indexOf(size) + 1);
    using material = Secret.take(Buffer.concat([prefix, hex(vector, "seed")]));
    const opened = unlessRefused(() => decapsulate(spec, "ML_KEM", material, hex(vector, "c")));
    return isSecret(opened, hex(vector, "K"));
  });
});

describe("HMAC", () => {
  each("hmac", (vector, _, { file }) => {
    using material = Secret.take(hex(vector, "key"));
    const algorithm = `HMAC_SHA_${/sha(\d+)/.exec(file)?.[1]}`;
    return isMac(algorithm, material, hex(vector, "msg"), hex(vector, "tag"));
  });
});

describe("HKDF-SHA-256, as node:crypto has it", () => {
  each("hkdf", (vector) => {
    const [ikm, salt, info] = [hex(vector, "ikm"), hex(vector, "salt"), hex(vector, "info")];
    try {
      const okm = hkdfSync("sha256", ikm, salt, info, Number(vector.size));
      return Buffer.from(okm).equals(hex(vector, "okm"));
    } catch {
      return false;
    }
  });
});

describe("AES-256-GCM, as node:crypto has it", () => {
  each("aes-gcm", (vector) => {
    const decipher = createDecipheriv("aes-256-gcm", hex(vector, "key"), hex(vector, "iv"), {
      authTagLength: 16,
    });
    decipher.setAAD(hex(vector, "aad"));
    decipher.setAuthTag(hex(vector, "tag"));
    try {
      const opened = Buffer.concat([decipher.update(hex(vector, "ct")), decipher.final()]);
      return opened.equals(hex(vector, "msg"));
    } catch {
      return false;
    }
  });
});
