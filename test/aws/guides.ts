import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CommandResult, run } from "../controlplane/run.ts";
import { type Block, ROOT, testedBlocks } from "../docs/markdown.ts";

const PAGE = "docs/aws.md";

/** Returns the blocks of the guide with this name. */
export const guide = (name: string): readonly Block[] => testedBlocks(PAGE, name);

/** The commands of the aws CLI in the guides, as names of operations. */
export function operationsOfGuides(): ReadonlySet<string> {
  const text = guide("aws-cli")
    .map((block) => block.text)
    .join("\n");
  const commands = [...text.matchAll(/\baws kms ([a-z-]+)/g)].map(([, command = ""]) => command);
  return new Set(commands.map(operationOf));
}

const operationOf = (command: string): string =>
  command
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

/** A folder in which the guides' blocks are run as a reader would. */
export class GuideFolder {
  readonly path: string;
  readonly environment: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.path = folder;
    this.environment = env;
  }

  static async create(folder: string, env: NodeJS.ProcessEnv): Promise<GuideFolder> {
    await mkdir(folder);
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    return new GuideFolder(folder, env);
  }

  /** Returns the same folder with other environment variables. */
  withVariables(more: NodeJS.ProcessEnv): GuideFolder {
    return new GuideFolder(this.path, { ...this.environment, ...more });
  }

  /** Runs a block by its language. */
  async run({ language, text }: Block, more: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
    const options = { cwd: this.path, env: { ...this.environment, ...more }, deadline: 300_000 };
    if (language === "sh") return run("bash", ["--norc", "-euo", "pipefail", "-c", text], options);
    const [program, file] = language === "js" ? [process.execPath, "guide.mjs"] : ["python3", "guide.py"];
    await writeFile(join(this.path, file), text);
    return run(program, [file], options);
  }
}
