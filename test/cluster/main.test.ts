import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)("npm run cluster", () => {
  it("names every process, and Ctrl-C stops all of them in good order and removes everything", async () => {
    const child = spawn("npm", ["run", "-s", "cluster"], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    // "close" comes after all of its output, which its exit does not promise.
    const closed = once(child, "close");
    try {
      // Each part of it may take as long as other tests wait for it.
      await eventually(
        "it is ready",
        async () => {
          if (child.exitCode !== null) throw new Hopeless(output);
          return output.includes("Ctrl-C stops and removes everything.");
        },
        { deadline: 600_000 },
      );
      const folder = /Everything lies in (\S+)\./.exec(output)?.[1] ?? "";
      expect(existsSync(folder)).toBe(true);
      // Run by the Node of this test, because the Node in PATH may be too old.
      expect(output).toContain(
        `alias claviger='${process.execPath} ${join(process.cwd(), "bin", "claviger.js")}'`,
      );
      const processes = [...output.matchAll(/^ {2}(\d+) {2}(\S+)/gm)];
      expect(processes.map(([, , name]) => name)).toEqual([
        ...["etcd", "kube-apiserver", "kube-controller-manager", "plugin", "operator"],
      ]);
      child.kill("SIGINT");
      expect(await closed).toEqual([0, null]);
      expect(output).toMatch(/Stopping …\nEverything is stopped and removed\.\n$/);
      expect(existsSync(folder)).toBe(false);
      for (const [, pid] of processes) expect(isAlive(Number(pid))).toBe(false);
    } finally {
      if (child.exitCode === null) child.kill("SIGINT");
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
