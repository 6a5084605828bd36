import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "../controlplane/lock.ts";
import { keepOnExit, removeOnExit } from "../controlplane/reaper.ts";
import { run } from "../controlplane/run.ts";
import { cacheFolder } from "./cache.ts";
import { must } from "./must.ts";

/** The packages that lie over a machine's /usr: a container runtime and a network for pods. */
export const RUNTIME_PACKAGES = ["containerd", "containernetworking-plugins", "runc", "libseccomp2"] as const;

/** The packages that build claviger's image. */
export const BUILDER_PACKAGES = [
  "buildah",
  "golang-github-containers-common",
  "libassuan0",
  "libdevmapper1.02.1",
  "libgpg-error0",
  "libgpgme11",
  "libseccomp2",
] as const;

/** The packages of the base image of claviger's image. */
export const BASE_PACKAGES = [
  "base-files",
  "bash",
  "coreutils",
  "dash",
  "libacl1",
  "libatomic1",
  "libattr1",
  "libc6",
  "libcap-ng0",
  "libgcc-s1",
  "libgmp10",
  "libpcre2-8-0",
  "libselinux1",
  "libsmartcols1",
  "libstdc++6",
  "libtinfo6",
  "util-linux",
  "zlib1g",
] as const;

/**
 * Returns a folder with the contents of Debian packages, from the user's cache or downloaded into it. Nothing
 * is installed. Throws if apt cannot download them.
 */
export async function unpackedPackages(kind: string, names: readonly string[]): Promise<string> {
  const root = await cacheFolder("packages");
  const hash = createHash("sha256").update(names.join("\0")).digest("hex").slice(0, 12);
  const folder = join(root, `${kind}-${hash}`);
  await withLock(join(root, `${kind}.lock`), async () => {
    if (!(await stat(folder).catch(() => undefined))) await unpack(root, folder, names);
  });
  return folder;
}

async function unpack(root: string, folder: string, names: readonly string[]): Promise<void> {
  const temporary = await mkdtemp(join(root, "unpacking-"));
  removeOnExit(temporary);
  const downloads = join(temporary, "downloads");
  const contents = join(temporary, "contents");
  await mkdir(downloads);
  await mkdir(contents);
  await download(downloads, names);
  for (const file of (await readdir(downloads)).toSorted()) {
    await must("dpkg", ["-x", join(downloads, file), contents]);
  }
  await rename(contents, folder);
  await rm(temporary, { recursive: true });
  keepOnExit(temporary);
}

/** A machine that never asked its archive knows no packages, so the second try updates their list. */
async function download(folder: string, names: readonly string[]): Promise<void> {
  const first = await run("apt-get", ["-qq", "download", ...names], { cwd: folder });
  if (first.code === 0) return;
  await must("apt-get", ["-qq", "update"]);
  await must("apt-get", ["-qq", "download", ...names], { cwd: folder });
}
