import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished, test } from "vitest";
import { newKeyId, newVersionId } from "../crypto/ids.ts";
import { Secret } from "../crypto/secret.ts";
import { sealsIn } from "../testing/seals.ts";
import { fileSeal } from "./file.ts";
import { type SealBinding, type Sealed, sealAad } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

const RIGHT = Buffer.alloc(32, "canary-one");
const WRONG = Buffer.alloc(32, "canary-two");
const MATERIAL = Buffer.alloc(32, "canary-material");
const BINDING: SealBinding = {
  keyId: newKeyId(),
  versionId: newVersionId(),
  number: 7,
  keySpec: "SYMMETRIC_DEFAULT",
  keyUsage: "ENCRYPT_DECRYPT",
};

let folder: string;
let path: string;
let sealed: Sealed;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "claviger-test-"));
  path = join(folder, "root.key");
  const made = folder;
  onTestFinished(() => rmSync(made, { recursive: true }));
  sealed = await seal(RIGHT).wrap(Secret.take(Buffer.from(MATERIAL)), sealAad(BINDING));
});

const seal = (rootKey: Uint8Array) => fileSeal(Secret.take(Buffer.from(rootKey)));

function put(rootKey: Uint8Array, mode = 0o600): void {
  writeFileSync(`${path}.new`, rootKey);
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

/** Returns material sealed under a root key that this node never had. */
const foreign = () =>
  seal(Buffer.alloc(32, "canary-three")).wrap(Secret.take(Buffer.from(MATERIAL)), sealAad(BINDING));

async function opened(source: SealSource): Promise<Buffer> {
  const material = await source.unseal(BINDING, sealed);
  return Buffer.from(material.exposeSecretBytes());
}

describe("a seal source opens material", () => {
  it("under the root key of its file, read once", async () => {
    put(RIGHT);
    const source = sealsIn(path);
    expect(await opened(source)).toEqual(MATERIAL);
    rmSync(path);
    expect(await opened(source)).toEqual(MATERIAL);
    expect(source.get().rootKeyId).toBe(seal(RIGHT).rootKeyId);
  });

  it("and reads nothing before it is asked: a root key may come later", () => {
    const source = sealsIn(path);
    put(RIGHT);
    expect(source.get().rootKeyId).toBe(seal(RIGHT).rootKeyId);
  });
});

describe("a seal source heals without a restart once the root key was put right", () => {
  it("that was missing", async () => {
    const source = sealsIn(path);
    await expect(opened(source)).rejects.toMatchObject({ code: "SealUnavailable" });
    await expect(opened(source)).rejects.toThrow("does not exist");
    put(RIGHT);
    expect(await opened(source)).toEqual(MATERIAL);
  });

  it("that could be opened by others", async () => {
    put(RIGHT, 0o644);
    const source = sealsIn(path);
    await expect(opened(source)).rejects.toThrow(`run: chmod 600 ${path}`);
    chmodSync(path, 0o600);
    expect(await opened(source)).toEqual(MATERIAL);
  });

  it("that was too short", async () => {
    put(RIGHT.subarray(1));
    const source = sealsIn(path);
    await expect(opened(source)).rejects.toThrow("31 bytes instead of 32");
    put(RIGHT);
    expect(await opened(source)).toEqual(MATERIAL);
  });

  it("that was another one: the error names the version and both root keys", async () => {
    put(WRONG);
    const source = sealsIn(path);
    await expect(opened(source)).rejects.toMatchObject({
      code: "SealUnavailable",
      message:
        `version 7 of key ${BINDING.keyId} is sealed under root key file:${seal(RIGHT).rootKeyId}` +
        ` and ${path} holds ${seal(WRONG).rootKeyId}: put the right root key there`,
    });
    await expect(opened(source)).rejects.toMatchObject({ code: "SealUnavailable" });
    put(RIGHT);
    expect(await opened(source)).toEqual(MATERIAL);
  });
});

describe("a seal source seals nothing under a root key that only this process still has", () => {
  it("as its file was removed; put back, it does again", () => {
    put(RIGHT);
    const source = sealsIn(path);
    expect(source.forSealing()).toBe(source.get());
    rmSync(path);
    expect(() => source.forSealing()).toThrow(/root\.key does not exist; restore it from your backup/);
    put(RIGHT);
    expect(source.forSealing()).toBe(source.get());
  });

  it("as another one is in its file, also where nothing was opened since it sealed", () => {
    put(RIGHT);
    const source = sealsIn(path);
    source.forSealing();
    put(WRONG);
    expect(() => source.forSealing()).toThrow(`root key ${path} holds ${seal(WRONG).rootKeyId} now`);
  });
});

test.each([
  [
    "nothing was ever sealed => how to make or copy one",
    false,
    /this node has no version yet; if this is the first/,
  ],
  ["something was => the backup", true, /restore it from your backup/],
])("without a root key where %s", (_, anySealed, expected) => {
  expect(() => sealsIn(path, () => anySealed).get()).toThrow(expected);
});

test("a root key that vanishes after it sealed something => the backup, whatever the keyring has", () => {
  put(RIGHT);
  const source = sealsIn(path, () => false);
  source.forSealing();
  rmSync(path);
  expect(() => source.forSealing()).toThrow(/restore it from your backup/);
});

describe("a seal source tells of a root key file that is no longer the one in use", () => {
  const source = async () => {
    put(RIGHT);
    const made = sealsIn(path);
    await opened(made);
    made.mustBeInPlace();
    return made;
  };

  it("for it was removed: what is in memory goes on", async () => {
    const used = await source();
    expect(used.changed()).toBe(false);
    rmSync(path);
    expect(used.changed()).toBe(true);
    expect(() => used.mustBeInPlace()).toThrow(`root key ${path} does not exist`);
    expect(used.changed()).toBe(false);
    expect(await opened(used)).toEqual(MATERIAL);
  });

  it("for it was replaced: the error names both, and what is in memory goes on", async () => {
    const used = await source();
    put(WRONG);
    expect(() => used.mustBeInPlace()).toThrow(
      `root key ${path} holds ${seal(WRONG).rootKeyId} now, and this node's versions are sealed under ${seal(RIGHT).rootKeyId}: put that one back before anything here restarts`,
    );
    expect(await opened(used)).toEqual(MATERIAL);
    put(RIGHT);
    expect(() => used.mustBeInPlace()).not.toThrow();
  });

  it("also where a version under a third root key was tried in between", async () => {
    const used = await source();
    await expect(used.unseal(BINDING, await foreign())).rejects.toThrow("put the right root key there");
    put(WRONG);
    await expect(used.unseal(BINDING, await foreign())).rejects.toThrow("put the right root key there");
    expect(() => used.mustBeInPlace()).toThrow(`root key ${path} holds ${seal(WRONG).rootKeyId} now`);
    expect(() => used.forSealing()).toThrow(`root key ${path} holds ${seal(WRONG).rootKeyId} now`);
    expect(await opened(used)).toEqual(MATERIAL);
    put(RIGHT);
    expect(used.forSealing().rootKeyId).toBe(seal(RIGHT).rootKeyId);
  });

  it("and opens on, where it was removed, also after a version under another root key was tried", async () => {
    const used = await source();
    rmSync(path);
    await expect(used.unseal(BINDING, await foreign())).rejects.toThrow("put the right root key there");
    expect(await opened(used)).toEqual(MATERIAL);
    expect(used.held?.rootKeyId).toBe(seal(RIGHT).rootKeyId);
  });

  it("also where the one in its place opens a version that is sealed under it", async () => {
    const used = await source();
    put(WRONG);
    const other = await seal(WRONG).wrap(Secret.take(Buffer.from(MATERIAL)), sealAad(BINDING));
    await expect(used.unseal(BINDING, other)).rejects.toThrow("put the right root key there");
    await used.unseal(BINDING, other);
    expect(() => used.forSealing()).toThrow(`root key ${path} holds ${seal(WRONG).rootKeyId} now`);
    expect(await opened(used)).toEqual(MATERIAL);
  });

  it("and gives up for another one what has opened nothing yet", () => {
    put(WRONG);
    const used = sealsIn(path);
    expect(used.get().rootKeyId).toBe(seal(WRONG).rootKeyId);
    put(RIGHT);
    used.mustBeInPlace();
    expect(used.held?.rootKeyId).toBe(seal(RIGHT).rootKeyId);
  });
});

it("a blob that was altered to name another root key is a mismatch: no other root key would help", async () => {
  put(RIGHT);
  const blob = Buffer.from(sealed.blob);
  blob.writeUInt8(blob.readUInt8(2) ^ 1, 2);
  await expect(sealsIn(path).unseal(BINDING, { ...sealed, blob })).rejects.toMatchObject({
    code: "SealMismatch",
  });
});

it("material of another version is a mismatch, and the source goes on opening its own", async () => {
  put(RIGHT);
  const source = sealsIn(path);
  await expect(source.unseal({ ...BINDING, number: 8 }, sealed)).rejects.toMatchObject({
    code: "SealMismatch",
  });
  expect(await opened(source)).toEqual(MATERIAL);
});

it("no error of a seal source holds bytes of a root key or of material", async () => {
  put(WRONG);
  const wrongKey = await failure(sealsIn(path).unseal(BINDING, sealed));
  put(RIGHT);
  const swapped = await failure(sealsIn(path).unseal({ ...BINDING, number: 8 }, sealed));
  put(RIGHT, 0o644);
  const unsafe = await failure(sealsIn(path).unseal(BINDING, sealed));
  for (const text of [wrongKey, swapped, unsafe]) {
    expect(text).toMatch(/SealUnavailable|SealMismatch/);
    for (const bytes of [RIGHT, WRONG, MATERIAL]) {
      const start = bytes.subarray(0, 9);
      expect(text).not.toContain(start.toString("latin1"));
      expect(text).not.toContain(start.toString("hex"));
      expect(text).not.toContain(start.toString("base64"));
      expect(text).not.toContain(start.join(", "));
    }
  }
});

async function failure(work: Promise<unknown>): Promise<string> {
  const ended = await work.catch((error: unknown) => error);
  return inspect(ended, { depth: null, showHidden: true });
}
