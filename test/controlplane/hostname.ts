import { spawnSync } from "node:child_process";

/** A program and its arguments. */
export interface Invocation {
  readonly binary: string;
  readonly args: readonly string[];
}

const WAYS: readonly (readonly string[])[] = [["--uts"], ["--user", "--map-root-user", "--uts"]];
const way = WAYS.find((flags) => spawnSync("unshare", [...flags, "true"]).status === 0);

/** Whether several hosts can be had on this machine. */
export const hasHostnames = way !== undefined;

/**
 * Runs a program as on a host of that name, in a UTS namespace of its own (uts_namespaces(7)): an API
 * server tells by the name of its host who it is. Without the right to it, the host is this machine.
 */
export function onHost(hostname: string, { binary, args }: Invocation): Invocation {
  if (way === undefined) return { binary, args };
  const script = 'hostname "$0" && exec "$@"';
  return { binary: "unshare", args: [...way, "sh", "-c", script, hostname, binary, ...args] };
}
