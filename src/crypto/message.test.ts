import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CiphertextFlaw, InvalidCiphertext } from "../errors.ts";
import type { EncryptionContext } from "./context.ts";
import { newKeyId, newVersionId } from "./ids.ts";
import {
  decryptMessage,
  encryptMessage,
  encryptWithSalt,
  HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  MessageCipher,
  type MessageScope,
  OVERHEAD_BYTES,
  parseMessage,
} from "./message.ts";
import { Secret } from "./secret.ts";
import type { Purpose } from "./suite1.ts";

const PURPOSES: readonly Purpose[] = ["kms-v2", "aws-kms", "seal-file"];
const SEED = Buffer.from("canary: these bytes must stay in", "ascii");

const plaintexts = fc.uint8Array({ maxLength: 4096, size: "max" });
const contexts: fc.Arbitrary<EncryptionContext> = fc.dictionary(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  { maxKeys: 5 },
);

function newScope(rest: Partial<MessageScope> = {}): MessageScope {
  const material = Secret.random(32);
  return {
    keyId: newKeyId(),
    versionId: newVersionId(),
    material,
    purpose: "kms-v2",
    context: {},
    ...rest,
  };
}

const open = (scope: MessageScope, bytes: Uint8Array): Buffer => decryptMessage(scope, parseMessage(bytes));

describe("a message", () => {
  it.each([0, 31, 33])("is not made with a salt of %d bytes: nobody could open it", (size) => {
    expect(() => encryptWithSalt(newScope(), SEED, new Uint8Array(size))).toThrow("a salt has 32 bytes");
  });

  it("opens to what was encrypted, for any plaintext up to 4096 bytes, context and purpose", () => {
    fc.assert(
      fc.property(plaintexts, contexts, fc.constantFrom(...PURPOSES), (plaintext, context, purpose) => {
        const scope = newScope({ context, purpose });
        const message = encryptMessage(scope, plaintext);
        expect(message).toHaveLength(plaintext.length + OVERHEAD_BYTES);
        expect(Buffer.compare(open(scope, message), plaintext)).toBe(0);
      }),
    );
  });

  it("names its key and version, which is how a door finds the material", () => {
    const scope = newScope();
    const { keyId, versionId } = parseMessage(encryptMessage(scope, SEED));
    expect({ keyId, versionId }).toEqual({ keyId: scope.keyId, versionId: scope.versionId });
  });

  it("has 32 bytes of ids as text, the same as its cipher's and no other version's", () => {
    const scope = newScope();
    const { ids } = parseMessage(encryptMessage(scope, SEED));
    expect(ids).toBe(new MessageCipher(scope).ids);
    expect(Buffer.from(ids, "latin1")).toHaveLength(32);
    expect(ids).not.toBe(new MessageCipher({ ...scope, versionId: newVersionId() }).ids);
    expect(ids).not.toBe(new MessageCipher({ ...scope, keyId: newKeyId() }).ids);
  });

  it("is no longer made or opened once the material was wiped", () => {
    const scope = newScope();
    const cipher = new MessageCipher(scope);
    const message = parseMessage(cipher.encrypt(SEED));
    scope.material.wipe();
    expect(() => cipher.encrypt(SEED)).toThrow("a wiped secret was used");
    expect(() => cipher.decrypt(message)).toThrow("a wiped secret was used");
  });

  it("has a ciphertext that no later one changes", () => {
    const cipher = new MessageCipher(newScope());
    const first = cipher.encrypt(SEED);
    const before = Buffer.from(first);
    for (let call = 0; call < 300; call++) cipher.encrypt(SEED).fill(0);
    expect(first).toEqual(before);
    expect(cipher.decrypt(parseMessage(first))).toEqual(SEED);
  });

  it("is another one each time, though the plaintext is the same", () => {
    const scope = newScope();
    const made = Array.from({ length: 300 }, () => encryptMessage(scope, SEED).toString("hex"));
    expect(new Set(made.map((hex) => hex.slice(68, 132))).size).toBe(300);
    expect(new Set(made.map((hex) => hex.slice(2 * HEADER_BYTES))).size).toBe(300);
  });

  it("holds the plaintext nowhere in the clear", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 200 }), (plaintext) => {
        const message = encryptMessage(newScope(), plaintext);
        expect(message.includes(plaintext)).toBe(false);
      }),
    );
  });

  it("has at most 4096 bytes of plaintext: more would make what nobody can open", () => {
    const scope = newScope();
    expect(open(scope, encryptMessage(scope, Buffer.alloc(4096)))).toHaveLength(4096);
    expect(() => encryptMessage(scope, Buffer.alloc(4097))).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
  });

  it("leaves its input as it was", () => {
    const scope = newScope({ context: { a: "b" } });
    const message = encryptMessage(scope, SEED);
    const before = Buffer.from(message);
    open(scope, message);
    expect(message).toEqual(before);
    expect(SEED.toString("ascii")).toMatch(/^canary/);
  });
});

