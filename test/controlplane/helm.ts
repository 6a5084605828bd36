import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { goTool } from "./go-tool.ts";
import { childEnvironment } from "./processes.ts";
import { type CommandResult, run } from "./run.ts";

/** Returns the path of helm; undefined without Go. */
export const helmBinary = (): Promise<string | undefined> =>
  goTool({
    ...{ name: "helm", from: "helm.sh/helm/v4", package: "helm.sh/helm/v4/cmd/helm", usualTime: "4 minutes" },
    ...{ module: join(import.meta.dirname, "helm"), tests: "the tests of the Helm chart" },
  });

/** Runs helm. Resolves with its exit code, also if it fails. */
export type Helm = (args: readonly string[]) => Promise<CommandResult>;

/** Creates a helm with its own home, without the user's settings, plugins or repositories. */
export async function createHelm(binary: string, home: string, kubeconfig?: string): Promise<Helm> {
  await mkdir(home, { recursive: true });
  const env = { ...childEnvironment(home), ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) };
  return (args) => run(binary, args, { cwd: home, env, deadline: 120_000 });
}
