import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type AuditFiles, eventIdOf, timeOfLine, writeAuditFiles } from "../../testing/audit-files.ts";
import { audit } from "./audit.ts";

let folder: string;
let log: AuditFiles;
let path: string;
let printed = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-audit-"));
  path = join(folder, "audit.jsonl");
  log = writeAuditFiles({ path, lines: 200, fileLines: 50, keyLines: 90 });
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const run = async (...args: string[]): Promise<string> => {
  printed = "";
  await audit.run(args);
  return printed;
};
const key = () => log.keys.at(-1) ?? "";

it("verify says that nothing is wrong, and which key signs", async () => {
  const text = await run("verify", "--log", path);
  expect(text).toContain("200 lines, 200 of them signed");
  expect(text).toContain(`Signing key: ${key()}\n`);
  expect(text).toContain("No key was named");
  expect(text).toMatch(/Nothing is wrong\.\n$/);
  expect(await run("verify", "--log", path, "--key", key())).not.toContain("No key was named");
  expect(JSON.parse(await run("verify", "--log", path, "-o", "json"))).toMatchObject({
    lines: 200,
    faults: 0,
  });
});

it("verify fails if a line was edited, and names it", async () => {
  const other = join(folder, "other", "audit.jsonl");
  writeAuditFiles({ path: other, lines: 30 });
  writeFileSync(other, readFileSync(other, "utf8").replace('"bob"', '"eve"'));
  await expect(run("verify", "--log", other)).rejects.toThrow("has 1 fault");
  expect(printed).toContain("FAULT  line 2 of audit.jsonl was edited (line 1 of the log)");
});

it("verify takes a checkpoint that was kept elsewhere", async () => {
  const kept = join(folder, "kept");
  writeFileSync(kept, log.checkpoints[0] ?? "");
  expect(await run("verify", "--log", path, "--checkpoint", kept)).toContain("Nothing is wrong.");
});

it("prove writes a proof that verify checks without the log", async () => {
  const out = join(folder, "event.tlog-proof");
  expect(await run("prove", eventIdOf(77), "--log", path, "--out", out)).toContain("line 77 of the log");
  const text = await run("verify", "--proof", out, "--key", key());
  expect(text).toContain(eventIdOf(77));
  expect(text).toContain("as line 77: the proof is good");
  const proof = readFileSync(out, "utf8");
  expect(await run("prove", eventIdOf(77), "--log", path)).toBe(proof);
  writeFileSync(out, proof.replace("index 77", "index 76"));
  await expect(run("verify", "--proof", out, "--key", key())).rejects.toThrow("proves nothing: its line");
  writeFileSync(out, proof);
  await expect(run("verify", "--proof", out, "--key", log.keys[0] ?? "")).rejects.toThrow(
    "not signed by this key",
  );
  await expect(run("verify", "--proof", out)).rejects.toThrow("--proof needs --key");
  writeFileSync(out, proof.slice(1));
  await expect(run("verify", "--proof", out, "--key", key())).rejects.toThrow("no C2SP tlog-proof");
  await expect(run("prove", "none", "--log", path)).rejects.toThrow("has an event none");
});

it("show selects by key, principal, time, operation and denial", async () => {
  const lines = async (...args: string[]) =>
    (await run("show", "--log", path, "-o", "json", ...args))
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  expect(await lines()).toHaveLength(200);
  expect(await lines("--denied")).toHaveLength(20);
  expect(
    (await lines("--event", "Decrypt", "--principal", "alice")).every(
      ({ eventName }) => eventName === "Decrypt",
    ),
  ).toBe(true);
  const within = await lines("--since", timeOfLine(60), "--until", timeOfLine(69), "--key", "key/3");
  expect(within.map(({ eventID }) => eventID)).toEqual([63, 67].map(eventIdOf));
  expect(await lines("--since", "1m")).toEqual([]);
  const table = await run("show", "--log", path, "--denied");
  expect(table).toMatch(/^TIME +PRINCIPAL +OPERATION +KEY +OUTCOME +DOOR\n/);
  expect(table.split("\n")[1]).toMatch(
    /^2026-11-01T00:01:10Z +arn:aws:iam::111122223333:user\/bob +Decrypt +arn:.*key\/3 +AccessDeniedException +aws$/,
  );
});

it("text from callers is shown safely", async () => {
  const hostile = join(folder, "hostile", "audit.jsonl");
  writeAuditFiles({
    path: hostile,
    lines: 3,
    text: () => `{"eventName":"Encrypt\\u001b[2J\\nfake row","userIdentity":{"arn":"\u202e"}}`,
  });
  const table = await run("show", "--log", hostile);
  expect(table.split("\n")).toHaveLength(5);
  const isHostile = (text: string): boolean => text.includes("\u001b") || text.includes("\u202e");
  expect(isHostile(table)).toBe(false);
  expect(isHostile(await run("show", "--log", hostile, "-o", "json"))).toBe(false);
});

it.each([
  [[], "verify, prove or show is needed"],
  [["verfy"], "did you mean verify?"],
  [["verify", "--log", "x"], "--log takes the file of the newest lines"],
  [["verify", "--key", "x"], "--key takes a signing key"],
  [["show", "--log", "x.jsonl", "--since", "yesterday"], "--since takes a time"],
  [["prove", "--log", "x.jsonl"], "the eventID of a record is needed"],
])("%j => %s", async (args, message) => {
  await expect(audit.run(args)).rejects.toThrow(message);
});
