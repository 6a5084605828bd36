import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type RunningProcess, startProcess } from "../test/controlplane/processes.ts";
import { run } from "../test/controlplane/run.ts";
import { makeNode, type NodeFolder } from "./keyrings.ts";
import { firstEncrypt } from "./kms-load.ts";
import type { OpenBao } from "./openbao.ts";
import type { Bench } from "./part.ts";
import type { Peers } from "./peers.ts";

const ROOT = join(import.meta.dirname, "..");
/** The same flags as in the image and in the package's scripts. */
const NODE_FLAGS = ["--max-semi-space-size=1"];

/** A KMS v2 plugin that can be started as a process of its own. */
export interface Plugin {
  readonly name: string;
  readonly socket: string;
  /** Resolves when the process has an id, not when it is ready. */
  start(): Promise<RunningProcess>;
}

/** A build of claviger: bin, dist, package.json and node_modules in a folder. */
export interface Build {
  readonly name: string;
  readonly folder: string;
}

/** Makes a package of this checkout in `folder`, compiled and without sources, as its image has it. */
export async function packageClaviger(folder: string): Promise<Build> {
  const { code, stdout, stderr } = await run("npm", ["run", "-s", "build"], { cwd: ROOT });
  if (code !== 0) throw new Error(`npm run build failed:\n${stdout}${stderr}`);
  await mkdir(folder);
  for (const part of ["bin", "dist", "package.json"])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return { name: "claviger", folder };
}

/** The plugin of a build. */
export const builtPlugin = ({ name, folder }: Build, node: NodeFolder): Plugin =>
  clavigerPlugin(name, join(folder, "bin", "claviger.js"), node);

/** The plugins of all builds that are measured, this claviger's first, each on a node of its own with as many versions. */
export async function builtPlugins(
  { claviger, beside }: Pick<Bench, "claviger" | "beside">,
  dir: string,
  versions: number,
): Promise<{ readonly ours: Plugin; readonly beside: readonly Plugin[]; readonly node: NodeFolder }> {
  const node = await makeNode(dir, versions);
  const ours = builtPlugin(claviger, node);
  if (beside === undefined) return { ours, beside: [], node };
  return { ours, beside: [builtPlugin(beside, await makeNode(`${dir}-other`, versions))], node };
}

/** Returns claviger's plugin from its TypeScript sources, as in a checkout. */
export const sourcePlugin = (node: NodeFolder): Plugin =>
  clavigerPlugin("claviger, sources", join(ROOT, "bin", "claviger.js"), node);

/** Returns Kubernetes' own KMS v2 server with one key: the least that a plugin can do. */
export function goPlugin({ referencePlugin }: Peers, dir: string): Plugin {
  const socket = join(dir, "go.sock");
  return {
    name: "Go plugin",
    socket,
    start: () =>
      startProcess({
        name: "reference-plugin",
        binary: referencePlugin,
        args: ["--socket", socket, "--key-file", join(dir, "go.key")],
        log: join(dir, "go.log"),
        home: dir,
      }),
  };
}

/** Returns the same server, with its key in the transit engine of an OpenBao server, which it calls for each Encrypt and Decrypt. */
export function networkPlugin(
  { referencePlugin }: Peers,
  dir: string,
  { address, token, key }: OpenBao,
): Plugin {
  const socket = join(dir, "network.sock");
  return {
    name: "Go plugin, OpenBao",
    socket,
    start: () =>
      startProcess({
        name: "network plugin",
        binary: referencePlugin,
        args: ["--socket", socket, "--transit", address, "--transit-key", key],
        log: join(dir, "network.log"),
        home: dir,
        environment: { BAO_TOKEN: token },
      }),
  };
}

/** A server that does nothing but receive and answer: Node's own cost. */
type Floor = "node:http2" | "grpc-js";

/** Returns a server without keys, in `dir`. */
export function floor(kind: Floor, dir: string): Plugin {
  const path = join(dir, kind.replace(":", "-"));
  const socket = `${path}.sock`;
  return {
    name: `${kind} alone`,
    socket,
    start: () =>
      startProcess({
        name: kind,
        binary: process.execPath,
        args: [...NODE_FLAGS, join(import.meta.dirname, "floor-server.ts"), kind, socket],
        log: `${path}.log`,
        home: dir,
      }),
  };
}

/** Plugins that answer. Disposing of them stops them. */
export interface RunningPlugins extends AsyncDisposable {
  /** In the order of the plugins. */
  readonly processes: readonly RunningProcess[];
}

/** Starts plugins one after another and waits for the first successful Encrypt of each. */
export async function running(plugins: readonly Plugin[], { kmsLoad }: Peers): Promise<RunningPlugins> {
  const processes: RunningProcess[] = [];
  const stop = async () => {
    await Promise.all(processes.map((process_) => process_.stop()));
  };
  try {
    for (const plugin of plugins) {
      processes.push(await plugin.start());
      await firstEncrypt(kmsLoad, plugin.socket);
    }
    return { processes, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function clavigerPlugin(name: string, script: string, { dir, configPath, socket }: NodeFolder): Plugin {
  return {
    name,
    socket,
    start: () =>
      startProcess({
        name,
        binary: process.execPath,
        args: [...NODE_FLAGS, script, "plugin", "--config", configPath],
        log: join(dir, "plugin.log"),
        home: dir,
      }),
  };
}
