import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPrograms, requiredVersion, say } from "./build.ts";

// Without -buildvcs=false, Go runs git, which refuses a checkout of another user.
const FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"];

/** A program of others that Go builds from its released module. */
export interface GoTool {
  readonly name: string;
  /** The module that has it, whose version is the program's. */
  readonly from: string;
  readonly package: string;
  /** The folder of the go.mod that pins it. */
  readonly module: string;
  /** How long its first build takes on two cores. */
  readonly usualTime: string;
  /** The tests that need it. */
  readonly tests: string;
}

/**
 * Returns the path of a program, from the user's cache or built from Go modules. If it would have to be built
 * and there is no Go: returns undefined, after one line on stderr; but throws if CI is set.
 */
export async function goTool(tool: GoTool): Promise<string | undefined> {
  const gomod = await readFile(join(tool.module, "go.mod"), "utf8");
  const gosum = await readFile(join(tool.module, "go.sum"), "utf8");
  const version = requiredVersion(gomod, tool.from);
  const hash = createHash("sha256")
    .update([...FLAGS, gomod, gosum].join("\0"))
    .digest("hex");
  const key = `${version}-${process.platform}-${process.arch}-${hash.slice(0, 12)}`;
  const built = await buildPrograms(tool.name, key, [{ ...tool, version, flags: FLAGS }]);
  return built?.[0] ?? withoutGo(tool);
}

function withoutGo({ name, tests }: GoTool): undefined {
  const message = `${name} is built by Go`;
  if (process.env.CI) throw new Error(message);
  say(`skipping ${tests}: ${message}`);
  return undefined;
}
