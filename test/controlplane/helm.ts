import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPrograms, requiredVersion, say } from "./build.ts";
import { childEnvironment } from "./processes.ts";
import { type CommandResult, run } from "./run.ts";

const MODULE = join(import.meta.dirname, "helm");

// Without -buildvcs=false, Go runs git, which refuses a checkout of another user.
const FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"];

/**
 * Returns the path of helm, from the user's cache or built from Go modules. If it would have to be built and
 * there is no Go: returns undefined, after one line on stderr; but throws if CI is set.
 */
export async function helmBinary(): Promise<string | undefined> {
  const gomod = await readFile(join(MODULE, "go.mod"), "utf8");
  const gosum = await readFile(join(MODULE, "go.sum"), "utf8");
  const version = requiredVersion(gomod, "helm.sh/helm/v4");
  const hash = createHash("sha256")
    .update([...FLAGS, gomod, gosum].join("\0"))
    .digest("hex");
  const key = `${version}-${process.platform}-${process.arch}-${hash.slice(0, 12)}`;
  const built = await buildPrograms("helm", key, [
    {
      name: "helm",
      version,
      usualTime: "4 minutes",
      module: MODULE,
      package: "helm.sh/helm/v4/cmd/helm",
      flags: FLAGS,
    },
  ]);
  return built?.[0] ?? withoutGo();
}

function withoutGo(): undefined {
  const message = "helm is built by Go";
  if (process.env.CI) throw new Error(message);
  say(`skipping the tests of the Helm chart: ${message}`);
  return undefined;
}

/** Runs helm. Resolves with its exit code, also if it fails. */
export type Helm = (args: readonly string[]) => Promise<CommandResult>;

/** Creates a helm with its own home, without the user's settings, plugins or repositories. */
export async function createHelm(binary: string, home: string, kubeconfig?: string): Promise<Helm> {
  await mkdir(home, { recursive: true });
  const env = { ...childEnvironment(home), ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) };
  return (args) => run(binary, args, { cwd: home, env, deadline: 120_000 });
}
