import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { spawnTracked } from "./reaper.ts";
import { Hopeless } from "./wait.ts";

/** A program to run. Its output is appended to `log`; `home` is its whole environment besides PATH. */
export interface Launch {
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  readonly log: string;
  readonly home: string;
  /** Added to the bare environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a process ended. One of the two fields is not null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts a child process. Resolves when it has an id, not when it is ready. */
export async function startProcess(launch: Launch): Promise<RunningProcess> {
  const log = openSync(launch.log, "a");
  try {
    const child = spawnTracked(launch.binary, launch.args, {
      stdio: ["ignore", log, log],
      env: { ...childEnvironment(launch.home), ...launch.environment },
    });
    await once(child, "spawn");
    return new RunningProcess(launch, child);
  } finally {
    closeSync(log);
  }
}

/**
 * Returns the environment of a child. It is nearly empty, because etcd and kubectl read settings from theirs.
 * The settings of Go's garbage collector are passed on: vitest.config.ts sets them.
 */
export function childEnvironment(home: string): NodeJS.ProcessEnv {
  const { PATH, GOGC, GOMEMLIMIT } = process.env;
  return { PATH, HOME: home, ...(GOGC && { GOGC }), ...(GOMEMLIMIT && { GOMEMLIMIT }) };
}

/** One run of a child process. */
export class RunningProcess {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #launch: Launch;
  readonly #child: ChildProcess;

  constructor(launch: Launch, child: ChildProcess) {
    if (child.pid === undefined) throw new Error(`${launch.name} has no process id`);
    this.pid = child.pid;
    this.#launch = launch;
    this.#child = child;
    this.exited = new Promise((resolve) => {
      if (this.alive) child.once("exit", (code, signal) => resolve({ code, signal }));
      else resolve({ code: child.exitCode, signal: child.signalCode });
    });
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends SIGTERM, and SIGKILL after `deadline` milliseconds. */
  async stop(deadline = 30_000): Promise<Exit> {
    this.#child.kill("SIGTERM");
    const insist = setTimeout(() => this.#child.kill("SIGKILL"), deadline);
    try {
      return await this.exited;
    } finally {
      clearTimeout(insist);
    }
  }

  /** Ends the process as a crash would: SIGKILL, no warning. */
  kill9(): Promise<Exit> {
    this.#child.kill("SIGKILL");
    return this.exited;
  }

  /** For probes that wait for this process: throws `Hopeless`, with the log's end, once it is gone. */
  mustLive(): void {
    if (this.alive) return;
    const how = this.#child.signalCode ?? `code ${this.#child.exitCode}`;
    throw new Hopeless(`${this.#launch.name} ended (${how}); the end of its log:\n${this.lastLines()}`);
  }

  /** Returns the end of the log, for error messages. */
  lastLines(lines = 15): string {
    const log = openSync(this.#launch.log, "r");
    try {
      const tail = Buffer.alloc(8192);
      const read = readSync(log, tail, 0, tail.length, Math.max(0, fstatSync(log).size - tail.length));
      return tail.toString("utf8", 0, read).trimEnd().split("\n").slice(-lines).join("\n");
    } finally {
      closeSync(log);
    }
  }
}
