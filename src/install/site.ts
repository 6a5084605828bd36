import { join } from "node:path";
import type { NodeConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import { oneLine } from "../printable.ts";
import type { Census } from "../storage/census/census.ts";

/** The output of a program that has ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects if there is no such program. */
export type Run = (command: string, args: readonly string[]) => Promise<Ran>;

/** The node on which claviger is installed, and the means to look at it and to change it. */
export interface Site {
  /** The folder that stands for /: another one than / for building an image of a node. */
  readonly root: string;
  readonly nodeName: string;
  readonly run: Run;
  /** The API server, by the administrator's kubeconfig. */
  readonly kube: Pick<KubeClient, "request" | "apply">;
  /** Counts all objects in etcd, by the node's configuration. */
  readonly count: (config: NodeConfig) => Promise<Pick<Census, "rows" | "objects" | "unlisted">>;
  readonly signal: AbortSignal;
}

/** Returns the place of a path of the node. */
export const placeOf = ({ root }: Pick<Site, "root">, path: string): string => join(root, path);

/** Runs a program that must succeed. Throws InvalidArgument with what it said if it does not. */
export async function succeed(
  { run }: Pick<Site, "run">,
  command: string,
  args: readonly string[],
): Promise<Ran> {
  const ran = await run(command, args);
  if (ran.code === 0) return ran;
  const said = oneLine(ran.stderr, MAX_SAID);
  throw new ClavigerError(
    "InvalidArgument",
    `${command} ${args[0]} failed with exit code ${ran.code}: ${said}`,
  );
}

/** As much of a program's complaint as a person reads. */
const MAX_SAID = 1_000;
