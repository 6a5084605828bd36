import { mkdir } from "node:fs/promises";
import { childEnvironment } from "./processes.ts";
import { type CommandResult, run } from "./run.ts";

export interface KubectlOptions {
  readonly stdin?: string;
  /** Another kubeconfig than the default of this kubectl. */
  readonly kubeconfig?: string;
  /**
   * Milliseconds after which kubectl is killed. This is longer than any --timeout of kubectl, whose message
   * says what it waited for.
   */
  readonly deadline?: number;
}

/** Runs kubectl. Resolves with its exit code, also if it fails. */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<CommandResult>;

/** Creates a kubectl with its own home, without the user's settings, plugins or discovery cache. */
export async function createKubectl(binary: string, kubeconfig: string, home: string): Promise<Kubectl> {
  await mkdir(home, { recursive: true });
  return (args, { kubeconfig: other, stdin = "", deadline = 600_000 } = {}) =>
    run(binary, [`--kubeconfig=${other ?? kubeconfig}`, ...args], {
      stdin,
      deadline,
      cwd: home,
      env: childEnvironment(home),
    });
}
