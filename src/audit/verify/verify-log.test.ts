import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AUDIT_ORIGIN, type AuditFiles, writeAuditFiles } from "../../testing/audit-files.ts";
import { signCheckpoint } from "../notes/checkpoint.ts";
import { noteSigner, parseVerifier } from "../notes/signed-note.ts";
import { leafHash } from "../tree/hashes.ts";
import { RightEdge } from "../tree/right-edge.ts";
import type { Finding } from "./finding.ts";
import type { VerifyOptions } from "./verification.ts";
import { verifyLog } from "./verify-log.ts";

const SIZE = 10_000;
const FILE_LINES = 3_000;

let base: string;
let log: AuditFiles;
let plain: string;
let copies = 0;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "claviger-verify-"));
  plain = join(base, "plain");
  log = writeAuditFiles({
    path: join(plain, "audit.jsonl"),
    lines: SIZE,
    fileLines: FILE_LINES,
    keyLines: 4_000,
  });
});
afterAll(() => rmSync(base, { recursive: true }));

/** Returns a copy of the log, and how to change its files. */
function copied(from = plain) {
  copies += 1;
  const folder = join(base, `copy-${copies}`);
  cpSync(from, folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  return {
    folder,
    read: (name: string) => readFileSync(at(name)),
    change: (name: string, by: (bytes: Buffer) => Buffer) =>
      writeFileSync(at(name), by(readFileSync(at(name)))),
    remove: (name: string) => rmSync(at(name)),
    verify: (options: Partial<VerifyOptions> = {}) =>
      verifyLog({ path: at("audit.jsonl"), now: Date.now(), ...options }),
    drop: () => rmSync(folder, { recursive: true }),
  };
}

const NAMES = [
  "audit-00000000000000.jsonl.gz",
  "audit-00000000003000.jsonl",
  "audit-00000000006000.jsonl",
  "audit.jsonl",
] as const;

/** Changes the lines of the file that has a line. */
const changeLines =
  (change: (lines: Buffer[], at: number) => void) => (copy: ReturnType<typeof copied>, number: number) => {
    const file = Math.floor(number / FILE_LINES);
    const name = NAMES[file] ?? "audit.jsonl";
    copy.change(name, (bytes) => {
      const text = name.endsWith(".gz") ? gunzipSync(bytes) : bytes;
      const lines = linesOf(text);
      change(lines, number - file * FILE_LINES);
      const changed = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
      return name.endsWith(".gz") ? gzipSync(changed) : changed;
    });
    return name;
  };

const linesOf = (text: Buffer): Buffer[] =>
  text
    .toString("latin1")
    .slice(0, -1)
    .split("\n")
    .map((line) => Buffer.from(line, "latin1"));

const faults = (findings: readonly Finding[]) => findings.filter(({ isFault }) => isFault);
const names = (finding: Finding, number: number): boolean =>
  finding.from !== undefined && finding.from <= number && number < (finding.to ?? finding.from + 1);

it("finds nothing in a log of 10,000 lines, four files and three keys, by any of its keys", async () => {
  const copy = copied();
  const found = await copy.verify();
  expect(found).toMatchObject({ lines: SIZE, signed: SIZE, findings: [], faults: 0, origin: AUDIT_ORIGIN });
  expect(found.keys).toEqual(log.keys);
  expect(found.keys).toHaveLength(3);
  for (const key of log.keys) expect((await copy.verify({ key: parseVerifier(key) })).findings).toEqual([]);
});

it("finds each flipped bit, removed, swapped, repeated and cut line, and names it", async () => {
  const bit = fc.record({ kind: fc.constant("bit" as const), at: fc.nat(), bit: fc.nat({ max: 7 }) });
  const other = fc.record({
    kind: fc.constantFrom("remove" as const, "swap" as const, "repeat" as const, "cut" as const),
    at: fc.nat(),
    bit: fc.constant(0),
  });
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: SIZE - 1 }), fc.oneof(bit, other), async (number, fault) => {
      const copy = copied();
      const to = faultyLine(copy, number, fault);
      const found = faults((await copy.verify()).findings);
      copy.drop();
      expect(found).not.toEqual([]);
      expect(
        found.some((finding) => to(finding)),
        JSON.stringify(found),
      ).toBe(true);
      expect(found.length).toBeLessThan(8);
    }),
    { numRuns: 40 },
  );
}, 300_000);

interface Fault {
  readonly kind: "bit" | "remove" | "swap" | "repeat" | "cut";
  readonly at: number;
  readonly bit: number;
}

