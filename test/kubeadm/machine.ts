import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type CommandResult, run } from "../controlplane/run.ts";

const SCRIPT = join(import.meta.dirname, "machine", "machine.sh");
const SERVICES = join(import.meta.dirname, "machine", "services.sh");

export interface MachineOptions {
  readonly name: string;
  /** Its address in the network of the machines, without a mask. */
  readonly address: string;
  /** A folder of its own for the machine's disks; it must not exist yet. */
  readonly folder: string;
  /** The folder of Debian packages that lie over the machine's /usr. */
  readonly packages: string;
  /** Folders with further programs, which come first on PATH. */
  readonly path: readonly string[];
}

export type Service = "containerd" | "kubelet";

/**
 * A machine made of namespaces. A process of its own keeps it: the machine halts and its folder is removed
 * when this process ends, also if it is killed.
 */
export class Machine {
  readonly name: string;
  readonly address: string;
  readonly #options: MachineOptions;
  #running: { readonly keeper: ChildProcess; readonly id: string; readonly cgroup: string } | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.address = options.address;
  }

  /** The id of the machine's first process, as this process sees it. */
  get id(): string {
    if (this.#running === undefined) throw new Error(`${this.name} is halted`);
    return this.#running.id;
  }

  /** Boots the machine. Nothing runs in it yet. */
  async boot(): Promise<void> {
    const { folder, name, address, packages } = this.#options;
    // Detached: a terminal's Ctrl-C must not end the process that cleans up.
    const keeper = spawn("bash", [SCRIPT, "keep", folder, name, address, packages], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const [line] = await once(keeper.stdout.setEncoding("utf8"), "data").catch(() => [""]);
    const [id, cgroup] = String(line).trim().split(" ");
    if (!id || !cgroup) {
      keeper.stdin.end();
      throw new Error(`${name} did not boot: ${await text(keeper.stderr)}`);
    }
    this.#running = { keeper, id, cgroup };
  }

  /** Ends every process at once, as a power cut does. The disks stay, /run does not. */
  halt(): Promise<void> {
    return this.#end("halt\n");
  }

  /** Ends every process and removes the machine's folder. */
  remove(): Promise<void> {
    return this.#end("");
  }

  async #end(order: string): Promise<void> {
    if (this.#running === undefined) return;
    const { keeper } = this.#running;
    this.#running = undefined;
    const ended = once(keeper, "exit");
    keeper.stdin?.end(order);
    await ended;
  }

  /** Runs a line of shell in the machine. Resolves with its exit code, also if it fails. */
  sh(command: string, stdin = ""): Promise<CommandResult> {
    if (this.#running === undefined) throw new Error(`${this.name} is halted: ${command}`);
    const { id, cgroup } = this.#running;
    const PATH = [...this.#options.path, process.env.PATH].join(":");
    return run("bash", [SCRIPT, "sh", id, cgroup, command], { stdin, env: { PATH } });
  }

  /** Runs a line of shell in the machine and returns what it printed. Throws if it fails. */
  async must(command: string, stdin = ""): Promise<string> {
    const { code, stdout, stderr } = await this.sh(command, stdin);
    if (code === 0) return stdout;
    throw new Error(
      `on ${this.name}: ${command.slice(0, 300)} failed (${code}): ${(stderr || stdout).slice(-2000)}`,
    );
  }

  /** Starts a service as systemd would; it is restarted if it ends. */
  async start(service: Service): Promise<void> {
    await this.must(`bash ${SERVICES} start ${service}`);
  }

  /** Stops a service as `systemctl stop` would: SIGTERM to its main process. Containers stay. */
  async stop(service: Service): Promise<void> {
    await this.must(`bash ${SERVICES} stop ${service}`);
  }
}
