import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";

interface Kubeconfig {
  readonly clusters: { readonly cluster: { server: string; "certificate-authority-data": string } }[];
}

/** A server that listens before an API server, and does not answer yet. */
export interface ServerBefore {
  readonly server: Server;
  /** The path of a kubeconfig that names the server. */
  readonly path: string;
  /** The URL of the API server, and the authority that it is believed by. */
  readonly target: string;
  readonly ca: Buffer;
}

/** Starts a server before the API server of this kubeconfig, with that server's own certificate. */
export async function startServerBefore(kubeconfig: string, suffix: string): Promise<ServerBefore> {
  const config = JSON.parse(await readFile(kubeconfig, "utf8")) as Kubeconfig;
  const cluster = config.clusters[0]?.cluster;
  if (cluster === undefined) throw new Error(`${kubeconfig} names no cluster`);
  const folder = dirname(kubeconfig);
  const [cert, key] = await Promise.all(
    ["apiserver.crt", "apiserver.key"].map((name) => readFile(join(folder, name))),
  );
  if (cert === undefined || key === undefined) throw new Error(`${folder} has no certificate`);
  const ca = Buffer.from(cluster["certificate-authority-data"], "base64");
  const target = cluster.server;
  const server = createServer({ cert, key });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cluster.server = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const path = `${kubeconfig}.${suffix}`;
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return { server, path, target, ca };
}
