import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { consistencyProof, inclusionProof, type Leaves } from "../../src/audit/tree/proofs.ts";
import { writeAuditFiles } from "../../src/testing/audit-files.ts";
import { buildPrograms, requiredVersion, say } from "../controlplane/build.ts";
import { run } from "../controlplane/run.ts";

const MODULE = join(import.meta.dirname, "go");
const FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"];

/** Returns the program that reads logs with Go's own packages; undefined if there is no Go. */
async function oracle(): Promise<string | undefined> {
  const sources = ["go.mod", "go.sum", "main.go"].map((name) => readFileSync(join(MODULE, name), "utf8"));
  const hash = createHash("sha256")
    .update([...FLAGS, ...sources].join("\0"))
    .digest("hex");
  const version = requiredVersion(sources[0] ?? "", "golang.org/x/mod");
  const key = `${version}-${process.platform}-${process.arch}-${hash.slice(0, 12)}`;
  const program = {
    name: "audit-oracle",
    version,
    usualTime: "10 seconds",
    module: MODULE,
    package: ".",
    flags: FLAGS,
  };
  const built = await buildPrograms("audit-oracle", key, [program]);
  if (built === undefined && process.env.CI) throw new Error("the verifier of logs is built by Go");
  return built?.[0];
}

const base64 = (hashes: readonly Buffer[]): string =>
  hashes.map((hash) => `${hash.toString("base64")}\n`).join("");

it("Go's sumdb packages verify the checkpoints, and proofs of a line and of continuity, of 10,000 lines", async () => {
  const program = await oracle();
  if (program === undefined) return say("skipping the comparison with Go's sumdb packages: there is no Go");
  const folder = mkdtempSync(join(tmpdir(), "claviger-audit-go-"));
  try {
    const log = writeAuditFiles({
      path: join(folder, "log", "audit.jsonl"),
      lines: 10_000,
      fileLines: 3_000,
    });
    const leaves: Leaves = { size: 10_000, range: (from, to) => log.leaves.slice(from, to) };
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    const ask = async (): Promise<unknown> => {
      const { stdout, stderr } = await run(program, [folder], { deadline: 60_000 });
      expect(stderr).toBe("");
      return JSON.parse(stdout);
    };
    write("key", log.keys[0] ?? "");
    write("earlier", log.checkpoints[1] ?? "");
    write("checkpoint", log.checkpoints.at(-1) ?? "");
    write("line", log.lines[7_777] ?? "");
    write("inclusion", `7777\n${base64(inclusionProof(leaves, 7_777, 10_000))}`);
    write("consistency", base64(consistencyProof(leaves, 6_000, 10_000)));
    const good = { key: "good", earlier: "good", checkpoint: "good", inclusion: "good", consistency: "good" };
    expect(await ask()).toEqual(good);
    write("line", log.lines[7_778] ?? "");
    write("consistency", base64(consistencyProof(leaves, 5_999, 10_000)));
    const bad = await ask();
    expect(bad).toMatchObject({ checkpoint: "good", inclusion: expect.stringContaining("invalid") });
    expect(bad).not.toMatchObject({ consistency: "good" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 300_000);