/** Makes a fault, and returns how its finding is recognized. */
function faultyLine(copy: ReturnType<typeof copied>, number: number, fault: Fault) {
  switch (fault.kind) {
    case "bit": {
      changeLines((lines, at) => {
        const line = lines[at] ?? Buffer.alloc(0);
        const place = fault.at % line.length;
        line[place] = (line[place] ?? 0) ^ (1 << fault.bit);
      })(copy, number);
      return (finding: Finding) => names(finding, number);
    }
    case "remove":
      changeLines((lines, at) => lines.splice(at, 1))(copy, number);
      return (finding: Finding) => names(finding, number) && ["removed", "cut"].includes(finding.kind);
    case "swap": {
      const file = Math.floor(number / FILE_LINES) * FILE_LINES;
      const count = Math.min(FILE_LINES, SIZE - file);
      const other = (number - file + 1 + (fault.at % (count - 1))) % count;
      changeLines((lines, at) => {
        const [one, two] = [lines[at], lines[other]];
        if (one !== undefined && two !== undefined) {
          lines[at] = two;
          lines[other] = one;
        }
      })(copy, number);
      return (finding: Finding) => finding.kind === "swapped" && names(finding, number);
    }
    case "repeat": {
      const file = changeLines((lines, at) => lines.splice(at, 0, lines[at] ?? Buffer.alloc(0)))(
        copy,
        number,
      );
      return (finding: Finding) =>
        finding.kind === "inserted" &&
        finding.file === file &&
        finding.message.includes(`copy of line ${number} `);
    }
    case "cut":
      changeLines((lines, at) => lines.splice(at))(copy, number);
      return (finding: Finding) => names(finding, number) && finding.kind === "cut";
  }
}

it("everything rewritten and signed again with today's key is found by a checkpoint that was kept elsewhere", async () => {
  const folder = join(base, "rewritten");
  const forged = writeAuditFiles({
    path: join(folder, "audit.jsonl"),
    lines: SIZE,
    seed: 3,
    text: (number) => JSON.stringify({ eventName: "Encrypt", eventID: `forged-${number}` }),
  });
  // The last key of the true log signs all of it.
  expect(forged.keys).toEqual(log.keys.slice(2));
  const copy = copied(folder);
  expect((await copy.verify()).findings).toEqual([]);
  expect((await copy.verify({ key: parseVerifier(log.keys[2] ?? "") })).findings).toEqual([]);
  const kept = { text: log.checkpoints[1] ?? "", file: "kept" };
  const found = faults((await copy.verify({ kept })).findings);
  expect(found.map(({ kind }) => kind)).toContain("contradiction");
  const first = faults((await copy.verify({ key: parseVerifier(log.keys[0] ?? "") })).findings);
  expect(first.map(({ kind }) => kind)).toEqual(["keyUnknown"]);
  expect((await copied().verify({ kept })).findings).toEqual([]);
});

it("a line that was changed with its hash is found by the checkpoints that enclose it", async () => {
  const copy = copied();
  const forged = Buffer.from('{"eventName":"Forged"}');
  changeLines((lines, at) => lines.splice(at, 1, forged))(copy, 3_500);
  copy.change("audit.jsonl.leaves", (bytes) => {
    leafHash(forged).copy(bytes, 3_500 * 32);
    return bytes;
  });
  const [found] = faults((await copy.verify()).findings);
  expect(found).toMatchObject({ kind: "rewritten", from: 3_000, to: 4_001 });
});

it("an altered leaf hash is no altered line", async () => {
  const copy = copied();
  copy.change("audit.jsonl.leaves", (bytes) => bytes.fill(0, 5_000 * 32, 5_001 * 32));
  const found = faults((await copy.verify()).findings);
  expect(found).toMatchObject([{ kind: "leavesAltered", from: 5_000, to: 5_001 }]);
});

it.each([
  ["is not there", (copy: ReturnType<typeof copied>) => copy.remove("audit.jsonl.leaves"), 0],
  [
    "was cut",
    (copy: ReturnType<typeof copied>) =>
      copy.change("audit.jsonl.leaves", (bytes) => bytes.subarray(0, 7_000 * 32 + 5)),
    7_000,
  ],
])("if the file of leaf hashes %s, the lines are compared with the checkpoints", async (_, spoil, from) => {
  const copy = copied();
  spoil(copy);
  expect(faults((await copy.verify()).findings)).toMatchObject([{ kind: "leavesMissing", from, to: SIZE }]);
  changeLines((lines, at) => lines.splice(at, 1, Buffer.from("{}")))(copy, 8_500);
  expect(faults((await copy.verify()).findings)).toMatchObject([
    { kind: "leavesMissing" },
    { kind: "rewritten", from: 8_001, to: 9_000 },
  ]);
});

