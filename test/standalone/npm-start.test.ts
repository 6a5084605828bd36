import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";
import { childrenOf, isRunning } from "./installation.ts";
import { KmsTestClient } from "./kms.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Creates a folder in which `npm start` runs this checkout, with its own state. */
async function checkout(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "cn-"));
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, scripts }));
  for (const name of ["bin", "node_modules"]) symlinkSync(join(ROOT, name), join(folder, name));
  const example = join("examples", "standalone");
  await cp(join(ROOT, example, "claviger.yaml"), join(folder, example, "claviger.yaml"));
  await cp(join(ROOT, example, "keys"), join(folder, example, "keys"), { recursive: true });
  return folder;
}

/** Returns every process below `pid`. */
async function below(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  return [...children, ...(await Promise.all(children.map(below))).flat()];
}

it("SIGTERM to npm start ends claviger in good order, and leaves no process behind", async () => {
  const folder = await checkout();
  const log = join(folder, "npm.log");
  // npm is a script for whichever node is on the PATH: here the package's own.
  const environment = { PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env.PATH}` };
  const args = ["--prefix", folder, "start"];
  const npm = await startProcess({ name: "npm start", binary: "npm", args, log, home: folder, environment });
  let processes: number[] = [];
  try {
    const socket = join(folder, "examples", "standalone", "run", "secrets.sock");
    await eventually("the example's key is served", async () => {
      if (!npm.alive) npm.mustLive();
      using client = new KmsTestClient(socket);
      return (await client.status()).key_id;
    });
    processes = await below(npm.pid);
    expect(processes.length).toBeGreaterThan(1);
    await npm.stop(120_000);
    await eventually("no process of it is left", async () =>
      (await Promise.all(processes.map(isRunning))).every((running) => !running),
    );
    expect(existsSync(socket)).toBe(false);
    expect(readFileSync(log, "utf8")).toMatch(/this plugin has stopped/);
  } finally {
    await npm.stop();
    for (const pid of processes) if (await isRunning(pid)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
});
