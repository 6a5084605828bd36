import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

/**
 * Returns one line about a Go that is too old for a module, or undefined. Older releases of Go fail with
 * "unknown directive: godebug", which says neither what is too old nor what is needed.
 *
 * @param gomod the text of the module's go.mod
 * @param answer what `go version` printed in the module's folder
 */
export function tooOldGo(go: string, gomod: string, answer: string): string | undefined {
  const [, needed = "0", neededMinor = "0"] = /^go (\d+)\.(\d+)/m.exec(gomod) ?? [];
  const [, major, minor] = /\bgo(\d+)\.(\d+)/.exec(answer) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  const difference = Number(major) - Number(needed) || Number(minor) - Number(neededMinor);
  if (difference >= 0) return undefined;
  return `Go ${needed}.${neededMinor} or newer is needed, and ${go} is ${major}.${minor}: put a newer one first in PATH`;
}

/** Throws one line if a Go is too old for the module. A Go that downloads a newer one is new enough. */
export async function requireGo(go: string, module: string): Promise<void> {
  const gomod = await readFile(join(module, "go.mod"), "utf8");
  const { stdout } = await run(go, ["version"], { cwd: module, env: { ...process.env, GOWORK: "off" } });
  const problem = tooOldGo(go, gomod, stdout);
  if (problem !== undefined) throw new Error(problem);
}
