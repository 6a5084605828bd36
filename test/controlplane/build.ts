import { createHash } from "node:crypto";
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { requireGo } from "./go-version.ts";
import { withLock } from "./lock.ts";
import { keepOnExit, removeOnExit } from "./reaper.ts";
import { run } from "./run.ts";

const MODULE = import.meta.dirname;

/** How long a first build takes on two cores, so that nobody thinks it hangs. */
const USUAL_TIME = {
  etcd: "40 seconds",
  "kube-apiserver": "4 minutes",
  "kube-controller-manager": "2 minutes",
  kubectl: "30 seconds",
};

export type BinaryName = keyof typeof USUAL_TIME;

export const BINARY_NAMES: readonly BinaryName[] = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kubectl",
];

/**
 * Returns the absolute paths of the named programs of this folder's Go module, in the order of `names`, from
 * the user's cache or built into it. Returns undefined if a program would have to be built and there is no
 * Go. Throws if a build fails.
 */
export async function buildBinaries(names: readonly BinaryName[]): Promise<readonly string[] | undefined> {
  const versions = await moduleVersions();
  const programs = names.map((name) => ({
    name,
    version: name === "etcd" ? versions.etcd : versions.kubernetes,
    usualTime: USUAL_TIME[name],
    module: MODULE,
    package: `./${name}`,
    flags: goFlags(versions.kubernetes),
  }));
  return buildPrograms("controlplane", await cacheKey(versions), programs);
}

/** A program that Go builds from a module. */
export interface Program {
  readonly name: string;
  readonly version: string;
  /** How long its first build takes on two cores. */
  readonly usualTime: string;
  /** The folder of its go.mod. */
  readonly module: string;
  readonly package: string;
  readonly flags: readonly string[];
}

/**
 * Does the same as `buildBinaries` for any programs. `key` must change whenever the programs would differ.
 */
export async function buildPrograms(
  kind: string,
  key: string,
  programs: readonly Program[],
): Promise<readonly string[] | undefined> {
  const root = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "claviger", kind);
  const folder = join(root, key);
  const paths = programs.map(({ name }) => join(folder, name));
  if ((await missing(folder, programs)).length === 0) return paths;
  const go = await findExecutable("go");
  if (go === undefined) return undefined;
  for (const module of new Set(programs.map((program) => program.module))) await requireGo(go, module);
  await mkdir(folder, { recursive: true });
  await withLock(
    join(root, "build.lock"),
    () => buildMissing(go, folder, programs),
    () => say(`another process builds ${programs.map(({ name }) => name).join(", ")}; waiting for it…`),
  );
  return paths;
}

/** Returns the version of a module that a text of go.mod requires. */
export function requiredVersion(gomod: string, module: string): string {
  const found = new RegExp(`^\\s*${module} v(\\S+)`, "m").exec(gomod)?.[1];
  if (found === undefined) throw new Error(`go.mod does not require ${module}`);
  return found;
}

/** Returns true if `path` is a file that this user may execute. */
export function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Writes one line about the test control plane to stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

interface Versions {
  readonly kubernetes: string;
  readonly etcd: string;
}

async function moduleVersions(): Promise<Versions> {
  const gomod = await readFile(join(MODULE, "go.mod"), "utf8");
  return {
    kubernetes: requiredVersion(gomod, "k8s.io/kubernetes"),
    etcd: requiredVersion(gomod, "go.etcd.io/etcd/server/v3"),
  };
}

async function cacheKey(versions: Versions): Promise<string> {
  const hash = createHash("sha256").update(goFlags(versions.kubernetes).join("\0"));
  const sources = ["go.mod", "go.sum", ...BINARY_NAMES.map((name) => join(name, "main.go"))];
  for (const source of sources) hash.update(await readFile(join(MODULE, source)));
  const platform = `${process.platform}-${process.arch}`;
  return `${versions.kubernetes}-etcd${versions.etcd}-${platform}-${hash.digest("hex").slice(0, 12)}`;
}

/** Returns the flags with which Go builds programs that say that they are this version of Kubernetes. */
export function goFlags(kubernetes: string): string[] {
  const [major, minor] = kubernetes.split(".");
  const variables = { gitVersion: `v${kubernetes}`, gitMajor: major, gitMinor: minor };
  const stamps = Object.entries(variables).map(([k, v]) => `-X k8s.io/component-base/version.${k}=${v}`);
  // Without -buildvcs=false, Go runs git, which refuses a checkout of another user.
  return ["-trimpath", "-buildvcs=false", "-ldflags", ["-s", "-w", ...stamps].join(" ")];
}

async function missing(folder: string, programs: readonly Program[]): Promise<Program[]> {
  const absent: Program[] = [];
  for (const program of programs) {
    if (!(await isExecutable(join(folder, program.name)))) absent.push(program);
  }
  return absent;
}

/** Runs under the lock, so anything else in a build folder was left by a dead builder. */
async function buildMissing(go: string, folder: string, programs: readonly Program[]): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (entry.startsWith("building-")) await rm(join(folder, entry), { recursive: true, force: true });
  }
  const absent = await missing(folder, programs);
  if (absent.length === 0) return;
  const temporary = await mkdtemp(join(folder, "building-"));
  removeOnExit(temporary);
  try {
    for (const program of absent) {
      await buildOne(go, temporary, program);
      await rename(join(temporary, program.name), join(folder, program.name));
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
    keepOnExit(temporary);
  }
}

async function buildOne(go: string, folder: string, program: Program): Promise<void> {
  const { name, version, usualTime, module, flags } = program;
  say(`building ${name} ${version} from Go modules (about ${usualTime} the first time)…`);
  const { code, stderr } = await run(go, ["build", ...flags, "-o", join(folder, name), program.package], {
    cwd: module,
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
  });
  if (code !== 0) throw new Error(`go build of ${name} failed:\n${stderr.slice(-4000)}`);
}

/** Returns the path of a program on PATH, or undefined. */
export async function findExecutable(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder !== "" && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}
