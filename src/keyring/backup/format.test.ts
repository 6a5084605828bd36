import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { key, keyId, version, versionId } from "../../testing/keyring.ts";
import { type Backup, encodeBackup, parseBackup } from "./format.ts";

const alias = { namespace: "apps", name: "main", masterKey: "secrets" };
const backup: Backup = {
  takenAt: "2026-01-02T03:04:05.678Z",
  nodeName: "node-1",
  image: {
    versions: [version(1), version(2, { origin: "EXTERNAL", materialId: "m", validTo: 1_800_000_000_000 })],
    keys: [
      { ...key({ formerKeyIds: [keyId(7), keyId(8)] }), current: { versionId: versionId(2), number: 2 } },
      key({ name: "waits", keyId: keyId(2), enabled: false }),
    ],
    aliases: [
      alias,
      {
        ...alias,
        name: "moved",
        formerTargets: [{ keyId: keyId(3), number: 4, versionId: versionId(5) }],
      },
    ],
    objects: [{ kind: "MasterKey", namespace: "apps", name: "secrets", json: '{"spec":{"x":"é\\n"}}' }],
  },
};
const TEXT = encodeBackup(backup);
const parse = (text: string) => parseBackup(Buffer.from(text), "/backup/b");
const failure = (message: string | RegExp) =>
  expect.objectContaining({ code: "KeyringCorrupt", message: expect.stringMatching(message) });

/** Returns a text with a valid last line, as somebody who knows the format can make it. */
function vouched(lines: readonly string[]): string {
  const body = lines.map((line) => `${line}\n`).join("");
  const end = { lines: lines.length, sha256: createHash("sha256").update(body).digest("hex") };
  return `${body}${JSON.stringify({ end })}\n`;
}
const HEADER = '{"clavigerBackup":{"format":1,"takenAt":"t","node":"n"}}';

test("what is written is read again", () => {
  expect(encodeBackup(parse(TEXT))).toBe(TEXT);
  expect(parse(TEXT)).toMatchObject({
    takenAt: backup.takenAt,
    nodeName: "node-1",
    image: {
      ...backup.image,
      versions: [{ number: 1 }, { number: 2, validTo: 1_800_000_000_000, sealed: { rootKeyId: "root-1" } }],
    },
  });
});

test("an empty keyring => a backup of nothing, which is one", () => {
  const image = { versions: [], keys: [], aliases: [], objects: [] };
  expect(parse(encodeBackup({ ...backup, image })).image).toEqual(image);
});

test("a version is written as a KeyVersion's spec has it", () => {
  const line = TEXT.split("\n").find((text) => text.startsWith('{"version":'));
  expect(JSON.parse(line ?? "")).toEqual({
    version: {
      versionId: versionId(1),
      keyId: keyId(1),
      number: 1,
      masterKey: { namespace: "apps", name: "secrets" },
      keySpec: "SYMMETRIC_DEFAULT",
      keyUsage: "ENCRYPT_DECRYPT",
      origin: "AWS_KMS",
      seal: { provider: "file", rootKeyId: "root-1", sealed: Buffer.from("blob 1").toString("base64") },
    },
  });
});

describe("what is no whole backup of this format => says what it is", () => {
  const lines = TEXT.split("\n").slice(0, -1);
  test.each([
    ["an empty file", "", /is not a backup of claviger/],
    ["another file", "apiVersion: v1\nkind: List\n", /is not a backup of claviger/],
    ["a keyring", "SQLite format 3\0", /is not a backup of claviger/],
    ["a newer format", vouched([HEADER.replace("1,", "2,")]), /has format 2 and this release knows 1/],
    ["no format", vouched(['{"clavigerBackup":{}}']), /has format undefined/],
    ["a header that is not JSON", '{"clavigerBackup":{\n', /a line that is not JSON/],
    ["the header alone", `${HEADER}\n`, /is cut off/],
    ["cut before the last line", `${lines.slice(0, -1).join("\n")}\n`, /is cut off/],
    ["cut in the last line", TEXT.slice(0, -20), /is cut off/],
    ["without its last newline", TEXT.slice(0, -1), /is cut off/],
    ["with something after its end", `${TEXT}{}\n`, /is cut off/],
    ["a line taken out", [lines[0], ...lines.slice(2), ""].join("\n"), /was altered/],
    ["a letter changed", TEXT.replace("node-1", "node-2"), /was altered/],
    ["line ends changed", TEXT.replaceAll("\n", "\r\n"), /was altered/],
  ])("%s", (_, text, message) => {
    expect(() => parse(text)).toThrow(failure(message));
  });

  test.each([
    ["a version without its seal", '{"version":{"number":1}}', /line 2: .*column|versionId/],
    [
      "a key with an id that is none",
      '{"key":{"namespace":"a","name":"b","keyId":"c"}}',
      /line 2: keyId must be/,
    ],
    ["an alias without a target", '{"alias":{"namespace":"a","name":"b"}}', /line 2: .*master_key/],
    ["a record of another release", '{"grant":{}}', /line 2: it has a field that this release does not know/],
    [
      "a field of another release",
      '{"alias":{"namespace":"a","name":"b","masterKey":"c","until":{"x":1}}}',
      /line 2: it has a field that this release does not know: use the release that wrote it/,
    ],
    ["not JSON", "sealed material", /a line that is not JSON/],
  ])("%s", (_, line, message) => {
    expect(() => parse(vouched([HEADER, line]))).toThrow(failure(message));
  });

  test("every single cut => refused", () => {
    for (let at = 0; at < TEXT.length; at++) expect(() => parse(TEXT.slice(0, at))).toThrow(failure(""));
  });

  test("every single changed byte => refused", () => {
    const bytes = Buffer.from(TEXT);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => parseBackup(changed, "b"), `byte ${at}`).toThrow(failure(""));
    }
  });

  test("an error names the file and quotes nothing of it", () => {
    const attempt = () => parse(vouched([HEADER, '{"version":canary}']));
    expect(attempt).toThrow("/backup/b");
    expect(attempt).not.toThrow("canary");
  });
});
