import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newKeyId, newVersionId } from "../crypto/ids.ts";
import { Secret } from "../crypto/secret.ts";
import { ClavigerError } from "../errors.ts";
import { fileSeal } from "./file.ts";
import { type Seal, type SealBinding, type Sealed, sealAad, type Unsealed } from "./seal.ts";

const HEADER_BYTES = 82;

function binding(rest: Partial<SealBinding> = {}): SealBinding {
  return {
    keyId: newKeyId(),
    versionId: newVersionId(),
    number: 1,
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    ...rest,
  };
}

/** Creates a seal, and returns it with the bytes of its root key. */
function newSeal(): { readonly seal: Seal; readonly rootKey: Uint8Array } {
  const secret = Secret.random(32);
  return { seal: fileSeal(secret), rootKey: secret.exposeSecretBytes() };
}

describe("the file seal", () => {
  it("opens what it wrapped, for material of any length up to 4096 bytes and any AAD", async () => {
    const { seal } = newSeal();
    const materials = fc.uint8Array({ maxLength: 4096, size: "max" });
    await fc.assert(
      fc.asyncProperty(materials, fc.uint8Array({ maxLength: 300 }), async (material, aad) => {
        const sealed = await seal.wrap(Secret.take(Buffer.from(material)), aad);
        expect(Buffer.compare(bytesOf(await seal.unwrap(sealed, aad)), material)).toBe(0);
        expect(sealed.blob).toHaveLength(HEADER_BYTES + material.length + 16);
      }),
    );
  });

  it("names its provider and root key in what it wraps, and gives the root key one name", async () => {
    const rootKey = Buffer.alloc(32, 1);
    const seal = fileSeal(Secret.take(rootKey));
    const sealed = await seal.wrap(Secret.random(32), sealAad(binding()));
    expect(sealed).toMatchObject({ provider: "file", rootKeyId: seal.rootKeyId });
    expect(seal.rootKeyId).toMatch(/^[0-9a-f]{32}$/);
    expect(fileSeal(Secret.take(Buffer.from(rootKey))).rootKeyId).toBe(seal.rootKeyId);
    expect(newSeal().seal.rootKeyId).not.toBe(seal.rootKeyId);
  });

  it("wraps the same material differently each time, and never in the clear", async () => {
    const { seal, rootKey } = newSeal();
    const material = Buffer.from(Secret.random(32).exposeSecretBytes());
    const aad = sealAad(binding());
    const blobs = new Set<string>();
    for (let round = 0; round < 100; round++) {
      const { blob } = await seal.wrap(Secret.take(Buffer.from(material)), aad);
      expect(Buffer.from(blob).includes(material)).toBe(false);
      expect(Buffer.from(blob).includes(rootKey)).toBe(false);
      blobs.add(Buffer.from(blob).toString("hex").slice(36, 100));
    }
    expect(blobs.size).toBe(100);
  });

  it("leaves the material that it wraps usable", async () => {
    const material = Secret.random(32);
    await newSeal().seal.wrap(material, new Uint8Array());
    expect(Buffer.from(material.exposeSecretBytes())).not.toEqual(Buffer.alloc(32));
  });

  it("wraps no material that it could not open again", async () => {
    const { seal } = newSeal();
    const longest = Secret.random(8192 - HEADER_BYTES - 16);
    const sealed = await seal.wrap(longest, new Uint8Array());
    expect(bytesOf(await seal.unwrap(sealed, new Uint8Array()))).toHaveLength(longest.size);
    await expect(seal.wrap(Secret.random(longest.size + 1), new Uint8Array())).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  });
});

describe("not mine => an outcome, so that the next seal is tried", () => {
  it.each([
    ["another root key", (_: Sealed) => newSeal().seal],
    ["another provider", (_: Sealed) => newSeal().seal],
  ])("%s", async (what, other) => {
    const sealed = await newSeal().seal.wrap(Secret.random(32), new Uint8Array());
    const given = what === "another provider" ? { ...sealed, provider: "vault" } : sealed;
    expect(await other(sealed).unwrap(given, new Uint8Array())).toEqual({ notMine: true });
  });

  it("another provider's blob is not looked at, though its root key has our name", async () => {
    const { seal } = newSeal();
    const sealed = await seal.wrap(Secret.random(32), new Uint8Array());
    const given = { ...sealed, provider: "vault", blob: new Uint8Array() };
    expect(await seal.unwrap(given, new Uint8Array())).toEqual({ notMine: true });
  });
});