describe("a changed message is refused", () => {
  const scope = newScope({ context: { tenant: "alpha" } });
  const message = encryptMessage(scope, SEED);

  /** What each part answers to a change of it. */
  const flawAt = (byte: number): CiphertextFlaw => {
    if (byte === 0) return "UnknownFormat";
    if (byte === 1) return "UnknownSuite";
    if (byte < 34) return "WrongKey";
    return byte < HEADER_BYTES ? "CommitmentMismatch" : "TagMismatch";
  };

  it("whichever single bit of it differs", () => {
    for (let bit = 0; bit < message.length * 8; bit++) {
      const byte = bit >> 3;
      const altered = Buffer.from(message);
      altered.writeUInt8(altered.readUInt8(byte) ^ (1 << (bit & 7)), byte);
      expect(`byte ${byte}: ${flawOf(() => open(scope, altered))}`).toBe(`byte ${byte}: ${flawAt(byte)}`);
    }
  });

  it("wherever it is cut off", () => {
    for (let length = 0; length < message.length; length++) {
      const flaw = length < OVERHEAD_BYTES ? "Truncated" : "TagMismatch";
      expect(flawOf(() => open(scope, message.subarray(0, length)))).toBe(flaw);
    }
  });

  it("wherever its beginning is missing", () => {
    for (let start = 1; start < message.length; start++) {
      expect(() => open(scope, message.subarray(start))).toThrow(InvalidCiphertext);
    }
  });

  it("whatever is put behind it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (more) => {
        expect(flawOf(() => open(scope, Buffer.concat([message, more])))).toBe("TagMismatch");
      }),
    );
  });

  it("whichever of its parts comes from another message of the same key", () => {
    const other = encryptMessage(scope, SEED);
    for (const cut of [66, HEADER_BYTES, message.length - 16]) {
      const mixed = Buffer.concat([message.subarray(0, cut), other.subarray(cut)]);
      expect(() => open(scope, mixed)).toThrow(InvalidCiphertext);
    }
  });
});

describe("a message opens only where it was meant to", () => {
  it("under its context, and no other", () => {
    fc.assert(
      fc.property(contexts, contexts, (made, asked) => {
        const scope = newScope({ context: made });
        const message = encryptMessage(scope, SEED);
        const opened = flawOf(() => open({ ...scope, context: asked }, message));
        expect(opened).toBe(sameContext(made, asked) ? undefined : "TagMismatch");
      }),
    );
  });

  it.each(PURPOSES.flatMap((made) => PURPOSES.map((asked) => ({ made, asked }))))(
    "made for $made, asked for $asked",
    ({ made, asked }) => {
      const scope = newScope({ purpose: made });
      const message = encryptMessage(scope, SEED);
      const flaw = flawOf(() => open({ ...scope, purpose: asked }, message));
      expect(flaw).toBe(made === asked ? undefined : "CommitmentMismatch");
    },
  );

  it("under its key and version, though another has the same material", () => {
    const scope = newScope();
    const message = encryptMessage(scope, SEED);
    expect(flawOf(() => open({ ...scope, keyId: newKeyId() }, message))).toBe("WrongKey");
    expect(flawOf(() => open({ ...scope, versionId: newVersionId() }, message))).toBe("WrongKey");
  });

  it("under its material, by the commitment", () => {
    const scope = newScope();
    const message = encryptMessage(scope, SEED);
    expect(flawOf(() => open({ ...scope, material: Secret.random(32) }, message))).toBe("CommitmentMismatch");
  });
});

describe("parseMessage", () => {
  it("reads any bytes, or refuses them with one of four flaws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: MAX_MESSAGE_BYTES + 10, size: "max" }), (bytes) => {
        expect([undefined, "Truncated", "Oversized", "UnknownFormat", "UnknownSuite"]).toContain(
          flawOf(() => parseMessage(bytes)),
        );
      }),
    );
  });

  it("judges the length before anything else", () => {
    expect(flawOf(() => parseMessage(new Uint8Array(OVERHEAD_BYTES - 1)))).toBe("Truncated");
    expect(flawOf(() => parseMessage(new Uint8Array(OVERHEAD_BYTES)))).toBe("UnknownFormat");
    expect(flawOf(() => parseMessage(new Uint8Array(MAX_MESSAGE_BYTES)))).toBe("UnknownFormat");
    expect(flawOf(() => parseMessage(new Uint8Array(MAX_MESSAGE_BYTES + 1)))).toBe("Oversized");
  });
});

describe("the errors of messages", () => {
  const scope = newScope({ context: { tenant: "alpha" } });
  const message = encryptMessage(scope, SEED);
  const refusals = [
    () => open(scope, message.subarray(0, 10)),
    () => open(scope, Buffer.concat([message, Buffer.alloc(5000)])),
    () => open({ ...scope, keyId: newKeyId() }, message),
    () => open({ ...scope, material: Secret.random(32) }, message),
    () => open({ ...scope, context: {} }, message),
    () => open({ ...scope, context: { "\ud83d": "canary" } }, message),
    () => encryptMessage(scope, Buffer.alloc(5000, "canary")),
    () => encryptMessage({ ...scope, context: { a: "\ud83d" } }, SEED),
  ].map(errorOf);

  it("say the same to the caller, whatever the flaw", () => {
    const told = refusals.filter((error) => error instanceof InvalidCiphertext).map((error) => error.message);
    expect(told).toHaveLength(5);
    expect(new Set(told)).toEqual(new Set(["the ciphertext is not valid for this key, purpose and context"]));
  });

  it("hold no bytes of material, plaintext or message", () => {
    const material = scope.material.exposeSecretBytes();
    for (const text of refusals.map((error) => inspect(error, { depth: null, showHidden: true }))) {
      for (const bytes of [material, SEED, message]) {
        for (const canary of canaries(bytes)) expect(text).not.toContain(canary);
      }
    }
  });
});

function flawOf(work: () => unknown): CiphertextFlaw | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof InvalidCiphertext) return error.flaw;
    throw error;
  }
}

function errorOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

function sameContext(a: EncryptionContext, b: EncryptionContext): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Returns the forms in which bytes could be printed. */
function canaries(bytes: Uint8Array): string[] {
  const start = Buffer.from(bytes.subarray(0, 9));
  return [start.toString("hex"), start.toString("base64"), start.toString("latin1"), start.join(", ")];
}
