import { spawnSync } from "node:child_process";

/** A program and its arguments. */
export interface Invocation {
  readonly binary: string;
  readonly args: readonly string[];
}

const WAYS: readonly (readonly string[])[] = [["--uts"], ["--user", "--map-root-user", "--uts"]];
const way = WAYS.find((flags) => spawnSync("unshare", [...flags, "true"]).status === 0);

/** True if this machine can simulate several hosts. */
export const hasHostnames = way !== undefined;

/**
 * Runs a program as on a host of that name, in its own UTS namespace (uts_namespaces(7)), because an API
 * server identifies itself by the name of its host. Without the right to do so, the host is this machine.
 */
export function onHost(hostname: string, { binary, args }: Invocation): Invocation {
  if (way === undefined) return { binary, args };
  const script = 'hostname "$0" && exec "$@"';
  return { binary: "unshare", args: [...way, "sh", "-c", script, hostname, binary, ...args] };
}
