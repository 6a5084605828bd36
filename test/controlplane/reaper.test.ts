import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "./run.ts";
import { eventually } from "./wait.ts";

const canTether =
  spawnSync("setpriv", ["--pdeathsig", "KILL", "--", "true"], { stdio: "ignore" }).status === 0;

interface Runner {
  readonly process: ChildProcess;
  readonly folder: string;
  readonly childPid: number;
}

/** Starts a process with a tracked child and folder, which then runs `ending`. */
async function startRunner(ending: string): Promise<Runner> {
  const folder = await mkdtemp(join(tmpdir(), "clv-"));
  const script = `
    const { spawnTracked, removeOnExit } = await import(${JSON.stringify(import.meta.resolve("./reaper.ts"))});
    removeOnExit(process.argv[1]);
    // The child tells its id itself, because before that it is setpriv for a moment.
    spawnTracked("sh", ["-c", "echo $$; exec sleep 1000"], { stdio: ["ignore", "inherit", "ignore"] });
    process.stdin.once("data", () => { ${ending} });
  `;
  const process_ = spawn(process.execPath, ["--input-type=module", "-e", script, folder], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const [output] = await once(process_.stdout, "data");
  return { process: process_, folder, childPid: Number(String(output)) };
}

/**
 * Returns true if a process has ended. Signal 0 does not show this, because an orphan may stay a zombie for
 * as long as init likes.
 */
async function isGone(pid: number): Promise<boolean> {
  const { stdout } = await run("ps", ["-o", "stat=", "-p", String(pid)]);
  return stdout.trim() === "" || stdout.startsWith("Z");
}

const ENDINGS = {
  "it is done": "process.exit(0)",
  "an exception is not caught": "throw new Error('boom')",
  "a promise is rejected": "Promise.reject(new Error('boom'))",
  "SIGINT comes": "process.kill(process.pid, 'SIGINT')",
  "SIGTERM comes": "process.kill(process.pid, 'SIGTERM')",
  "SIGHUP comes": "process.kill(process.pid, 'SIGHUP')",
  "SIGTERM comes and a listener shuts down in good order":
    "process.on('SIGTERM', () => setTimeout(() => process.exit(0), 50)); process.kill(process.pid, 'SIGTERM')",
};

it.each(Object.entries(ENDINGS))("no child and no folder outlives a process when %s", async (_, ending) => {
  const runner = await startRunner(ending);
  expect(await isGone(runner.childPid)).toBe(false);
  runner.process.stdin?.write("go");
  await once(runner.process, "exit");
  await eventually("the child is gone", () => isGone(runner.childPid));
  expect(existsSync(runner.folder)).toBe(false);
});

it.skipIf(!canTether)("no child outlives a process that is killed, where setpriv is there", async () => {
  const runner = await startRunner("");
  runner.process.kill("SIGKILL");
  await once(runner.process, "exit");
  await eventually("the child is gone", () => isGone(runner.childPid));
  await rm(runner.folder, { recursive: true });
});
