import type { NodeConfig } from "../config/config.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { readOwnFile } from "../files/own-file.ts";
import { Keeper } from "../keeper.ts";
import { readServerTrust } from "../kube/kubeconfig/server-trust.ts";
import type { Log } from "../log.ts";
import { LEADER_LEASE } from "../store/nodes/node-leases.ts";
import type { Renewable } from "./console-messages.ts";
import { ConsoleThread } from "./console-thread.ts";

/** A certificate with its chain is smaller, and so is a key. */
const MAX_PEM_BYTES = 256 * 1024;

/** The page, or a page that will be served as soon as its address is free. */
export interface Console {
  close(): Promise<void>;
}

/**
 * Serves the operator's web page if it is configured. Never throws: a page that cannot be served is logged and
 * tried again every second, because the operator has more important work.
 */
export function serveConsole(config: NodeConfig, log: Log): Console | undefined {
  const { console, resources, nodeName: node, leaseNamespace: namespace } = config;
  if (console === undefined || resources.kind !== "kubeconfig") return undefined;
  const scheme = console.tls === undefined ? "http" : "https";
  const start = async () => {
    const thread = await ConsoleThread.start({
      address: console.listen,
      site: { node, leader: { namespace, name: LEADER_LEASE } },
      read: () => readSettings(resources.path, console.tls),
    });
    log("info", `the console is served at ${scheme}://${console.listen}/`);
    return thread;
  };
  return new Keeper(start, (error) => {
    if (error !== undefined)
      log("error", `the console is not served and is tried again: ${messageOf(error)}`);
  }).begin();
}

function readSettings(
  kubeconfig: string,
  tls: { readonly cert: string; readonly key: string } | undefined,
): Renewable {
  const trust = readServerTrust(kubeconfig);
  if (tls === undefined) return { trust };
  return { trust, tls: { cert: readPem(tls.cert), key: readPem(tls.key) } };
}

function readPem(path: string): string {
  try {
    return readOwnFile(path, MAX_PEM_BYTES);
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `${path} of the console cannot be used: ${messageOf(cause)}`);
  }
}
