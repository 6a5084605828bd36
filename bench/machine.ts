import { arch, cpus, release, totalmem, type } from "node:os";
import { version } from "node:process";
import { goVersion } from "./peers.ts";

/** Describes the machine and the versions behind the figures, one per line. */
export async function describeMachine(): Promise<string[]> {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown CPU"}, ${arch()}`,
    `${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`,
    `${type()} ${release()}`,
    `Node ${version}, ${await goVersion()}`,
  ];
}
