import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { messageLine, parseMessage } from "./message.ts";
import { readInput } from "./read-input.ts";
import { roundTripText } from "./round-trip-text.ts";

const encrypted = { ciphertext: Buffer.from("sealed"), keyId: "18e548cdc3af47a9b8a583c0631245d4" };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

test("a line of encrypt => decrypt's request, with the annotations of other providers too", () => {
  const line = messageLine(encrypted);
  expect(line.split("\n")).toHaveLength(2);
  expect(parseMessage(Buffer.from(line))).toEqual({ ...encrypted, annotations: new Map() });
  const annotated = { ...JSON.parse(line), annotations: { "a.example.com": "AQI=" } };
  expect(parseMessage(bytes(annotated)).annotations).toEqual(
    new Map([["a.example.com", Buffer.from([1, 2])]]),
  );
});

test.each([
  ["no JSON", Buffer.from("hello secret")],
  ["JSON of another kind", bytes(["secret"])],
  ["no key_id", bytes({ ciphertext: "AQI=" })],
  ["no base64", bytes({ keyId: "k", ciphertext: "secret!" })],
  ["an annotation that is no base64", bytes({ keyId: "k", ciphertext: "AQI=", annotations: { a: 1 } })],
])("stdin has %s => one sentence that quotes nothing of it", (_, input) => {
  expect(() => parseMessage(input)).toThrow(/^(?!.*secret).*stdin.*$/);
});

const input = (chunks: readonly Buffer[], isTTY = false) =>
  Object.assign(Readable.from(chunks, { objectMode: true }), { isTTY });

test("more bytes than the limit => refused without reading the rest", async () => {
  let taken = 0;
  function* endless() {
    for (;;) {
      taken += 1;
      yield Buffer.alloc(600);
    }
  }
  const stream = Readable.from(endless(), { objectMode: true, highWaterMark: 1 });
  await expect(readInput("a text", 1024, () => undefined, stream)).rejects.toThrow(
    "stdin has more than 1024 bytes",
  );
  expect(taken).toBeLessThan(10);
});

test("a terminal => says what it waits for; a pipe => nothing", async () => {
  const said: string[] = [];
  const say = (text: string) => said.push(text);
  await readInput("a text", 10, say, input([Buffer.from("a")]));
  expect(said).toEqual([]);
  expect(await readInput("a text", 10, say, input([Buffer.from("a"), Buffer.from("b")], true))).toEqual(
    Buffer.from("ab"),
  );
  expect(said).toEqual(["waiting for a text on stdin; Ctrl-D ends it"]);
});

test("a round trip => both sizes and times, the ciphertext, and never the plaintext", () => {
  const plaintext = Buffer.from("secret words");
  const result = { key: "a/b", plaintext, encrypted, encryptMilliseconds: 2.04, decryptMilliseconds: 1 };
  const text = roundTripText({ ...result, opened: Buffer.from(plaintext) });
  expect(text).toBe(
    `encrypted  12 bytes to 6 in 2.0 ms, under a/b\n${messageLine(encrypted)}decrypted  to the same 12 bytes in 1.0 ms\n`,
  );
  expect(text).not.toContain("secret");
  expect(() => roundTripText({ ...result, opened: Buffer.from("other") })).toThrow("did not return");
});
