/**
 * Runs matrix.ts against versions of Kubernetes: `npm run test:versions -- 1.29 1.30`. Without
 * arguments, against all of them. Builds the API servers that the user's cache lacks.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { say } from "../controlplane/build.ts";
import { type Kubernetes, kubernetesOf, MINORS, NEWEST } from "./build.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const all = [NEWEST.split(".").slice(0, 2).join("."), ...MINORS];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((minor) => !all.includes(minor));
if (unknown.length > 0) {
  say(`no Kubernetes ${unknown.join(", ")} here: name some of ${all.join(", ")}`);
  process.exit(2);
}

const failed: string[] = [];
for (const minor of wanted.length > 0 ? wanted : all) {
  const kubernetes = await kubernetesOf(minor);
  if (kubernetes === undefined) {
    say("the API servers are built by Go: install the Go of test/controlplane/go.mod");
    process.exit(1);
  }
  if (!passes(kubernetes)) failed.push(kubernetes.version);
}
if (failed.length > 0) say(`failed with Kubernetes ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;

function passes({ version, assets }: Kubernetes): boolean {
  say(`== Kubernetes ${version}`);
  const args = ["run", "--config", join(ROOT, "test", "versions", "vitest.config.ts")];
  const env = { ...process.env, CLAVIGER_TEST_KUBERNETES: version, CI: "1" };
  const { status } = spawnSync(join(ROOT, "node_modules", ".bin", "vitest"), args, {
    cwd: ROOT,
    env: { ...env, KUBEBUILDER_ASSETS: assets ?? "" },
    stdio: "inherit",
  });
  return status === 0;
}
