import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AsymmetricSpec } from "../../src/crypto/asymmetric/key-types.ts";
import { publicKeyDer } from "../../src/crypto/asymmetric/private-key.ts";
import { sign } from "../../src/crypto/asymmetric/sign.ts";
import { privateKeyFor } from "../../src/testing/materials.ts";
import { python, run } from "./python.ts";

/** The specs that sign digests, an algorithm of each, and the digest's length. */
const ways: readonly (readonly [AsymmetricSpec, string, number])[] = [
  ["ECC_NIST_P256", "ECDSA_SHA_256", 32],
  ["ECC_SECG_P256K1", "ECDSA_SHA_256", 32],
  ["ECC_NIST_P384", "ECDSA_SHA_384", 48],
  ["ECC_NIST_P521", "ECDSA_SHA_512", 64],
  ["RSA_2048", "RSASSA_PSS_SHA_256", 32],
  ["RSA_3072", "RSASSA_PKCS1_V1_5_SHA_384", 48],
  ["RSA_4096", "RSASSA_PSS_SHA_512", 64],
];

/** The largest digest, which is above the order of most curves, the smallest that has a signature, and others. */
const digests = (size: number): readonly Buffer[] => [
  Buffer.alloc(size, 0xff),
  Buffer.concat([Buffer.alloc(size - 1), Uint8Array.of(1)]),
  ...Array.from({ length: 4 }, () => randomBytes(size)),
];

test("a signature of a digest that no known message has => another implementation verifies it", async (context) => {
  const signatures: object[] = [];
  for (const [spec, algorithm, size] of ways) {
    using material = await privateKeyFor(spec);
    const publicKey = publicKeyDer(spec, material).toString("hex");
    for (const digest of digests(size)) {
      const signature = sign({ spec, algorithm, messageType: "DIGEST" }, material, digest);
      const [signed, made] = [digest.toString("hex"), signature.toString("hex")];
      signatures.push({ algorithm, publicKey, digest: signed, signature: made });
    }
  }
  const script = join(import.meta.dirname, "official", "verify-digests.py");
  expect(run(python(context), [script], JSON.stringify(signatures))).toEqual({
    status: 0,
    output: `${7 * 6} signatures verified\n`,
  });
});
