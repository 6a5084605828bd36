import {
  appendFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../testing/keyring.ts";
import { checkpointOf } from "../notes/checkpoint.ts";
import { isSignedBy, parseNote, parseVerifier } from "../notes/signed-note.ts";
import { leafHash } from "../tree/hashes.ts";
import { RightEdge } from "../tree/right-edge.ts";
import { LogWriter } from "./log-writer.ts";

const DAY = 86_400_000;
const NOON = 20_000 * DAY + DAY / 2;
const ORIGIN = "kms.claviger.dev/audit/test/node-1";

let folder: ReturnType<typeof temporaryFolder>;
let writer: LogWriter;
beforeEach(() => {
  folder = temporaryFolder();
  writer = open();
});
afterEach(() => {
  writer.close();
  folder.remove();
});

const at = (name: string): string => join(folder.path, name);
const PATH = (): string => at("audit.jsonl");

const open = (segmentBytes = 1_000_000): LogWriter =>
  new LogWriter({
    path: PATH(),
    keyPath: at("key.json"),
    origin: ORIGIN,
    site: { account: "000000000000", region: "us-local-1" },
    segmentBytes,
    lockMilliseconds: 60_000,
  });

/** Ends the process that writes, as far as the files tell, and starts another. */
function reopen(segmentBytes?: number): void {
  writer.close();
  writer = open(segmentBytes);
}

const linesOf = (name = "audit.jsonl"): string[] => readFileSync(at(name), "utf8").split("\n").slice(0, -1);
const eventsOf = (lines: readonly string[]): string[] =>
  lines.map((line) => (line.startsWith("{") ? JSON.parse(line).eventName : line));

/** Returns the checkpoint's root and size, and those of the tree of these lines. */
function trees(lines: readonly string[]) {
  const edge = new RightEdge();
  for (const line of lines) edge.append(leafHash(Buffer.from(line)));
  const checkpoint = checkpointOf(readFileSync(at("audit.jsonl.checkpoint"), "utf8"));
  return [
    { size: checkpoint?.size, root: checkpoint?.root.toString("hex") },
    { size: edge.size, root: edge.root().toString("hex") },
  ];
}

/** Asserts that the newest checkpoint is of exactly these lines. */
function expectSigned(lines: readonly string[]): void {
  const [signed, real] = trees(lines);
  expect(signed).toEqual(real);
}

describe("a log", () => {
  it("begins with its origin and its key, has each line once, and a checkpoint that this key signs", () => {
    writer.append(["a", "b"], NOON);
    writer.append(["c"], NOON + 1);
    writer.checkpoint(NOON + 2, "once");
    const lines = linesOf();
    expect(eventsOf(lines)).toEqual(["AuditLogStarted", "a", "b", "c"]);
    expectSigned(lines);
    const { serviceEventDetails: details } = JSON.parse(lines[0] ?? "");
    expect(details).toMatchObject({ origin: ORIGIN, firstLine: 0, reason: "FirstFile" });
    const note = parseNote(readFileSync(at("audit.jsonl.checkpoint"), "utf8"));
    const verifier = parseVerifier(details.signingKey);
    expect(note && verifier && isSignedBy(note, verifier)).toBe(true);
    expect(statSync(at("key.json")).mode & 0o777).toBe(0o600);
  });

  it("goes on after a restart, and by another process in turn", () => {
    writer.append(["a"], NOON);
    using other = { writer: open(), [Symbol.dispose]: () => other.writer.close() };
    other.writer.append(["b"], NOON + 1);
    writer.append(["c"], NOON + 2);
    reopen();
    writer.append(["d"], NOON + 3);
    writer.checkpoint(NOON + 4, "once");
    expect(eventsOf(linesOf())).toEqual(["AuditLogStarted", "a", "b", "c", "d"]);
    expectSigned(linesOf());
  });

  it("has a checkpoint at once, after 1,000 lines, and after a second", () => {
    const sizeAfter = (lines: readonly string[], now: number) => {
      writer.append(lines, now);
      writer.checkpoint(now, "time");
      return checkpointOf(readFileSync(at("audit.jsonl.checkpoint"), "utf8"))?.size;
    };
    expect(sizeAfter(["a"], NOON)).toBe(2);
    expect(sizeAfter(["b"], NOON + 999)).toBe(2);
    expect(sizeAfter(["c"], NOON + 1_000)).toBe(4);
    expect(
      sizeAfter(
        Array.from({ length: 1_000 }, (_, n) => `${n}`),
        NOON + 1_001,
      ),
    ).toBe(1_004);
  });
});

describe("a full file", () => {
  it("is closed, and the tree goes on in another", () => {
    reopen(2_000);
    for (let n = 0; n < 30; n += 1) writer.append([`${n}`.padEnd(200, "x")], NOON + n);
    writer.checkpoint(NOON + 100, "once");
    const names = closedNames();
    expect(names.length).toBeGreaterThan(2);
    const all = [...names.flatMap((name) => linesOf(name)), ...linesOf()];
    expectSigned(all);
    expect(all.filter((line) => !line.startsWith("{")).map((line) => Number.parseInt(line, 10))).toEqual(
      Array.from({ length: 30 }, (_, n) => n),
    );
    const starts = all.flatMap((line, n) =>
      line.includes("AuditFileStarted") ? [[n, JSON.parse(line).serviceEventDetails]] : [],
    );
    for (const [n, details] of starts)
      expect(details).toEqual({ origin: ORIGIN, firstLine: n, reason: "PreviousFileFull" });
    expect(starts).toHaveLength(names.length);
  });
});

const closedNames = (): string[] =>
  readdirSync(folder.path).filter((name) => /^audit-\d{14}\.jsonl$/.test(name));

describe("a signing key", () => {
  it("is another each day; the last checkpoint of a day is signed by both, and the former key is gone", () => {
    writer.append(["a"], NOON);
    const before = readFileSync(at("key.json"), "utf8");
    writer.append(["b"], NOON + DAY);
    const after = readFileSync(at("key.json"), "utf8");
    const seed = JSON.parse(before).seed;
    expect(after).not.toContain(seed);
    const lines = linesOf();
    expect(eventsOf(lines)).toEqual(["AuditLogStarted", "a", "AuditSigningKeyChanged", "b"]);
    const [first, changed] = [lines[0], lines[2]].map((line = "") => JSON.parse(line).serviceEventDetails);
    expect(changed.previousKey).toBe(first.signingKey);
    const kept = readFileSync(at("audit.jsonl.checkpoints"), "utf8");
    const note = parseNote(kept.slice(kept.lastIndexOf(ORIGIN, kept.indexOf("\n3\n"))));
    for (const key of [changed.previousKey, changed.signingKey]) {
      const verifier = parseVerifier(key);
      expect(note && verifier && isSignedBy(note, verifier)).toBe(true);
    }
  });

  it("stays if the clock is set back", () => {
    writer.append(["a"], NOON);
    writer.append(["b"], NOON - DAY);
    expect(eventsOf(linesOf())).toEqual(["AuditLogStarted", "a", "b"]);
  });

  it("that is lost is replaced, and the log says so", () => {
    writer.append(["a"], NOON);
    rmSync(at("key.json"));
    writer.append(["b"], NOON);
    const lines = linesOf();
    expect(eventsOf(lines)).toEqual(["AuditLogStarted", "a", "AuditSigningKeyChanged", "b"]);
    expect(JSON.parse(lines[2] ?? "").serviceEventDetails.previousKey).toBeNull();
  });
});

describe("after a crash", () => {
  beforeEach(() => {
    writer.append(["a", "b"], NOON);
    writer.append(["c"], NOON + 1);
  });

  it.each<readonly [string, () => void]>([
    ["the state", () => rmSync(at("audit.jsonl.state"))],
    ["half of the state", () => truncateSync(at("audit.jsonl.state"), 20)],
    ["the hash of the last line", () => truncateSync(at("audit.jsonl.leaves"), 3 * 32)],
    ["half of a hash", () => truncateSync(at("audit.jsonl.leaves"), 3 * 32 + 7)],
  ])("that has lost %s, no line is lost and the tree is right", (_, lose) => {
    lose();
    reopen();
    writer.append(["d"], NOON + 2);
    writer.checkpoint(NOON + 3, "once");
    expect(eventsOf(linesOf())).toEqual(["AuditLogStarted", "a", "b", "c", "d"]);
    expectSigned(linesOf());
  });

  it("a line that is not whole is cut: nobody was told that it is there", () => {
    appendFileSync(PATH(), "torn");
    reopen();
    writer.append(["d"], NOON + 2);
    writer.checkpoint(NOON + 3, "once");
    expect(eventsOf(linesOf())).toEqual(["AuditLogStarted", "a", "b", "c", "d"]);
    expectSigned(linesOf());
  });
});

describe("somebody's hands:", () => {
  const former = (): string[] => ["a", "b", "c"];
  beforeEach(() => {
    writer.append(former(), NOON);
    writer.checkpoint(NOON + 1, "once");
  });

  it.each<readonly [string, string, () => void]>([
    ["a line that was edited", "PreviousFileAltered", () => edit((text) => text.replace("b\n", "B\n"))],
    ["a line that was removed", "PreviousFileAltered", () => edit((text) => text.replace("b\n", ""))],
    ["a file that was cut", "PreviousFileAltered", () => edit((text) => text.replace("c\n", ""))],
    ["a first line that is none of claviger's", "PreviousFileAltered", () => edit((text) => `x\n${text}`)],
    ["a file that was removed", "PreviousFileMissing", () => rmSync(PATH())],
    [
      "a file that was moved away, as logrotate does",
      "PreviousFileMissing",
      () => renameSync(PATH(), at("old")),
    ],
    ["a file that was emptied", "PreviousFileMissing", () => truncateSync(PATH(), 0)],
  ])("%s => a new file says %s, the tree goes on, and what is there is not touched", (_, reason, touch) => {
    const signed = checkpointOf(readFileSync(at("audit.jsonl.checkpoint"), "utf8"));
    touch();
    expect(writer.append(["d"], NOON + 2)).toBe(reason);
    writer.append(["e"], NOON + 3);
    writer.checkpoint(NOON + 4, "once");
    const lines = linesOf();
    expect(eventsOf(lines)).toEqual(["AuditFileStarted", "d", "e"]);
    expect(JSON.parse(lines[0] ?? "").serviceEventDetails).toMatchObject({ firstLine: 4, reason });
    const now = checkpointOf(readFileSync(at("audit.jsonl.checkpoint"), "utf8"));
    expect(now?.size).toBe((signed?.size ?? 0) + 3);
    const leaves = readFileSync(at("audit.jsonl.leaves"));
    const edge = new RightEdge();
    for (let n = 0; n < leaves.length; n += 32) edge.append(leaves.subarray(n, n + 32));
    expect(now?.root.equals(edge.root())).toBe(true);
  });

  it("hashes that are lost => nothing is written, and the message says what to do", () => {
    rmSync(at("audit.jsonl.leaves"));
    expect(() => writer.append(["d"], NOON + 2)).toThrow(/restore the file, or move all files/);
  });

  function edit(change: (text: string) => string): void {
    const text = change(readFileSync(PATH(), "utf8"));
    // As editors do: another file.
    writeFileSync(at("edited"), text);
    renameSync(at("edited"), PATH());
  }
});
