import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isExecutable, say } from "../test/controlplane/build.ts";
import { withLock } from "../test/controlplane/lock.ts";
import { run } from "../test/controlplane/run.ts";

const MODULE = join(import.meta.dirname, "peers");

/** Absolute paths of the Go programs in bench/peers, and of those that its go.mod names as tools. */
export interface Peers {
  readonly kmsLoad: string;
  readonly awsLoad: string;
  readonly localKms: string;
  readonly referencePlugin: string;
}

/** Returns the Go programs, from the user's cache or built into it: 20 seconds the first time. */
export async function buildPeers(): Promise<Peers> {
  const root = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "claviger", "peers");
  const folder = join(root, await sourcesHash());
  await mkdir(folder, { recursive: true });
  await withLock(join(root, "build.lock"), () => buildMissing(folder));
  return {
    kmsLoad: join(folder, "kms-load"),
    awsLoad: join(folder, "aws-load"),
    localKms: join(folder, "local-kms"),
    referencePlugin: join(folder, "reference-plugin"),
  };
}

/** Returns the output of `go version`. */
export async function goVersion(): Promise<string> {
  const { stdout } = await run("go", ["env", "GOVERSION"], { cwd: MODULE });
  return stdout.trim();
}

async function sourcesHash(): Promise<string> {
  const hash = createHash("sha256").update(await goVersion());
  const entries = await readdir(MODULE, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file.slice(MODULE.length)).update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}

async function buildMissing(folder: string): Promise<void> {
  const names = ["aws-load", "kms-load", "local-kms", "reference-plugin"];
  const present = await Promise.all(names.map((name) => isExecutable(join(folder, name))));
  if (present.every(Boolean)) return;
  say("building the peers of the bench from Go modules…");
  const temporary = await mkdtemp(join(folder, "building-"));
  try {
    const { code, stderr } = await run(
      "go",
      ["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", `${temporary}/`, "./...", "tool"],
      { cwd: MODULE, env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" } },
    );
    if (code !== 0) throw new Error(`go build of bench/peers failed:\n${stderr.slice(-4000)}`);
    for (const name of names) await rename(join(temporary, name), join(folder, name));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
