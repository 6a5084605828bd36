import { createHash } from "node:crypto";
import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Binaries } from "../controlplane/binaries.ts";
import { withLock } from "../controlplane/lock.ts";
import { keepOnExit, removeOnExit } from "../controlplane/reaper.ts";
import { programImage, writeArchive } from "./archive.ts";
import { cacheFolder } from "./cache.ts";
import type { NodePrograms } from "./programs.ts";

/** The names that kubeadm 1.37 gives its images. */
const ETCD = "registry.k8s.io/etcd:3.7.0-0";
export const PAUSE = "registry.k8s.io/pause:3.10.2";

/** Returns the archive of a control plane's images, from the user's cache or written into it. */
export async function controlPlaneArchive(binaries: Binaries, programs: NodePrograms): Promise<string> {
  const images = imagePrograms(binaries, programs);
  const key = createHash("sha256").update(JSON.stringify(images)).digest("hex").slice(0, 12);
  const folder = await cacheFolder("images");
  const file = join(folder, `control-plane-${key}.tar`);
  await withLock(join(folder, "images.lock"), async () => {
    if (!(await stat(file).catch(() => undefined))) await write(file, images);
  });
  return file;
}

const imagePrograms = (
  binaries: Binaries,
  programs: NodePrograms,
): readonly (readonly [string, string])[] => [
  [ETCD, binaries.etcd],
  [PAUSE, programs.pause],
  [`registry.k8s.io/kube-apiserver:v${programs.version}`, binaries.kubeApiserver],
  [`registry.k8s.io/kube-controller-manager:v${programs.version}`, binaries.kubeControllerManager],
  [`registry.k8s.io/kube-scheduler:v${programs.version}`, programs.scheduler],
];

async function write(file: string, images: readonly (readonly [string, string])[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "clv-images-"));
  removeOnExit(folder);
  const specs = await Promise.all(images.map(([name, program]) => programImage(folder, name, program)));
  await writeArchive(`${file}.new`, specs);
  await rename(`${file}.new`, file);
  await rm(folder, { recursive: true });
  keepOnExit(folder);
}
