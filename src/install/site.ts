import { join } from "node:path";
import type { KubeClient } from "../kube/client.ts";

/** The output of a program that has ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with this input and these variables. Rejects if there is no such program. */
export type Run = (
  command: string,
  args: readonly string[],
  options?: { readonly env?: Readonly<Record<string, string>> },
) => Promise<Ran>;

/** The node on which claviger is installed, and the means to look at it and to change it. */
export interface Site {
  /** The folder that stands for /: another one than / for building an image of a node. */
  readonly root: string;
  readonly nodeName: string;
  readonly run: Run;
  /** The API server, by the administrator's kubeconfig. */
  readonly kube: Pick<KubeClient, "request" | "apply">;
  readonly signal: AbortSignal;
}

/** Returns the place of a path of the node. */
export const placeOf = ({ root }: Pick<Site, "root">, path: string): string => join(root, path);
