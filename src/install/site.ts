import { join } from "node:path";
import type { NodeConfig } from "../config/config.ts";
import type { KubeClient } from "../kube/client.ts";
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
