import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { buildBinaries, buildPrograms, goFlags, requiredVersion } from "../controlplane/build.ts";

const FOLDER = join(import.meta.dirname, "kube-apiserver");
/** The module whose kube-apiserver is built; a version's `.mod` file replaces its go.mod. */
const MODULE = join(import.meta.dirname, "..", "controlplane");

/** The programs that come from the control plane of the other tests. */
const OTHERS = ["etcd", "kube-controller-manager", "kubectl"] as const;

/** A version of Kubernetes and the folder of its programs, as envtest has it. */
export interface Kubernetes {
  readonly version: string;
  /** Left out for the version that all other tests run. */
  readonly assets?: string;
}

/** The minor versions that have a `.mod` file, such as `1.30`, the newest first. */
export const MINORS: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".mod"))
  .map((name) => name.slice(0, -".mod".length))
  .sort((a, b) => b.localeCompare(a, "en", { numeric: true }));

/** The version of the control plane that all other tests run. */
export const NEWEST = requiredVersion(readFileSync(join(MODULE, "go.mod"), "utf8"), "k8s.io/kubernetes");

/**
 * Returns the programs of a minor version, from the user's cache or built into it: its kube-apiserver, and
 * the etcd and kubectl of the other tests. Returns undefined if there is no Go.
 */
export async function kubernetesOf(minor: string): Promise<Kubernetes | undefined> {
  if (NEWEST.startsWith(`${minor}.`)) return { version: NEWEST };
  const gomod = readFileSync(join(FOLDER, `${minor}.mod`), "utf8");
  const version = requiredVersion(gomod, "k8s.io/kubernetes");
  const flags = [...goFlags(version), `-modfile=${join(FOLDER, `${minor}.mod`)}`];
  const hash = createHash("sha256").update([gomod, ...goFlags(version)].join("\0"));
  const key = `${version}-${process.platform}-${process.arch}-${hash.digest("hex").slice(0, 12)}`;
  const program = {
    name: "kube-apiserver",
    usualTime: "5 minutes",
    module: MODULE,
    package: "./kube-apiserver",
  };
  const others = await buildBinaries(OTHERS);
  const [built] = (await buildPrograms("versions", key, [{ ...program, version, flags }])) ?? [];
  if (others === undefined || built === undefined) return undefined;
  const assets = join(dirname(built), "assets");
  await mkdir(assets, { recursive: true });
  for (const path of [built, ...others]) await link(path, join(assets, basename(path)));
  return { version, assets };
}

async function link(target: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(target, path);
}
