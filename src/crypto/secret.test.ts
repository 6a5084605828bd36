import { format, inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secret } from "./secret.ts";

const BYTES = Buffer.from("canary: these bytes must stay in", "ascii");
const secret = () => Secret.take(Buffer.from(BYTES));

/** The forms in which secret bytes could be printed. */
const CANARIES = [
  BYTES.toString("latin1").slice(0, 8),
  BYTES.toString("hex").slice(0, 16),
  BYTES.toString("base64").slice(0, 10),
  [...BYTES.subarray(0, 4)].join(","),
  [...BYTES.subarray(0, 4)].join(", "),
  BYTES.toString("hex").slice(0, 8).replaceAll(/(..)/g, "$1 ").trim(),
];

describe("a secret shows no bytes", () => {
  const shown: Record<string, () => string> = {
    "as a string": () => String(secret()),
    "in a template": () => `key: ${secret()}`,
    "when added to a string": () => `${"key: "}${secret().toString()}`,
    "in JSON": () => JSON.stringify({ key: secret(), keys: [secret()] }),
    "to inspect": () => inspect(secret()),
    "to inspect, nested": () =>
      inspect({ a: { b: [secret(), new Map([["k", secret()]])] } }, { depth: null }),
    "to inspect with hidden properties": () => inspect(secret(), { showHidden: true, depth: null }),
    "to inspect without its own inspection": () =>
      inspect(secret(), { customInspect: false, showHidden: true, depth: null }),
    "to console.log's formats": () =>
      format("%s %o %O %j %d", secret(), secret(), secret(), secret(), secret()),
    "when spread": () => inspect({ ...secret() }),
    "when cloned": () => inspect(structuredClone(secret())),
    "in an error's message and cause": () =>
      inspect(new Error(`failed with ${secret()}`, { cause: { key: secret() } })),
    "by its own names": () => inspect(Reflect.ownKeys(secret()).concat(Object.keys(secret()))),
    "with the key that was made of it": () => inspect(keyed(), { customInspect: false, showHidden: true }),
    "in the error of a wiped one": () => inspect(caught(wiped())),
  };

  it.each(Object.entries(shown))("%s", (_, show) => {
    const text = show();
    for (const canary of CANARIES) expect(text).not.toContain(canary);
  });

  it("and says what it is where a text is asked for", () => {
    expect(`${secret()}`).toBe("[secret]");
    expect(JSON.stringify([secret()])).toBe('["[secret]"]');
    expect(inspect({ key: secret() })).toBe("{ key: [secret] }");
  });
});

describe("exposeSecretBytes", () => {
  it("gives the bytes themselves, and size their number", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const taken = Secret.take(bytes);
        expect(taken.exposeSecretBytes()).toBe(bytes);
        expect(taken.size).toBe(bytes.length);
      }),
    );
  });

  it("throws once the secret was wiped, so that zeros are never a key", () => {
    expect(() => wiped().exposeSecretBytes()).toThrow("a wiped secret was used");
  });
});

describe("exposeSecretKey", () => {
  it("gives the same bytes as a key of node:crypto, made once", () => {
    const taken = secret();
    expect(taken.exposeSecretKey().export()).toEqual(BYTES);
    expect(taken.exposeSecretKey()).toBe(taken.exposeSecretKey());
  });

  it("throws once the secret was wiped, whether a key was made before or not", () => {
    const used = secret();
    used.exposeSecretKey();
    used.wipe();
    for (const taken of [used, wiped()]) {
      expect(() => taken.exposeSecretKey()).toThrow("a wiped secret was used");
    }
  });
});

describe("wipe", () => {
  it("zeroes the buffer and may be called again", () => {
    const bytes = Buffer.from(BYTES);
    const taken = Secret.take(bytes);
    taken.wipe();
    taken.wipe();
    expect(bytes).toEqual(Buffer.alloc(BYTES.length));
  });

  it("is what leaving the scope of `using` does, by a throw too", () => {
    const bytes = Buffer.from(BYTES);
    const leave = () => {
      using held = Secret.take(bytes);
      throw new Error(`left with ${held.size} bytes`);
    };
    expect(leave).toThrow("left with 32 bytes");
    expect(bytes).toEqual(Buffer.alloc(BYTES.length));
  });
});

describe("Secret.random", () => {
  it("gives as many bytes as asked for, others each time", () => {
    const drawn = Array.from({ length: 50 }, () =>
      Buffer.from(Secret.random(32).exposeSecretBytes()).toString("hex"),
    );
    expect(new Set(drawn).size).toBe(50);
    expect(drawn.every((hex) => hex.length === 64)).toBe(true);
  });
});

function keyed(): Secret {
  const taken = secret();
  taken.exposeSecretKey();
  return taken;
}

function wiped(): Secret {
  const taken = secret();
  taken.wipe();
  return taken;
}

function caught(taken: Secret): unknown {
  try {
    return taken.exposeSecretBytes();
  } catch (error) {
    return error;
  }
}
