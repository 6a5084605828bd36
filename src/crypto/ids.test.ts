import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  kmsKeyId,
  newKeyId,
  newVersionId,
  parseKeyId,
  parseVersionId,
  uuidFromBytes,
  uuidToBytes,
} from "./ids.ts";

const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
const uuid = sixteenBytes.map(uuidFromBytes);

describe("an id", () => {
  it("is any 16 bytes, and its text and bytes turn into one another", () => {
    fc.assert(
      fc.property(sixteenBytes, (bytes) => {
        expect(new Uint8Array(uuidToBytes(parseKeyId(uuidFromBytes(bytes))))).toEqual(bytes);
      }),
    );
  });

  it("is new each time, and passes its own check", () => {
    const keys = Array.from({ length: 100 }, () => parseKeyId(newKeyId()));
    const versions = Array.from({ length: 100 }, () => parseVersionId(newVersionId()));
    expect(new Set<string>([...keys, ...versions]).size).toBe(200);
  });

  it.each([
    "",
    "6b1f2c3d",
    "6B1F2C3D-0A4E-4F5A-8B6C-7D8E9FA0B1C2",
    "6b1f2c3d0a4e4f5a8b6c7d8e9fa0b1c2",
    "{6b1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2}",
    "6b1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2\n",
    " 6b1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2",
    "6b1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2-",
    "gb1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2",
    "arn:aws:kms:local:000000000000:key/6b1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2",
  ])("is refused as %j, by field and without an echo", (text) => {
    const wrong = { code: "InvalidArgument", message: "keyId must be a lowercase UUID" };
    expect(() => parseKeyId(text)).toThrow(expect.objectContaining(wrong));
    expect(() => parseVersionId(text)).toThrow("versionId must be a lowercase UUID");
  });
});

describe("a key_id", () => {
  it("is the same each time, and 32 lowercase hex digits: within KMS v2's 1024 bytes", () => {
    fc.assert(
      fc.property(uuid, uuid, (key, version) => {
        const id = kmsKeyId(parseKeyId(key), parseVersionId(version));
        expect(id).toMatch(/^[0-9a-f]{32}$/);
        expect(kmsKeyId(parseKeyId(key), parseVersionId(version))).toBe(id);
      }),
    );
  });

  it("belongs to one version of one key, and tells neither", () => {
    fc.assert(
      fc.property(fc.uniqueArray(uuid, { minLength: 2, maxLength: 6 }), (ids) => {
        const all = ids.flatMap((key) =>
          ids.map((version): string => kmsKeyId(parseKeyId(key), parseVersionId(version))),
        );
        expect(new Set(all).size).toBe(ids.length ** 2);
        for (const id of ids) expect(all).not.toContain(id.replaceAll("-", ""));
      }),
    );
  });
});
