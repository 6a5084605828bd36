import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseKeyId, parseVersionId } from "../crypto/ids.ts";
import { Secret } from "../crypto/secret.ts";
import { fileSeal } from "./file.ts";
import { issueImportToken, openImportToken, tokenValidTo } from "./import-token.ts";
import { sealAad } from "./seal.ts";

const KEY = parseKeyId("aaaaaaaa-0000-4000-8000-000000000001");
const OTHER_KEY = parseKeyId("aaaaaaaa-0000-4000-8000-000000000002");
const VALID_TO = Date.parse("2026-01-03T03:04:05Z");
const PRIVATE = Buffer.from("a private key, as far as a token goes");

const seal = fileSeal(Secret.take(Buffer.alloc(32, 1)));
const issue = () =>
  issueImportToken(seal, { keyId: KEY, validTo: VALID_TO }, Secret.take(Buffer.from(PRIVATE)));

/** Returns a token with one byte changed, or truncated. */
const changed = (token: string, change: (bytes: Buffer) => Buffer): string =>
  change(Buffer.from(token, "base64")).toString("base64");
const flipped = (token: string, at: number): string =>
  changed(token, (bytes) => {
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return bytes;
  });

describe("an import token", () => {
  it("gives back the private key, and says until when it is valid", async () => {
    const token = await issue();
    expect(tokenValidTo(token)).toBe(VALID_TO);
    const opened = await openImportToken(seal, KEY, token);
    expect(Buffer.from(opened.exposeSecretBytes())).toEqual(PRIVATE);
  });

  it("does not hold the private key readably", async () => {
    expect(Buffer.from(await issue(), "base64").includes(PRIVATE)).toBe(false);
  });

  it.each([
    ["another key", async () => openImportToken(seal, OTHER_KEY, await issue())],
    [
      "another root key",
      async () => openImportToken(fileSeal(Secret.take(Buffer.alloc(32, 2))), KEY, await issue()),
    ],
    ["a later validTo", async () => openImportToken(seal, KEY, flipped(await issue(), 8))],
    ["an altered seal", async () => openImportToken(seal, KEY, flipped(await issue(), 100))],
    ["an unknown format", async () => openImportToken(seal, KEY, flipped(await issue(), 0))],
    ["a length that leads beyond the end", async () => openImportToken(seal, KEY, "AQAAAAAAAAAA/w==")],
    ["no bytes", async () => openImportToken(seal, KEY, "")],
    [
      "half a token",
      async () =>
        openImportToken(
          seal,
          KEY,
          changed(await issue(), (bytes) => bytes.subarray(0, 60)),
        ),
    ],
    ["text that is no base64", async () => openImportToken(seal, KEY, "a token, honestly")],
    [
      "more bytes than a token has",
      async () => openImportToken(seal, KEY, Buffer.alloc(9000, 1).toString("base64")),
    ],
  ])("is refused with %s, always in the same words", async (_, open) => {
    await expect(open()).rejects.toMatchObject({
      code: "InvalidArgument",
      message: "the import token was not made for this key, or was altered",
    });
  });

  it("is refused in those words, whatever bytes it has, and nothing else is thrown", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, begins) => {
        if (begins && bytes.length > 0) bytes[0] = 1;
        const token = Buffer.from(bytes).toString("base64");
        tokenValidTo(token);
        await expect(openImportToken(seal, KEY, token)).rejects.toMatchObject({ code: "InvalidArgument" });
      }),
    );
  });

  it("cannot stand in for a version's seal", async () => {
    const token = Buffer.from(await issue(), "base64");
    const blob = token.subarray(9 + 1 + "file".length + 1 + seal.rootKeyId.length);
    const binding = {
      keyId: KEY,
      versionId: parseVersionId("bbbbbbbb-0000-4000-8000-000000000001"),
      number: 1,
      keySpec: "SYMMETRIC_DEFAULT",
      keyUsage: "ENCRYPT_DECRYPT",
    } as const;
    const sealed = { provider: "file", rootKeyId: seal.rootKeyId, blob };
    await expect(seal.unwrap(sealed, sealAad(binding))).rejects.toMatchObject({ code: "SealMismatch" });
  });
});
