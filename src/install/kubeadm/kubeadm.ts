import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeconfigChange } from "../changes.ts";
import { type Site, succeed } from "../site.ts";

/** Lets kubeadm sign a client certificate, and returns the kubeconfig with it. */
export function kubeadmKubeconfig(
  site: Site,
  { user, group, kubeadmConfig }: Pick<KubeconfigChange, "user" | "group" | "kubeadmConfig">,
): Promise<string> {
  return withFile(kubeadmConfig, async (path) => {
    const args = ["kubeconfig", "user", "--config", path, "--client-name", user, "--org", group];
    return (await succeed(site, "kubeadm", args)).stdout;
  });
}

/** The file is in a folder of mode 0700 and is removed at once. */
async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "claviger-init-"));
  try {
    const path = join(folder, "kubeadm.yaml");
    writeFileSync(path, text, { mode: 0o600 });
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
