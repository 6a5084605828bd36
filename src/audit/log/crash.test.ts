import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { temporaryFolder } from "../../testing/keyring.ts";
import { checkpointOf } from "../notes/checkpoint.ts";
import { leafHash } from "../tree/hashes.ts";
import { RightEdge } from "../tree/right-edge.ts";
import { closedFiles } from "./log-paths.ts";
import { LogWriter } from "./log-writer.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "testing", "audit-appender.ts");
/** Small enough that files are closed while the lines are written. */
const SEGMENT_BYTES = 3_000;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const path = (): string => join(folder.path, "audit.jsonl");
const keyPath = (): string => join(folder.path, "key.json");
const argsOf = (from: number, count: number, name = ""): string[] => [
  ...[PROGRAM, path(), keyPath()],
  ...[from, count, SEGMENT_BYTES].map(String),
  name,
];

/** Returns all lines, the oldest first. */
function linesOf(): string[] {
  const names = closedFiles(path(), readdirSync(folder.path)).map(({ name }) => name);
  return [...names, "audit.jsonl"].flatMap((name) =>
    readFileSync(join(folder.path, name), "utf8").split("\n").slice(0, -1),
  );
}

/** Appends lines, signs what there is, and asserts that the checkpoint is of exactly the lines of the files. */
function expectRightTree(...lines: readonly string[]): void {
  const writer = new LogWriter({
    ...{ path: path(), keyPath: keyPath(), segmentBytes: SEGMENT_BYTES, lockMilliseconds: 60_000 },
    ...{ origin: "kms.claviger.dev/audit/test/node-1", site: { account: "0", region: "r" } },
  });
  writer.append(lines, 100 * 86_400_000);
  writer.checkpoint(100 * 86_400_000 + 1, "once");
  writer.close();
  const edge = new RightEdge();
  for (const line of linesOf()) edge.append(leafHash(Buffer.from(line)));
  expect(checkpointOf(readFileSync(`${path()}.checkpoint`, "utf8"))).toMatchObject({
    size: edge.size,
    root: edge.root(),
  });
}

const POINTS = ["lines", "leaves", "state", "checkpoint", "file", "key"].flatMap((point) =>
  ["before", "after"].flatMap((side) => [1, 4].map((n) => `audit.${point}:${side}:${n}`)),
);

it("a process that is killed at any write point loses no line that was acknowledged, and the tree is right", () => {
  const ends = new Set<string>();
  for (const point of POINTS) {
    folder.remove();
    folder = temporaryFolder();
    const { stdout, signal } = spawnSync(process.execPath, argsOf(0, 30), {
      encoding: "utf8",
      env: { ...process.env, CLAVIGER_KILL_AT: point },
    });
    if (signal === "SIGKILL") ends.add(point.replace(/:\d+$/, ""));
    const acknowledged = stdout.split("\n").slice(0, -1).map(Number);
    const next = acknowledged.length;
    expectRightTree(...Array.from({ length: 3 }, (_, n) => `${next + n}`));
    const numbers = linesOf().flatMap((line) => (/^\d/.test(line) ? [Number.parseInt(line, 10)] : []));
    // The line at which it was killed may be there twice: it was sent again, because nobody said that it is there.
    expect([...new Set(numbers)], point).toEqual(Array.from({ length: next + 3 }, (_, n) => n));
    expect(numbers.length, point).toBeLessThanOrEqual(next + 4);
  }
  // "before" the leaves is "after" the lines.
  expect(ends.size).toBe(2 * 6 - 1);
}, 600_000);

it("several processes that write at once lose no line of each other, and the tree is right", async () => {
  const names = ["a", "b", "c", "d"];
  const count = 200;
  const processes = names.map((name) => spawn(process.execPath, argsOf(0, count, name), { stdio: "ignore" }));
  const codes = await Promise.all(processes.map(async (child) => (await once(child, "exit"))[0]));
  expect(codes).toEqual(names.map(() => 0));
  expectRightTree("last");
  const lines = linesOf().filter((line) => /^[a-d]\d/.test(line));
  for (const name of names) {
    const numbers = lines
      .filter((line) => line.startsWith(name))
      .map((line) => Number.parseInt(line.slice(1), 10));
    expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
  }
}, 600_000);
