import { mkdir } from "node:fs/promises";
import { childEnvironment } from "./processes.ts";
import { type CommandResult, run } from "./run.ts";

export interface KubectlOptions {
  readonly stdin?: string;
  /** Another kubeconfig file than the one this kubectl was made with. */
  readonly kubeconfig?: string;
  /** Milliseconds after which kubectl is killed: later than any --timeout of its own, which says what it waited for. */
  readonly deadline?: number;
}

/** Runs kubectl; a failing one resolves too, with its exit code. */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<CommandResult>;

/** A kubectl of its own home: nothing of the user's settings, plugins or discovery cache gets in. */
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
