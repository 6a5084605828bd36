import { expect, it } from "vitest";
import {
  isSignedBy,
  type Note,
  noteSigner,
  noteText,
  parseNote,
  parseVerifier,
  signNote,
  verifierText,
} from "./signed-note.ts";

const TEXT = "example.com/log\n3\nroot\n";
const signer = noteSigner("example.com/log", Buffer.alloc(32, 7));
const parsed = (note: string): Note => parseNote(note) ?? expect.fail(`no note: ${note}`);

it("the note and the verifier's key of Go's documentation are read, and its signature is good", () => {
  // golang.org/x/mod/sumdb/note, the example of the package.
  const verifier = parseVerifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const note =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  expect(verifier && isSignedBy(parsed(note), verifier)).toBe(true);
  expect(verifier && verifierText(verifier)).toContain("PeterNeumann+c74f20a3+");
  expect(verifier && isSignedBy(parsed(note.replace("your problem is", "my problem is")), verifier)).toBe(
    false,
  );
});

it("a note is good by its signer's key alone, as text too", () => {
  const note = signNote(TEXT, signer, noteSigner("example.com/other", Buffer.alloc(32, 8)));
  expect(noteText(parsed(note))).toBe(note);
  expect(parsed(note).text).toBe(TEXT);
  const verifier = parseVerifier(verifierText(signer.verifier));
  expect(verifier).toEqual(signer.verifier);
  expect(isSignedBy(parsed(note), signer.verifier)).toBe(true);
  expect(isSignedBy(parsed(note), noteSigner("example.com/log", Buffer.alloc(32, 9)).verifier)).toBe(false);
  expect(isSignedBy(parsed(note.replace("3", "4")), signer.verifier)).toBe(false);
});

it.each([
  ["no signature", TEXT],
  ["no signature after the empty line", `${TEXT}\n`],
  ["no newline at its end", signNote(TEXT, signer).slice(0, -1)],
  ["another dash", signNote(TEXT, signer).replace("—", "-")],
  ["a word too many", signNote(TEXT, signer).replace("log ", "log log ")],
  ["other characters than base64", signNote(TEXT, signer).replace(/=\n$/, "!\n")],
  ["65 signatures", signNote(TEXT, ...Array.from({ length: 65 }, () => signer))],
  ["more than 64 KiB", signNote(`${"x".repeat(65_536)}\n`, signer)],
])("a note with %s is none", (_, note) => {
  expect(parseNote(note)).toBeUndefined();
});

it.each(["", "name", "name+00000000+AQ==", "na me+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"])(
  "the key %j is none",
  (text) => {
    expect(parseVerifier(text)).toBeUndefined();
  },
);

it.each(["", "a b", "a+b", "a\n", "x".repeat(513)])("a key cannot have the name %j", (name) => {
  expect(() => noteSigner(name, Buffer.alloc(32))).toThrow("name of a key");
});
