import { expect, test } from "vitest";
import { encode } from "./encode.ts";

test("blobs are base64, times are seconds since the epoch, and what is undefined is left out", () => {
  const answer = {
    KeyMetadata: {
      KeyId: "k",
      CreationDate: new Date(1_700_000_000_250),
      Enabled: false,
      ValidTo: undefined,
      EncryptionAlgorithms: ["SYMMETRIC_DEFAULT"],
      MultiRegionConfiguration: { PrimaryKey: { Arn: "a" } },
    },
  };
  expect(JSON.parse(encode("DescribeKey", answer))).toEqual({
    KeyMetadata: {
      KeyId: "k",
      CreationDate: 1_700_000_000.25,
      Enabled: false,
      EncryptionAlgorithms: ["SYMMETRIC_DEFAULT"],
      MultiRegionConfiguration: { PrimaryKey: { Arn: "a" } },
    },
  });
  expect(encode("GenerateRandom", { Plaintext: Buffer.of(0, 255) })).toBe('{"Plaintext":"AP8="}');
  expect(encode("GenerateRandom", { Plaintext: Uint8Array.of(0, 255) })).toBe('{"Plaintext":"AP8="}');
});

test("an operation without an answer answers an empty object", () => {
  expect(encode("DisableKey", {})).toBe("{}");
});

test("structures in lists are encoded as well", () => {
  const Rotations = [{ KeyId: "k", RotationDate: new Date(1000) }];
  expect(encode("ListKeyRotations", { Rotations, Truncated: false })).toBe(
    '{"Rotations":[{"KeyId":"k","RotationDate":1}],"Truncated":false}',
  );
});

test("a member that AWS does not have is a defect", () => {
  expect(() => encode("DescribeKey", { KeyMetadata: { KeyID: "k" } })).toThrow(
    "the answer of DescribeKey.KeyMetadata has no member KeyID",
  );
});
