import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "../../test/controlplane/run.ts";

const REQUIREMENTS = join(import.meta.dirname, "moto-requirements.txt");

/** Returns the Python in whose virtual environment moto is installed, once for each list of versions. */
export async function motoPython(): Promise<string> {
  const hash = createHash("sha256").update(await readFile(REQUIREMENTS));
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "claviger");
  const folder = join(cache, `moto-${hash.digest("hex").slice(0, 12)}`);
  if (!existsSync(folder)) await install(cache, folder);
  return join(folder, "bin", "python3");
}

/** Complete before it gets its name, so that a failed installation is begun again. */
async function install(cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  await succeed("python3", "-m", "venv", draft);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
  await succeed(join(draft, "bin", "python3"), ...pip, "-r", REQUIREMENTS);
  await rename(draft, folder);
}

async function succeed(command: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await run(command, args, { deadline: 600_000 });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${stdout}${stderr}`);
}
