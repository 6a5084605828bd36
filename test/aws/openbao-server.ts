import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freeAddress } from "../../src/testing/free-address.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import type { Block } from "../docs/markdown.ts";
import type { GuideFolder } from "./guides.ts";

const SHOWN = "127.0.0.1:8200";
const SHOWN_CLUSTER = "127.0.0.1:8201";

/** The OpenBao server of the guide, at free addresses instead of those that the guide shows. */
export class OpenBaoServer implements AsyncDisposable {
  readonly #folder: GuideFolder;
  readonly #address: string;
  readonly #command: string;
  #process: RunningProcess | undefined;
  #starts = 0;

  private constructor(folder: GuideFolder, address: string, command: string) {
    this.#folder = folder;
    this.#address = address;
    this.#command = command;
  }

  /** Writes the configuration as `openbao.hcl`. `command` starts the server in its last line. */
  static async create(folder: GuideFolder, config: Block, command: Block): Promise<OpenBaoServer> {
    const address = await freeAddress();
    const text = config.text.replaceAll(SHOWN, address).replaceAll(SHOWN_CLUSTER, await freeAddress());
    await writeFile(join(folder.path, "openbao.hcl"), text);
    return new OpenBaoServer(folder, address, command.text);
  }

  /** Starts the server and waits until it answers, sealed or not. */
  async start(): Promise<void> {
    // The folder for its data is made once.
    const text = this.#starts++ === 0 ? this.#command : this.#command.replace(/^mkdir .*$/m, "");
    const started = await startProcess({
      name: "bao",
      binary: "bash",
      args: ["--norc", "-euc", `cd ${this.#folder.path}\n${text.replace(/^bao /m, "exec bao ")}`],
      log: join(this.#folder.path, "openbao.log"),
      home: this.#folder.path,
      environment: definedOnly(this.#folder.environment),
    });
    this.#process = started;
    await eventually("OpenBao answers", async () => {
      started.mustLive();
      return (await fetch(`http://${this.#address}/v1/sys/seal-status`)).ok;
    });
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** Runs commands of the other terminal. */
  run(text: string): Promise<CommandResult> {
    const commands = text.replaceAll(SHOWN, this.#address);
    const args = ["--norc", "-euc", commands];
    const env = { ...this.#folder.environment, BAO_ADDR: `http://${this.#address}` };
    return run("bash", args, { cwd: this.#folder.path, env, deadline: 120_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

const definedOnly = (env: NodeJS.ProcessEnv): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