it("a file that was moved away is said, and its hashes count", async () => {
  const copy = copied();
  copy.remove("audit-00000000003000.jsonl");
  expect((await copy.verify()).findings.filter(({ isFault }) => !isFault)).toMatchObject([
    { kind: "linesAway", from: 3_000, to: 6_000 },
  ]);
  const all = copied();
  all.remove("audit-00000000000000.jsonl.gz");
  expect(await all.verify()).toMatchObject({
    findings: [{ kind: "linesAway", from: 0, to: 3_000 }],
    faults: 0,
  });
  const newest = copied();
  newest.remove("audit.jsonl");
  expect(faults((await newest.verify()).findings)).toMatchObject([{ kind: "cut", from: 9_000, to: SIZE }]);
});

it("each altered checkpoint is found", async () => {
  for (const name of ["audit.jsonl.checkpoint", "audit.jsonl.checkpoints"])
    for (const part of [1 / 8, 1 / 4, 0.45, 0.6]) {
      const copy = copied();
      copy.change(name, (bytes) => {
        const at = Math.floor(bytes.length * part);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        return bytes;
      });
      expect((await copy.verify()).faults, `${name} at ${part}`).toBeGreaterThan(0);
    }
});

it("a checkpoint with a good signature that contradicts the log is found", async () => {
  const copy = copied();
  const signer = log.signers[0] ?? noteSigner(AUDIT_ORIGIN, Buffer.alloc(32));
  const root = new RightEdge(1, [leafHash(Buffer.from("another line"))]).root();
  copy.change("audit.jsonl.checkpoints", (bytes) =>
    Buffer.concat([bytes, Buffer.from(signCheckpoint({ origin: AUDIT_ORIGIN, size: 1, root }, signer))]),
  );
  expect(faults((await copy.verify()).findings)).toMatchObject([{ kind: "contradiction" }]);
});

it("the checkpoint that the former key signed too must be there", async () => {
  const copy = copied();
  copy.change("audit.jsonl.checkpoints", (bytes) =>
    Buffer.from(bytes.toString("utf8").replaceAll(/^— .*\n(?=— )/gm, "")),
  );
  expect(faults((await copy.verify()).findings)).toMatchObject([
    { kind: "checkpointMissing", from: 4_000 },
    { kind: "checkpointMissing", from: 8_000 },
  ]);
});

it("lines after the newest checkpoint are not yet signed; if nothing is written any more that is a fault", async () => {
  const folder = join(base, "unsigned");
  writeAuditFiles({ path: join(folder, "audit.jsonl"), lines: 20, unsigned: 3 });
  const copy = copied(folder);
  expect((await copy.verify()).findings).toMatchObject([
    { kind: "notSigned", isFault: false, from: 17, to: 20 },
  ]);
  const later = Date.now() + 120_000;
  expect((await copy.verify({ now: later })).findings).toMatchObject([{ kind: "notSigned", isFault: true }]);
});

it.each([
  ["no JSON", Buffer.from("{")],
  ["a line that is too long", Buffer.alloc(200_000, 0x20)],
  ["no text", Buffer.from([0xff, 0xfe, 0])],
])("%s in place of a line is a finding", async (_, line) => {
  const copy = copied();
  changeLines((lines, at) => lines.splice(at, 1, line))(copy, 9_500);
  const found = faults((await copy.verify()).findings);
  expect(found.map(({ kind, line: at }) => [kind, at])).toEqual([
    ["malformed", 501],
    ["edited", 501],
  ]);
});

it("files that are damaged or far too large when they are decompressed are findings", async () => {
  const copy = copied();
  copy.change("audit-00000000000000.jsonl.gz", (bytes) => bytes.subarray(0, bytes.length / 2));
  expect(faults((await copy.verify()).findings).map(({ kind }) => kind)).toContain("unreadable");
  const bomb = copied();
  bomb.change("audit-00000000000000.jsonl.gz", () => gzipSync(Buffer.alloc(50_000_000)));
  expect(faults((await bomb.verify()).findings)).not.toEqual([]);
  const empty = copied();
  empty.change("audit.jsonl", () => Buffer.alloc(0));
  expect(faults((await empty.verify()).findings)).toMatchObject([{ kind: "cut", from: 9_000, to: SIZE }]);
});
