import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { VECTORS_FOLDER, vectorFiles } from "../../scripts/generate-vectors.ts";
import { readGrantToken } from "../../src/access/grant-token.ts";
import { canonicalContext } from "../../src/crypto/context.ts";
import { kmsKeyId, parseKeyId, parseVersionId } from "../../src/crypto/ids.ts";
import { materialId } from "../../src/crypto/import-wrapping.ts";
import { decryptMessage, encryptWithSalt, parseMessage } from "../../src/crypto/message.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { codeOf, InvalidCiphertext } from "../../src/errors.ts";
import { fileSeal } from "../../src/seal/file.ts";
import { isOwnershipProven, ownershipStatement } from "../../src/seal/ownership.ts";
import { sealAad } from "../../src/seal/seal.ts";
import type { SealSource } from "../../src/seal/seal-source.ts";
import type { ContextVector } from "./context-vectors.ts";
import type { GrantTokenVector } from "./grant-token-vectors.ts";
import { hex, unhex } from "./inputs.ts";
import type { KeyIdVector } from "./key-id-vectors.ts";
import type { MaterialIdVector } from "./material-id-vectors.ts";
import { type MessageVector, scopeOf } from "./message-vector.ts";
import type { OwnershipVector } from "./ownership-vectors.ts";
import { python, run } from "./python.ts";
import { type SealFileVector, sealWithAad, sealWithSalt } from "./seal-file-vectors.ts";

/** Reads the published vectors. The first test proves that they have their type. */
function published<Vector>(file: string): Vector[] {
  return (JSON.parse(readFileSync(join(VECTORS_FOLDER, file), "utf8")) as { vectors: Vector[] }).vectors;
}

