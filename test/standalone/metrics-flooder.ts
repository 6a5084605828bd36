import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";

const PROGRAM = join(import.meta.dirname, "metrics-flood.ts");

/** The progress of a flood. */
export interface FloodCount {
  readonly connections: number;
  readonly answers: number;
}

/** A running metrics-flood.ts, which has received its first answer. `await using` ends it. */
export class MetricsFlooder implements AsyncDisposable {
  readonly #process: RunningProcess;
  readonly #log: string;

  private constructor(process_: RunningProcess, log: string) {
    this.#process = process_;
    this.#log = log;
  }

  static async start(port: number, dir: string): Promise<MetricsFlooder> {
    const log = join(dir, "metrics-flood.log");
    const args = [PROGRAM, String(port)];
    const process_ = await startProcess({
      name: "metrics-flood",
      binary: process.execPath,
      args,
      log,
      home: dir,
    });
    const flooder = new MetricsFlooder(process_, log);
    await eventually("the flood is under way", async () => {
      const under = (await flooder.count()).answers > 0;
      if (!under) process_.mustLive();
      return under;
    });
    return flooder;
  }

  async count(): Promise<FloodCount> {
    const last = (await readFile(this.#log, "utf8")).trim().split("\n").at(-1) ?? "";
    const [, connections = 0, answers = 0] = /^connections=(\d+) answers=(\d+)$/.exec(last) ?? [];
    return { connections: Number(connections), answers: Number(answers) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}
