import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileLock } from "../../keyring/file-lock.ts";
import { deadline, temporaryFolder } from "../../testing/keyring.ts";
import { canMount, Tmpfs } from "../../testing/tmpfs.ts";
import { checkpointOf } from "../notes/checkpoint.ts";
import { AuditLog } from "./audit-log.ts";

let folder: ReturnType<typeof temporaryFolder>;
let logged: string[];
beforeEach(() => {
  folder = temporaryFolder();
  logged = [];
});
afterEach(() => folder.remove());

const pathIn = (place: string): string => join(place, "audit.jsonl");

const open = (place = folder.path, deadlineMilliseconds = deadline.timeout): AuditLog =>
  new AuditLog({
    path: pathIn(place),
    keyPath: join(folder.path, "key.json"),
    origin: "kms.claviger.dev/audit/test/node-1",
    site: { account: "000000000000", region: "us-local-1" },
    segmentBytes: 1_000_000,
    log: (level, message) => logged.push(`${level} ${message}`),
    deadlineMilliseconds,
  });

const linesIn = (place = folder.path): string[] =>
  readFileSync(pathIn(place), "utf8").split("\n").slice(1, -1);
const unavailable = (reason: RegExp) =>
  expect.objectContaining({ code: "AuditUnavailable", message: expect.stringMatching(reason) });

it("a line is on the disk once it is acknowledged, in the order of the calls, and signed at the end", async () => {
  const log = open();
  const lines = Array.from({ length: 2_500 }, (_, n) => `${n}`);
  await Promise.all(lines.map((line) => log.append(line)));
  expect(linesIn()).toEqual(lines);
  expect(log.problem).toBeUndefined();
  await log.close();
  expect(checkpointOf(readFileSync(`${pathIn(folder.path)}.checkpoint`, "utf8"))?.size).toBe(2_501);
});

it("what waits when it is closed is written first; afterwards nothing is taken", async () => {
  const log = open();
  const waiting = Array.from({ length: 3_000 }, (_, n) => log.append(`${n}`));
  await log.close();
  await Promise.all(waiting);
  expect(linesIn()).toHaveLength(3_000);
  await expect(log.append("late")).rejects.toEqual(unavailable(/it is closed/));
});

it("a checkpoint follows the last line without another", async () => {
  const log = open();
  await log.append("a");
  await log.append("b");
  const path = `${pathIn(folder.path)}.checkpoint`;
  await vi.waitFor(() => expect(checkpointOf(readFileSync(path, "utf8"))?.size).toBe(3), deadline);
  await log.close();
});

it.each(["two\nlines", "x".repeat(131_073)])("what is no line is refused", async (text) => {
  const log = open();
  await expect(log.append(text)).rejects.toEqual(unavailable(/no line/));
  await log.append("good");
  expect(log.problem).toBeUndefined();
  await log.close();
  expect(linesIn()).toEqual(["good"]);
});

it("more than a bounded number of lines do not wait", async () => {
  const log = open();
  const waiting = Array.from({ length: 25_000 }, (_, n) => log.append(`${n}`));
  const results = await Promise.allSettled(waiting);
  const refused = results.filter(({ status }) => status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  await log.close();
  expect(linesIn()).toHaveLength(25_000 - refused.length);
});

describe("a disk", () => {
  it("whose folder is missing => the reason, and once it is there the log begins by itself", async () => {
    const place = join(folder.path, "later");
    const log = open(place);
    await expect(log.append("a")).rejects.toEqual(unavailable(/later.*ENOENT|ENOENT.*later/));
    expect(log.problem?.code).toBe("AuditUnavailable");
    expect(logged.join()).toContain("the audit log");
    mkdirSync(place);
    await log.append("b");
    expect(log.problem).toBeUndefined();
    await log.close();
    expect(linesIn(place)).toEqual(["b"]);
  });

  it("that does not answer => an error within the deadline, and then each acknowledged line is there once", async () => {
    const log = open(folder.path, 2_000);
    await log.append("before");
    // As by a process that hangs in a write: the thread waits for it.
    const take = () => FileLock.acquire(`${pathIn(folder.path)}.lock`, "held");
    // The thread may just sign a checkpoint.
    const lock = await vi.waitFor(take, deadline);
    const refused = await Promise.allSettled([log.append("being written"), log.append("waiting")]);
    const late = { status: "rejected", reason: unavailable(/not answered in time/) };
    expect(refused).toEqual([late, late]);
    expect(log.problem).toBeDefined();
    lock.release();
    let tries = 0;
    await vi.waitFor(() => {
      tries += 1;
      return log.append(`try ${tries}`);
    }, deadline);
    expect(log.problem).toBeUndefined();
    await log.close();
    const lines = linesIn();
    expect(lines.filter((line) => ["before", `try ${tries}`].includes(line))).toHaveLength(2);
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines).not.toContain("waiting");
  });

  it.skipIf(!canMount())(
    "that is full => ENOSPC is said, and with room again the log goes on without a torn line",
    async () => {
      using disk = new Tmpfs("600k");
      const log = open(disk.path);
      const acknowledged: string[] = [];
      for (let n = 0; ; n += 1) {
        const line = `${n}`.padEnd(20_000, "x");
        const result = await log.append(line).then(
          () => undefined,
          (error) => error,
        );
        if (result !== undefined) {
          expect(result).toEqual(unavailable(/ENOSPC/));
          break;
        }
        acknowledged.push(line);
      }
      expect(linesIn(disk.path)).toEqual(acknowledged);
      disk.remount("rw,size=4m");
      await log.append("later");
      await log.close();
      expect(linesIn(disk.path)).toEqual([...acknowledged, "later"]);
    },
  );

  it.skipIf(!canMount())(
    "that is read-only => the reason, and the log goes on when it can be written",
    async () => {
      using disk = new Tmpfs("1m");
      disk.remount("ro");
      const log = open(disk.path);
      await expect(log.append("a")).rejects.toEqual(unavailable(/EROFS|read-?only/i));
      disk.remount("rw");
      await log.append("c");
      await log.close();
      expect(linesIn(disk.path)).toEqual(["c"]);
    },
  );
});