describe("the published files", () => {
  it.each([...vectorFiles()])("%s is what scripts/generate-vectors.ts makes", (file, text) => {
    expect(readFileSync(join(VECTORS_FOLDER, file), "utf8")).toBe(text);
  });

  it("are all generated: none is left over", () => {
    const files = readdirSync(VECTORS_FOLDER).filter((file) => file.endsWith(".json"));
    expect(files.sort()).toEqual([...vectorFiles().keys()].sort());
  });

  it.each([...vectorFiles().keys()])("%s names each vector once", (file) => {
    const names = published<{ name: string }>(file).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("name every flaw of a ciphertext", () => {
    const outcomes = new Set(published<MessageVector>("message-v1.json").map(({ outcome }) => outcome));
    expect([...outcomes].sort()).toEqual([
      "CommitmentMismatch",
      "InvalidArgument",
      "Oversized",
      "TagMismatch",
      "Truncated",
      "UnknownFormat",
      "UnknownSuite",
      "WrongKey",
      "ok",
    ]);
  });
});

describe("message-v1", () => {
  it.each(published<MessageVector>("message-v1.json"))("$name", (vector) => {
    const scope = scopeOf(vector);
    const message = unhex(vector.message);
    if (vector.outcome !== "ok") {
      expect(outcomeOf(() => decryptMessage(scope, parseMessage(message)))).toBe(vector.outcome);
      return;
    }
    expect(hex(decryptMessage(scope, parseMessage(message)))).toBe(vector.plaintext);
    expect(hex(encryptWithSalt(scope, unhex(vector.plaintext), unhex(vector.salt)))).toBe(vector.message);
  });
});

describe("grant-token-v1", () => {
  it.each(published<GrantTokenVector>("grant-token-v1.json"))(
    "$name",
    ({ rootKey, token, grant, outcome }) => {
      const seal = fileSeal(Secret.take(unhex(rootKey)));
      const read = readGrantToken(token, { rootKeyId: seal.rootKeyId, key: seal.derive("grant-token") });
      const terms = { ...grant, operations: grant.operations.split(" ") };
      expect(read).toEqual(outcome === "ok" ? terms : undefined);
    },
  );
});

describe("seal-file-v1", () => {
  it.each(published<SealFileVector>("seal-file-v1.json"))("$name", async (vector) => {
    const seal = fileSeal(Secret.take(unhex(vector.rootKey)));
    const sealed = { provider: "file", rootKeyId: vector.rootKeyId, blob: unhex(vector.blob) };
    const opening = seal.unwrap(sealed, sealAad(vector.binding));
    if (vector.outcome === "ok") {
      const unsealed = await opening;
      expect("material" in unsealed && hex(unsealed.material.exposeSecretBytes())).toBe(vector.material);
      const { rootKey, binding, material, salt, blob } = vector;
      expect(hex(sealWithSalt(unhex(rootKey), binding, unhex(material), unhex(salt)))).toBe(blob);
    } else if (vector.outcome === "NotMine") {
      expect(await opening).toEqual({ notMine: true });
    } else {
      await expect(opening).rejects.toMatchObject({ code: vector.outcome });
    }
  });
});

describe("key-id-v1", () => {
  it.each(published<KeyIdVector>("key-id-v1.json"))("$name", (vector) => {
    const named = () => kmsKeyId(parseKeyId(vector.keyId), parseVersionId(vector.versionId));
    if (vector.outcome === "ok") expect(named()).toBe(vector.kmsKeyId);
    else expect(outcomeOf(named)).toBe(vector.outcome);
  });
});

describe("material-id-v1", () => {
  it.each(published<MaterialIdVector>("material-id-v1.json"))("$name", (vector) => {
    const material = Secret.take(unhex(vector.material));
    expect(materialId(parseKeyId(vector.keyId), material)).toBe(vector.materialId);
  });
});

describe("ownership-v1", () => {
  it.each(published<OwnershipVector>("ownership-v1.json"))("$name", async (vector) => {
    const seal = fileSeal(Secret.take(unhex(vector.rootKey)));
    const seals = { get: () => seal } as SealSource;
    const proof = { provider: "file", rootKeyId: vector.rootKeyId, blob: unhex(vector.proof) };
    const { text, revision } = vector;
    expect(await isOwnershipProven(seals, text, { revision, proof })).toBe(vector.outcome === "ok");
    if (vector.outcome !== "ok") return;
    const statement = ownershipStatement(text, revision);
    const digest = createHash("sha256").update(statement).digest();
    const made = sealWithAad(unhex(vector.rootKey), statement, digest, unhex(vector.salt));
    expect(hex(made)).toBe(vector.proof);
  });
});

describe("context-v1", () => {
  it.each(published<ContextVector>("context-v1.json"))("$name", (vector) => {
    if (vector.outcome === "ok") expect(hex(canonicalContext(vector.context))).toBe(vector.bytes);
    else expect(outcomeOf(() => canonicalContext(vector.context))).toBe(vector.outcome);
  });
});

describe("an independent implementation in Python", () => {
  it("agrees on every vector", (context) => {
    const { status, output } = run(python(context), [join(VECTORS_FOLDER, "check.py")]);
    const total = [...vectorFiles().keys()].reduce((sum, file) => sum + published(file).length, 0);
    expect(output).toBe(`${total} vectors checked\n`);
    expect(status).toBe(0);
  });

  it.for([
    ["message-v1.json", "a data key seed of 32 bytes opens", '"plaintext": "40', '"plaintext": "41'],
    ["seal-file-v1.json", "the second version opens", '"number": 2', '"number": 3'],
    [
      "key-id-v1.json",
      "a key and a version have the key_id that the API server stores",
      '"kmsKeyId": "',
      '"kmsKeyId": "00',
    ],
    ["material-id-v1.json", "material has a name under its key", '"materialId": "', '"materialId": "00'],
    [
      "ownership-v1.json",
      "a version that claviger made belongs to its MasterKey",
      '"name": "secrets"',
      '"name": "other"',
    ],
    ["context-v1.json", "no pairs are no bytes", '"bytes": ""', '"bytes": "00"'],
  ] as const)("ends at the first vector of %s that differs, naming it", ([file, name, from, to], context) => {
    const folder = mkdtempSync(join(tmpdir(), "claviger-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const [copy, text] of vectorFiles()) {
      writeFileSync(join(folder, copy), copy === file ? text.replace(from, to) : text);
    }
    expect(run(python(context), [join(VECTORS_FOLDER, "check.py"), folder])).toMatchObject({
      status: 1,
      output: expect.stringContaining(`${file}: ${name}: expected `),
    });
  });
});

function outcomeOf(work: () => unknown): string {
  try {
    work();
    return "ok";
  } catch (error) {
    return error instanceof InvalidCiphertext ? error.flaw : codeOf(error);
  }
}
