import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";

const children = new Set<ChildProcess>();
const folders = new Set<string>();
let armed = false;

/**
 * Spawns a child that does not outlive this process. It is killed by its id when this process exits or is
 * ended by a signal, and by the kernel, if util-linux' setpriv can arrange that, when this process is killed.
 */
export function spawnTracked(binary: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  arm();
  // A process group of its own keeps a terminal's Ctrl-C from stopping etcd before the API servers. It is
  // only used if the kernel's death signal reaches the processes that a group kill would.
  const child = canTether()
    ? spawn("setpriv", ["--pdeathsig", "KILL", "--", binary, ...args], { ...options, detached: true })
    : spawn(binary, args, options);
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.once("error", () => children.delete(child));
  return child;
}

/** Removes `folder` when this process exits, unless `keepOnExit` was called for it before. */
export function removeOnExit(folder: string): void {
  arm();
  folders.add(folder);
}

/** Cancels `removeOnExit`. */
export function keepOnExit(folder: string): void {
  folders.delete(folder);
}

let tether: boolean | undefined;

function canTether(): boolean {
  tether ??= spawnSync("setpriv", ["--pdeathsig", "KILL", "--", "true"], { stdio: "ignore" }).status === 0;
  return tether;
}

function arm(): void {
  if (armed) return;
  armed = true;
  // An uncaught exception ends in "exit" too, but a signal without a listener does not.
  process.on("exit", reap);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
}

function onSignal(signal: NodeJS.Signals): void {
  // Another listener means that somebody else shuts down cleanly, and "exit" follows.
  if (process.listenerCount(signal) > 1) return;
  reap();
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
}

function reap(): void {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
