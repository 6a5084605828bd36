import { resolve } from "node:path";
import { BINARY_NAMES, type BinaryName, buildBinaries, isExecutable, say } from "./build.ts";

/** Absolute paths of the programs of a control plane. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubectl: string;
}

/**
 * Finds the control plane's programs: in KUBEBUILDER_ASSETS, otherwise in the user's cache, otherwise by a
 * build from Go modules, which takes minutes the first time. If a build is necessary and there is no Go:
 * returns undefined, after one line on stderr; but throws if CI is set, so that no pipeline passes by
 * skipping.
 */
export async function controlPlaneBinaries(): Promise<Binaries | undefined> {
  const assets = await kubebuilderAssets();
  const absent = BINARY_NAMES.filter((name) => !assets.has(name));
  const built = absent.length === 0 ? [] : await buildBinaries(absent);
  if (built === undefined) return withoutGo();
  const paths = new Map([...assets, ...absent.map((name, i) => [name, built[i]] as const)]);
  return {
    etcd: pathOf(paths, "etcd"),
    kubeApiserver: pathOf(paths, "kube-apiserver"),
    kubeControllerManager: pathOf(paths, "kube-controller-manager"),
    kubectl: pathOf(paths, "kubectl"),
  };
}

/**
 * Returns envtest's folder if it has all programs that it usually has, which do not include the controller
 * manager.
 */
async function kubebuilderAssets(): Promise<ReadonlyMap<BinaryName, string>> {
  const found = new Map<BinaryName, string>();
  const folder = process.env.KUBEBUILDER_ASSETS;
  if (!folder) return found;
  for (const name of BINARY_NAMES) {
    const path = resolve(folder, name);
    if (await isExecutable(path)) found.set(name, path);
  }
  const usual: readonly BinaryName[] = ["etcd", "kube-apiserver", "kubectl"];
  const lacks = usual.filter((name) => !found.has(name));
  if (lacks.length === 0) return found;
  say(`KUBEBUILDER_ASSETS is not used: it lacks ${lacks.join(", ")}`);
  return new Map();
}

function pathOf(paths: ReadonlyMap<BinaryName, string | undefined>, name: BinaryName): string {
  const path = paths.get(name);
  if (path === undefined) throw new Error(`${name} was neither found nor built`);
  return path;
}

function withoutGo(): undefined {
  const message = "the test control plane needs Go, or KUBEBUILDER_ASSETS with kube-controller-manager";
  if (process.env.CI) throw new Error(message);
  say(`skipping the cluster tests: ${message}`);
  return undefined;
}
