import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Returns a folder of the user's cache that the kubeadm clusters keep built things in; creates it. */
export async function cacheFolder(name: string): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "claviger", "kubeadm", name);
  await mkdir(folder, { recursive: true });
  return folder;
}
