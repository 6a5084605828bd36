import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer } from "./apiserver.ts";
import { type Binaries, controlPlaneBinaries } from "./binaries.ts";
import { Controllers, USUAL_CONTROLLERS } from "./controllers.ts";
import { Etcd } from "./etcd.ts";
import { type Identities, type User, writeIdentities } from "./identities.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { keepOnExit, removeOnExit } from "./reaper.ts";

export interface ControlPlaneOptions {
  /** How many API servers share the etcd; 1 if left out. */
  readonly apiServers?: number;
  /** A folder that keeps the data over stops; if left out, a new folder, which `stop` removes. */
  readonly dir?: string;
  /**
   * Returns the path of the EncryptionConfiguration of API server `index`; `dir` is the control plane's
   * folder.
   */
  readonly encryptionConfig?: (
    index: number,
    dir: string,
  ) => string | undefined | Promise<string | undefined>;
  /** Returns further command-line flags for API server `index`. */
  readonly flags?: (index: number, dir: string) => readonly string[];
  /** Returns the name of the host of API server `index`; this machine's name if left out. */
  readonly hostname?: (index: number) => string;
  /** Users in addition to the admin. */
  readonly users?: readonly User[];
  /**
   * False if kube-controller-manager does not run; or a list of controllers to run instead of the usual ones.
   */
  readonly controllers?: boolean | readonly string[];
  /** The path that must return 200 at each API server before the start is done; see `ApiServer.ready`. */
  readonly readyPath?: string;
}

export interface ControlPlane extends AsyncDisposable {
  readonly dir: string;
  readonly etcd: Etcd;
  readonly apiServers: readonly ApiServer[];
  readonly controllers: Controllers | undefined;
  /** Runs kubectl as the admin at the first API server. */
  readonly kubectl: Kubectl;
  /** Ends every process. Removes the folder too, unless the caller named it. */
  stop(): Promise<void>;
}

/**
 * Starts etcd, API servers and, if requested, controllers on loopback. Resolves when all are ready, and
 * leaves nothing behind if it fails. Throws without binaries: tests ask `controlPlaneBinaries` first, and
 * skip.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await controlPlaneBinaries();
  if (binaries === undefined) throw new Error("there are no control plane binaries");
  const dir = await makeFolder(options.dir);
  const parts: Part[] = [];
  const stop = () => stopAll(parts, dir, options.dir !== undefined);
  try {
    const started = await startParts({ binaries, dir, options, parts });
    return { dir, ...started, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Part {
  stop(): Promise<void>;
  kill9(): Promise<void>;
}

interface Site {
  readonly binaries: Binaries;
  readonly dir: string;
  readonly options: ControlPlaneOptions;
  /** Filled in the order of the starts, for a stop in the opposite order. */
  readonly parts: Part[];
}

async function startParts(site: Site) {
  const { binaries, dir, options, parts } = site;
  const etcd = await Etcd.create(binaries.etcd, dir);
  parts.push(etcd);
  await etcd.start();
  const identities = await writeIdentities(dir, options.users ?? []);
  const apiServers: ApiServer[] = [];
  for (let index = 0; index < (options.apiServers ?? 1); index += 1) {
    apiServers.push(await startApiServer(site, etcd.endpoint, identities, index));
  }
  await Promise.all(apiServers.map((server) => server.ready(options.readyPath)));
  const kubeconfig = (await apiServers[0]?.kubeconfig()) ?? "";
  const controllers = await startControllers(site, kubeconfig);
  const kubectl = await createKubectl(binaries.kubectl, kubeconfig, join(dir, "kubectl"));
  return { etcd, apiServers, controllers, kubectl };
}

async function startApiServer(
  { binaries, dir, options, parts }: Site,
  etcd: string,
  identities: Identities,
  index: number,
): Promise<ApiServer> {
  const server = await ApiServer.create({
    binary: binaries.kubeApiserver,
    dir: join(dir, `api${index}`),
    etcd,
    identities,
    encryptionConfig: await options.encryptionConfig?.(index, dir),
    flags: options.flags?.(index, dir) ?? [],
    hostname: options.hostname?.(index),
  });
  parts.push(server);
  await server.start();
  return server;
}

async function startControllers(site: Site, kubeconfig: string): Promise<Controllers | undefined> {
  const wanted = site.options.controllers ?? false;
  if (wanted === false) return undefined;
  const controllers = await Controllers.create({
    binary: site.binaries.kubeControllerManager,
    dir: join(site.dir, "controllers"),
    kubeconfig,
    controllers: wanted === true ? USUAL_CONTROLLERS : wanted,
  });
  site.parts.push(controllers);
  await controllers.start();
  return controllers;
}

async function makeFolder(dir: string | undefined): Promise<string> {
  if (dir !== undefined) {
    await mkdir(dir, { recursive: true });
    return dir;
  }
  // Short, because the path of a Unix socket in it may have 107 bytes at most.
  const folder = await mkdtemp(join(tmpdir(), "clv-"));
  removeOnExit(folder);
  return folder;
}

async function stopAll(parts: readonly Part[], dir: string, keep: boolean): Promise<void> {
  // Temporary data need no clean stop, which takes seconds.
  for (const part of parts.toReversed()) await (keep ? part.stop() : part.kill9());
  if (keep) return;
  await rm(dir, { recursive: true, force: true, maxRetries: 10 });
  keepOnExit(dir);
}
