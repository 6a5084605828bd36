import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { findExecutable, isExecutable, say } from "../controlplane/build.ts";
import { run } from "../controlplane/run.ts";
import { must } from "../kubeadm/must.ts";
import { unpackedPackages } from "../kubeadm/packages.ts";

const PACKAGE = "chromium-headless-shell";
/** Programs in PATH that would do. */
const INSTALLED = [PACKAGE, "chromium", "chromium-browser", "google-chrome"];
/** Packages that a desktop needs and a browser without a window does not. */
const UNNEEDED = new Set(["xdg-utils"]);

/** Chromium's program, and the folders of libraries that the system does not have. */
export interface BrowserProgram {
  readonly path: string;
  readonly libraries: readonly string[];
}

/**
 * Finds Chromium in PATH, otherwise in the user's cache, otherwise in Debian's packages, which are unpacked
 * there and not installed (96 MB, some seconds). Returns undefined, after one line on stderr, if there is no
 * apt-get; but throws if CI is set.
 */
export async function browserProgram(): Promise<BrowserProgram | undefined> {
  for (const name of INSTALLED) {
    const path = await findExecutable(name);
    if (path !== undefined) return { path, libraries: [] };
  }
  try {
    return await unpacked();
  } catch (error) {
    const message = `chromium is neither in PATH nor to be had from apt-get (${error})`;
    if (process.env.CI) throw new Error(message, { cause: error });
    say(`skipping the tests of the console: ${message}`);
    return undefined;
  }
}

async function unpacked(): Promise<BrowserProgram> {
  const folder = await unpackedPackages("chromium", await missingPackages());
  const path = join(folder, "usr", "lib", "chromium", PACKAGE);
  if (!(await isExecutable(path))) throw new Error(`the packages have no ${path}`);
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const libraries = join(folder, "usr", "lib", `${machine}-linux-gnu`);
  return { path, libraries: [libraries, join(libraries, "pulseaudio")] };
}

/** Returns the browser's package and those of its dependencies that this system does not have. */
async function missingPackages(): Promise<string[]> {
  const plan = () =>
    run("apt-get", ["--simulate", "-qq", "--no-install-recommends", "install", PACKAGE, "fonts-dejavu-core"]);
  const first = await plan();
  if (first.code !== 0) await must("apt-get", ["-qq", "update"]);
  const { code, stdout, stderr } = first.code === 0 ? first : await plan();
  if (code !== 0) throw new Error(`apt-get --simulate install ${PACKAGE}: ${stderr}`);
  const names = [...stdout.matchAll(/^Inst (\S+) /gm)].map(([, name = ""]) => name);
  return names.filter((name) => !UNNEEDED.has(name)).toSorted();
}

/** Starts a browser without a window. Root has no sandbox, and the page is our own. */
export function launch({ path, libraries }: BrowserProgram): Promise<Browser> {
  return chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-gpu"],
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", LD_LIBRARY_PATH: libraries.join(":") },
  });
}
