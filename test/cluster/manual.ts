import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { operationsBlock, ROOT } from "../docs/markdown.ts";
import type { Cluster } from "./cluster.ts";

/** An administrator who follows docs/operations in a checkout, with kubectl and claviger on the PATH. */
export class Manual {
  /** Replaces folders that the manual names. */
  readonly folder: string;
  readonly #cluster: Cluster;

  private constructor(folder: string, cluster: Cluster) {
    this.folder = folder;
    this.#cluster = cluster;
  }

  static async open(cluster: Cluster): Promise<Manual> {
    const folder = await mkdtemp(join(tmpdir(), "claviger-manual-"));
    const binaries = await controlPlaneBinaries();
    await symlink(binaries?.kubectl ?? "", join(folder, "kubectl"));
    const program = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "bin", "claviger.js")}" "$@"\n`;
    await writeFile(join(folder, "claviger"), program, { mode: 0o755 });
    return new Manual(folder, cluster);
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  /**
   * Runs a block of the manual literally, except for names and paths. Returns its output. Rejects if it
   * fails.
   */
  async follow(block: string, names: Readonly<Record<string, string>> = {}): Promise<string> {
    let text = operationsBlock(block);
    const paths = {
      "/etc/claviger/claviger.yaml": this.#cluster.nodes[0]?.configPath ?? "",
      "/backup/": `${this.folder}/`,
    };
    for (const [name, value] of Object.entries({ ...paths, ...names })) text = text.replaceAll(name, value);
    const { code, stdout, stderr } = await this.shell(text);
    if (code !== 0) throw new Error(`${text}\n${stdout}${stderr}`);
    return stdout;
  }

  async shell(text: string): ReturnType<typeof run> {
    const env = {
      PATH: `${this.folder}:${process.env.PATH}`,
      HOME: this.folder,
      KUBECONFIG: await this.#cluster.plane.apiServers[0]?.kubeconfig(),
    };
    return run("bash", ["-euo", "pipefail", "-c", text], { cwd: ROOT, env, deadline: 600_000 });
  }
}
