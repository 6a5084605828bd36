import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesField, entryField, stringField, varintField } from "../../protobuf.ts";
import { parseEncryptionConfig } from "../encryption-config/encryption-config.ts";
import { storedNames, storedValue } from "./stored-value.ts";

interface Parts {
  readonly data?: Uint8Array;
  readonly keyId?: string;
  readonly dekSource?: Uint8Array;
  readonly type?: number;
}

const envelope = ({ data, keyId, dekSource, type }: Parts = {}): Buffer =>
  Buffer.concat([
    ...bytesField(1, data ?? Buffer.from("ciphertext")),
    ...stringField(2, keyId ?? "key-1"),
    ...bytesField(3, dekSource ?? Buffer.from("seed")),
    ...entryField(4, Buffer.concat([...stringField(1, "a.example.com"), ...stringField(2, "x")])),
    ...varintField(5, type ?? 1),
  ]);
const text = (...parts: (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));

describe("a value of etcd => how it is stored", () => {
  test.each([
    ["protobuf as identity stores it", "k8s\0\n\f\n\x02v1", { kind: "plain" }],
    ["JSON", '{"kind":"Secret"}', { kind: "plain" }],
    ["nothing", "", { kind: "plain" }],
    ["a value that only mentions the prefix", "x k8s:enc:kms:v2:a:", { kind: "plain" }],
    ["a part of the prefix", "k8s:en", { kind: "plain" }],
    ["aescbc", "k8s:enc:aescbc:v1:key1:bytes", { kind: "aescbc", keyName: "key1" }],
    ["aesgcm", "k8s:enc:aesgcm:v1:key1:", { kind: "aesgcm", keyName: "key1" }],
    ["secretbox", "k8s:enc:secretbox:v1:a b:bytes", { kind: "secretbox", keyName: "a b" }],
    ["kms v1", "k8s:enc:kms:v1:cloud:\0\x01x", { kind: "kms-v1", provider: "cloud" }],
    ["the bare prefix", "k8s:enc:", { kind: "damaged" }],
    ["another kind", "k8s:enc:rot13:v1:a:", { kind: "damaged" }],
    ["another version", "k8s:enc:aescbc:v2:a:", { kind: "damaged" }],
    ["a key without a name", "k8s:enc:aescbc:v1::x", { kind: "damaged" }],
    ["a key name without its end", "k8s:enc:aescbc:v1:abc", { kind: "damaged" }],
    ["a name past the bound", `k8s:enc:aescbc:v1:${"a".repeat(1_025)}:`, { kind: "damaged" }],
    ["a provider without a name", "k8s:enc:kms:v1::x", { kind: "damaged" }],
    ["kms v2 without its end", "k8s:enc:kms:v2:secrets", { kind: "damaged" }],
    ["kms v2 with nothing in it", "k8s:enc:kms:v2:secrets:", { kind: "damaged", provider: "secrets" }],
    ["kms v2 that is cut", "k8s:enc:kms:v2:secrets:\n\x7fabc", { kind: "damaged", provider: "secrets" }],
  ])("%s", (_, value, expected) => {
    expect(storedValue(Buffer.from(value))).toEqual(expected);
  });
  test("names with colons that the EncryptionConfiguration has => are whole, the longest that fits", () => {
    const secret = Buffer.alloc(32).toString("base64");
    const names = ["key", "key:2026", "aescbckey-2026-03-09T09:46:54+01:00"];
    const keys = names.map((name) => ({ name, secret }));
    const config = parseEncryptionConfig(
      JSON.stringify({
        apiVersion: "apiserver.config.k8s.io/v1",
        kind: "EncryptionConfiguration",
        resources: [
          {
            resources: ["secrets"],
            providers: [{ aescbc: { keys } }, { secretbox: { keys: keys.slice(1, 2) } }],
          },
          { resources: ["pods"], providers: [{ kms: { name: "aws:kms", endpoint: "unix:///x" } }] },
        ],
      }),
      "/enc.json",
    );
    const read = (value: string) => storedValue(Buffer.from(value), storedNames(config));
    for (const name of names)
      expect(read(`k8s:enc:aescbc:v1:${name}:bytes`)).toEqual({ kind: "aescbc", keyName: name });
    expect(read("k8s:enc:kms:v1:aws:kms:\0x")).toEqual({ kind: "kms-v1", provider: "aws:kms" });
    expect(read("k8s:enc:secretbox:v1:key:2026:")).toEqual({ kind: "secretbox", keyName: "key:2026" });
    // A name of another kind, or an unknown name, ends at the first colon.
    expect(read("k8s:enc:aesgcm:v1:key:2026:x")).toEqual({ kind: "aesgcm", keyName: "key" });
    expect(read("k8s:enc:aescbc:v1:other:2026:x")).toEqual({ kind: "aescbc", keyName: "other" });
  });
  test("a name that is not UTF-8", () => {
    expect(storedValue(text("k8s:enc:aescbc:v1:", Buffer.of(0xff), ":"))).toEqual({ kind: "damaged" });
  });
  test("kms v2 => its provider and key_id, and nothing of the data", () => {
    expect(storedValue(text("k8s:enc:kms:v2:secrets:", envelope()))).toEqual({
      kind: "kms-v2",
      provider: "secrets",
      keyId: "key-1",
    });
  });
  const rows: readonly (readonly [string, Parts])[] = [
    ["no key_id", { keyId: "" }],
    ["a key_id past the API server's bound", { keyId: "k".repeat(1_025) }],
    ["no data", { data: Buffer.alloc(0) }],
    ["no seed", { dekSource: Buffer.alloc(0) }],
    ["a seed past the API server's bound", { dekSource: Buffer.alloc(1_025) }],
    ["a type of seed that there is not", { type: 2 }],
  ];
  test.each(rows)("kms v2 with %s => damaged: no API server reads it", (_, parts) => {
    const value = text("k8s:enc:kms:v2:secrets:", envelope(parts));
    expect(storedValue(value)).toEqual({ kind: "damaged", provider: "secrets" });
  });
  test("the old way, a key instead of a seed => is read", () => {
    expect(storedValue(text("k8s:enc:kms:v2:s:", envelope({ type: 0 })))).toMatchObject({ kind: "kms-v2" });
  });
});

describe("any bytes", () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value));
  const prefix = fc.constantFrom(
    "k8s:enc:",
    "k8s:enc:kms:v2:",
    "k8s:enc:kms:v2:secrets:",
    "k8s:enc:kms:v1:",
    "k8s:enc:aescbc:v1:",
  );
  test("behind any prefix => an answer, never an error, and one without the bytes", () => {
    fc.assert(
      fc.property(prefix, bytes, (start, rest) => {
        const stored = storedValue(text(start, rest));
        expect(stored.kind).not.toBe("plain");
        expect(
          Object.keys(stored).filter((name) => !["kind", "provider", "keyId", "keyName"].includes(name)),
        ).toEqual([]);
      }),
      { numRuns: 5_000 },
    );
  });
  test("of an envelope that was cut or changed => kms v2 or damaged", () => {
    const whole = text("k8s:enc:kms:v2:secrets:", envelope());
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, end) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        expect(() => storedValue(changed.subarray(0, end))).not.toThrow();
      }),
      { numRuns: 5_000 },
    );
  });
});