describe("a sealed blob is refused with SealMismatch", () => {
  const { seal } = newSeal();
  const first = binding();
  const second = { ...first, versionId: newVersionId(), number: 2 };

  it("when the blobs of two versions have changed places", async () => {
    const one = await seal.wrap(Secret.random(32), sealAad(first));
    const two = await seal.wrap(Secret.random(32), sealAad(second));
    await mismatch(seal, { ...one, blob: two.blob }, sealAad(first));
    await mismatch(seal, { ...two, blob: one.blob }, sealAad(second));
  });

  it("when its binding differs in any field", async () => {
    const sealed = await seal.wrap(Secret.random(32), sealAad(first));
    const others: SealBinding[] = [
      { ...first, keyId: newKeyId() },
      { ...first, versionId: newVersionId() },
      { ...first, number: 2 },
      { ...first, keySpec: "HMAC_256" },
      { ...first, keyUsage: "GENERATE_VERIFY_MAC" },
    ];
    for (const other of others) await mismatch(seal, sealed, sealAad(other));
  });

  it("whichever single bit of it differs", async () => {
    const aad = sealAad(first);
    const sealed = await seal.wrap(Secret.random(32), aad);
    for (let bit = 0; bit < sealed.blob.length * 8; bit++) {
      const blob = Buffer.from(sealed.blob);
      blob.writeUInt8(blob.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      await mismatch(seal, { ...sealed, blob }, aad, `byte ${bit >> 3}`);
    }
  });

  it("wherever it is cut off, and whatever is put behind it", async () => {
    const aad = sealAad(first);
    const sealed = await seal.wrap(Secret.random(32), aad);
    for (let length = 0; length < sealed.blob.length; length++) {
      await mismatch(seal, { ...sealed, blob: sealed.blob.subarray(0, length) }, aad, `${length} bytes`);
    }
    for (const more of [1, 16, 10_000]) {
      const blob = Buffer.concat([sealed.blob, Buffer.alloc(more)]);
      await mismatch(seal, { ...sealed, blob }, aad, `${more} bytes more`);
    }
  });

  it("when it is any other bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300, size: "max" }), async (blob) => {
        await mismatch(seal, { provider: "file", rootKeyId: seal.rootKeyId, blob }, sealAad(first));
      }),
    );
  });
});

it("no error of a seal holds bytes of the root key, the material or the blob", async () => {
  const { seal, rootKey } = newSeal();
  const material = Secret.random(32);
  const sealed = await seal.wrap(material, sealAad(binding()));
  const errors = [
    await caught(seal.unwrap(sealed, sealAad(binding()))),
    await caught(seal.unwrap({ ...sealed, blob: sealed.blob.subarray(0, 90) }, sealAad(binding()))),
    await caught(seal.unwrap({ ...sealed, blob: Buffer.alloc(100, 9) }, sealAad(binding()))),
  ].map((error) => inspect(error, { depth: null, showHidden: true }));
  for (const text of [...errors, inspect(seal, { depth: null, showHidden: true })]) {
    for (const bytes of [rootKey, material.exposeSecretBytes(), sealed.blob.subarray(50)]) {
      for (const canary of canaries(bytes)) expect(text).not.toContain(canary);
    }
  }
});

async function mismatch(seal: Seal, sealed: Sealed, aad: Uint8Array, what = "altered"): Promise<void> {
  const error = await caught(seal.unwrap(sealed, aad));
  const code = error instanceof ClavigerError ? error.code : error;
  expect({ what, code }).toEqual({ what, code: "SealMismatch" });
}

async function caught(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => value,
    (error: unknown) => error,
  );
}

function bytesOf(unsealed: Unsealed): Uint8Array {
  if (!("material" in unsealed)) throw new Error("the seal said that this is not its own");
  return unsealed.material.exposeSecretBytes();
}

/** Returns the forms in which bytes could be printed. */
function canaries(bytes: Uint8Array): string[] {
  const start = Buffer.from(bytes.subarray(0, 9));
  return [start.toString("hex"), start.toString("base64"), start.toString("latin1"), start.join(", ")];
}
