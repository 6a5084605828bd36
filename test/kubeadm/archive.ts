import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { must } from "./must.ts";

/** An image of one layer. */
export interface ImageSpec {
  /** The name that the kubelet asks for. */
  readonly name: string;
  /** The folder that becomes the root file system. */
  readonly root: string;
  /** The runtime configuration, with the field names of the OCI image specification. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Copies a program into a new root file system and returns the image that runs it. */
export async function programImage(folder: string, name: string, program: string): Promise<ImageSpec> {
  const root = join(folder, basename(program));
  const path = join(root, "usr/local/bin", basename(program));
  await mkdir(dirname(path), { recursive: true });
  await copyFile(program, path);
  const config = { Env: ["PATH=/usr/local/bin"], Entrypoint: [`/usr/local/bin/${basename(program)}`] };
  return { name, root, config };
}

/**
 * Writes images as an archive in the manner of `docker save`, which `ctr images import` and `buildah pull`
 * read. The same contents give the same digests: owners, order and times are fixed.
 */
export async function writeArchive(file: string, images: readonly ImageSpec[]): Promise<void> {
  const folder = `${file}.parts`;
  await mkdir(folder, { recursive: true });
  const manifest = [];
  for (const [index, image] of images.entries()) manifest.push(await writeImage(folder, `${index}`, image));
  await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  await must("tar", ["-C", folder, "-cf", file, ...(await readdir(folder))]);
  await rm(folder, { recursive: true });
}

async function writeImage(folder: string, index: string, { name, root, config }: ImageSpec) {
  const layer = `${index}.tar`;
  const fixed = ["--numeric-owner", "--owner=0", "--group=0", "--sort=name", "--mtime=@0"];
  await must("tar", [...fixed, "-C", root, "-cf", join(folder, layer), "."]);
  const image = {
    architecture: "amd64",
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${await digest(join(folder, layer))}`] },
    history: [{ created_by: "archive" }],
  };
  await writeFile(join(folder, `${index}.json`), JSON.stringify(image));
  return { Config: `${index}.json`, RepoTags: [name], Layers: [layer] };
}

async function digest(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
