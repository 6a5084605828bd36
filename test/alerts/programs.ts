import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { isExecutable, say } from "../controlplane/build.ts";
import { withLock } from "../controlplane/lock.ts";
import { type CommandResult, run } from "../controlplane/run.ts";

/** Absolute paths of Prometheus' programs. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

const NAMES = ["prometheus", "promtool"] as const;

/**
 * Finds Prometheus' programs in PATH, otherwise in the user's cache, otherwise in Debian's package, which is
 * unpacked there and not installed. A build from Go modules takes minutes, the package a second. If there is
 * no apt-get: returns undefined, after one line on stderr; but throws if CI is set.
 */
export async function prometheusPrograms(): Promise<PrometheusPrograms | undefined> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const folder of folders) {
    if (await hasPrograms(folder)) return programsIn(folder);
  }
  const root = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "claviger", "prometheus");
  const bin = join(root, "debian", "usr", "bin");
  await mkdir(root, { recursive: true });
  await withLock(join(root, "unpack.lock"), async () => {
    if (!(await hasPrograms(bin))) await unpack(root);
  }).catch(withoutPackage);
  return (await hasPrograms(bin)) ? programsIn(bin) : undefined;
}

async function hasPrograms(folder: string): Promise<boolean> {
  const found = await Promise.all(NAMES.map((name) => isExecutable(join(folder, name))));
  return found.every(Boolean);
}

const programsIn = (folder: string): PrometheusPrograms => ({
  prometheus: join(folder, "prometheus"),
  promtool: join(folder, "promtool"),
});

async function unpack(root: string): Promise<void> {
  const folder = await mkdtemp(join(root, "unpacking-"));
  try {
    await download(folder);
    const [archive] = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error("apt-get download brought no package");
    await succeeds("dpkg", ["-x", archive, "files"], folder);
    await rm(join(root, "debian"), { recursive: true, force: true });
    await rename(join(folder, "files"), join(root, "debian"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** apt-get compares the package's hash with the signed list. A fresh machine may have no list yet. */
async function download(folder: string): Promise<void> {
  const get = () => run("apt-get", ["download", "-qq", "prometheus"], { cwd: folder });
  if ((await get()).code === 0) return;
  await succeeds("apt-get", ["update", "-qq"], folder);
  const { code, stderr } = await get();
  if (code !== 0) throw new Error(`apt-get download prometheus: ${stderr}`);
}

async function succeeds(program: string, args: readonly string[], cwd: string): Promise<CommandResult> {
  const result = await run(program, args, { cwd });
  if (result.code !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result;
}

function withoutPackage(error: unknown): void {
  const message = `prometheus and promtool are neither in PATH nor to be had from apt-get (${error})`;
  if (process.env.CI) throw new Error(message, { cause: error });
  say(`skipping the tests of the alerts: ${message}`);
}
