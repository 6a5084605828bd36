import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPrograms, requiredVersion } from "../controlplane/build.ts";

const MODULE = join(import.meta.dirname, "programs");

/** The programs. The times are those of a first build on two cores after the control plane's, whose packages they share. */
const PROGRAMS = [
  { name: "kubelet", package: "k8s.io/kubernetes/cmd/kubelet", usualTime: "1 minute" },
  { name: "kubeadm", package: "k8s.io/kubernetes/cmd/kubeadm", usualTime: "30 seconds" },
  { name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler", usualTime: "20 seconds" },
  { name: "pause", package: "./pause", usualTime: "2 seconds" },
];

/** Absolute paths of the programs that a kubeadm cluster needs besides a control plane's. */
export interface NodePrograms {
  /** The version of Kubernetes, without "v". */
  readonly version: string;
  readonly kubelet: string;
  readonly kubeadm: string;
  readonly scheduler: string;
  readonly pause: string;
}

/**
 * Returns the programs from the user's cache, or builds them from Go modules into it. Returns undefined if
 * they would have to be built and there is no Go. Throws if a build fails.
 */
export async function nodePrograms(): Promise<NodePrograms | undefined> {
  const gomod = await readFile(join(MODULE, "go.mod"), "utf8");
  const version = requiredVersion(gomod, "k8s.io/kubernetes");
  const key = await cacheKey(version, gomod);
  const programs = PROGRAMS.map((program) => ({
    ...program,
    version,
    module: MODULE,
    flags: goFlags(version),
  }));
  const built = await buildPrograms("kubeadm", key, programs);
  if (built === undefined) return undefined;
  const [kubelet = "", kubeadm = "", scheduler = "", pause = ""] = built;
  return { version, kubelet, kubeadm, scheduler, pause };
}

async function cacheKey(version: string, gomod: string): Promise<string> {
  const hash = createHash("sha256").update([...goFlags(version), gomod].join("\0"));
  for (const source of ["go.sum", "pause/main.go"]) hash.update(await readFile(join(MODULE, source)));
  return `${version}-${process.platform}-${process.arch}-${hash.digest("hex").slice(0, 12)}`;
}

function goFlags(version: string): string[] {
  const [major, minor] = version.split(".");
  const variables = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  const stamps = Object.entries(variables).map(([k, v]) => `-X k8s.io/component-base/version.${k}=${v}`);
  return ["-trimpath", "-buildvcs=false", "-ldflags", ["-s", "-w", ...stamps].join(" ")];
}
