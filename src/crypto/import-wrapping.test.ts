import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseKeyId } from "./ids.ts";
import {
  generateWrappingKeyPair,
  materialId,
  unwrapMaterial,
  WRAPPING_ALGORITHMS,
  type WrappingAlgorithm,
  type WrappingKeyPair,
  type WrappingKeySpec,
  wrapMaterial,
} from "./import-wrapping.ts";
import { Secret } from "./secret.ts";

const VECTORS = join(import.meta.dirname, "../../test/vectors/import/import-wrapping-v1.json");

interface Published {
  readonly privateKeys: Readonly<Record<WrappingKeySpec, string>>;
  readonly vectors: readonly ({
    readonly name: string;
    readonly wrappingKeySpec: WrappingKeySpec;
    readonly algorithm: WrappingAlgorithm;
    readonly bytes: number;
    readonly wrapped: string;
  } & ({ readonly outcome: "ok"; readonly material: string } | { readonly outcome: "InvalidCiphertext" }))[];
}

const { privateKeys, vectors }: Published = JSON.parse(readFileSync(VECTORS, "utf8"));
const exactly = (bytes: number) => ({ least: bytes, most: bytes });
const secret = (hex: string): Secret => Secret.take(Buffer.from(hex, "hex"));

/** Returns every property of an error that a caller could see. */
function failureOf(work: () => unknown): object {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return { ...error, message: error.message, cause: error.cause };
  }
  throw new Error("it did not fail");
}

describe("material that Python wrapped", () => {
  it.each(vectors)("$name", (vector) => {
    const open = () =>
      unwrapMaterial(
        secret(privateKeys[vector.wrappingKeySpec]),
        vector.algorithm,
        Buffer.from(vector.wrapped, "hex"),
        exactly(vector.bytes),
      );
    if (vector.outcome === "ok") {
      expect(Buffer.from(open().exposeSecretBytes()).toString("hex")).toBe(vector.material);
    } else {
      expect(open).toThrow(expect.objectContaining({ code: vector.outcome }));
    }
  });

  it("fails in one way only: code, message and cause are the same whatever is wrong", () => {
    const failures = vectors
      .filter(({ outcome }) => outcome !== "ok")
      .map(({ wrappingKeySpec, algorithm, wrapped, bytes }) =>
        failureOf(() =>
          unwrapMaterial(
            secret(privateKeys[wrappingKeySpec]),
            algorithm,
            Buffer.from(wrapped, "hex"),
            exactly(bytes),
          ),
        ),
      );
    expect(failures.length).toBeGreaterThan(40);
    expect(new Set(failures.map((failure) => JSON.stringify(failure))).size).toBe(1);
  });
});

describe("a wrapping key pair", () => {
  let pair: WrappingKeyPair;
  beforeAll(async () => {
    pair = await generateWrappingKeyPair("RSA_3072");
  });

  it("has the size that was asked for", () => {
    expect(createPublicKey(pair.publicKey).asymmetricKeyDetails?.modulusLength).toBe(3072);
  });

  it.each(WRAPPING_ALGORITHMS)("opens what was wrapped under its public half by %s", (algorithm) => {
    const material = Buffer.from("0123456789abcdef0123456789abcdef");
    const wrapped = wrapMaterial(pair.publicKey, algorithm, material);
    expect(wrapped.includes(material)).toBe(false);
    const opened = unwrapMaterial(pair.privateKey, algorithm, wrapped, exactly(32));
    expect(Buffer.from(opened.exposeSecretBytes())).toEqual(material);
  });

  it.each([
    ["text", "a key"],
    [
      "a key of another kind",
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
    ],
  ])("is needed to wrap: %s is refused", (_, pem) => {
    expect(() => wrapMaterial(pem, "RSAES_OAEP_SHA_256", Buffer.alloc(32))).toThrow("no RSA key in PEM");
  });
});

describe("a material id", () => {
  const id = parseKeyId("aaaaaaaa-0000-4000-8000-000000000001");

  it("is 64 lowercase hex digits, and the same for the same material", () => {
    expect(materialId(id, secret("11".repeat(32)))).toMatch(/^[0-9a-f]{64}$/);
    expect(materialId(id, secret("11".repeat(32)))).toBe(materialId(id, secret("11".repeat(32))));
  });

  it("is another one for other material, and under another key", () => {
    const other = parseKeyId("aaaaaaaa-0000-4000-8000-000000000002");
    const all = [
      materialId(id, secret("11".repeat(32))),
      materialId(id, secret("22".repeat(32))),
      materialId(other, secret("11".repeat(32))),
    ];
    expect(new Set(all).size).toBe(3);
  });
});
