import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AuditFiles, eventIdOf, writeAuditFiles } from "../../src/testing/audit-files.ts";
import { ROOT, testedBlock } from "../docs/markdown.ts";

let folder: string;
let log: AuditFiles;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-audit-guide-"));
  log = writeAuditFiles({ path: join(folder, "audit.jsonl"), lines: 100, fileLines: 30, keyLines: 40 });
  writeFileSync(
    join(folder, "claviger.yaml"),
    `apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: node-1
stateDir: ./state
seal: { file: { path: ./state/root.key } }
providers: [{ name: secrets, socket: ./run/secrets.sock, key: claviger-system/secrets }]
manifests: ./keys
audit: { path: ./audit.jsonl }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a block of docs/audit.md in the folder of the log, and ends at its first command that fails. */
function run(name: string) {
  const claviger = `claviger() { "${process.execPath}" "${join(ROOT, "bin", "claviger.js")}" "$@"; }`;
  return spawnSync("sh", ["-euc", `${claviger}\n${testedBlock("docs/audit.md", name)}`], {
    cwd: folder,
    encoding: "utf8",
    timeout: 120_000,
    env: {
      ...process.env,
      CLAVIGER_CONFIG: join(folder, "claviger.yaml"),
      EVENTID: eventIdOf(50),
      KEY: log.keys.at(-1),
    },
  });
}

it("an operator reads and verifies the log as docs/audit.md says", () => {
  const { status, stdout, stderr } = run("audit");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toContain("100 lines, 100 of them signed");
  expect(stdout).toContain(eventIdOf(51));
}, 120_000);

it("a record is proven to an auditor as docs/audit.md says", () => {
  const { status, stdout, stderr } = run("audit-proof");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toContain("as line 50: the proof is good");
}, 120_000);
