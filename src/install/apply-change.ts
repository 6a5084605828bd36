import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createRootKey } from "../seal/root-key-file.ts";
import type { Change, KubeconfigChange } from "./changes.ts";
import { writeClusterConfiguration } from "./kubeadm/cluster-config-map.ts";
import { kubeadmKubeconfig } from "./kubeadm/kubeadm.ts";
import { applyObject, deleteObject } from "./objects/apply-object.ts";
import { rewriteAll } from "./objects/rewrite-all.ts";
import { keepOriginal } from "./originals.ts";
import { placeOf, type Site, succeed } from "./site.ts";
import { removeFile, writeText } from "./text-file.ts";

/** Makes a change. Files are kept as they were before, for `init --undo`. */
export async function applyChange(site: Site, change: Change): Promise<void> {
  switch (change.kind) {
    case "folder":
      return makeFolder(placeOf(site, change.path));
    case "root key":
      return createRootKey(placeOf(site, change.path));
    case "kubeconfig":
      return writeKubeconfig(site, change);
    case "object":
      return applyObject(site, change.object);
    case "rewrite":
      return rewriteAll(site, change.path);
    case "delete":
      return deleteObject(site, change.path);
    case "remove":
      return rmSync(placeOf(site, change.path), { recursive: true, force: true });
    case "run":
      return void (await succeed(site, change.command, change.args));
    case "cluster configuration":
      return writeClusterConfiguration(site, change.before, change.after);
    case "file": {
      keepOriginal(site, change.path);
      const place = placeOf(site, change.path);
      return change.after === undefined ? removeFile(place) : writeText(place, change.after, change.mode);
    }
  }
}

function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
}

async function writeKubeconfig(site: Site, change: KubeconfigChange): Promise<void> {
  const text = await kubeadmKubeconfig(site, change);
  keepOriginal(site, change.path);
  writeText(placeOf(site, change.path), text, 0o600);
}
