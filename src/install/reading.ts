import type { KeyServer } from "../resources/resources.ts";
import type { ClusterFacts } from "./cluster-facts.ts";

const SECRETS = "secrets";

/** Returns true if the API server of this node is known to read Secrets under claviger. */
export const readsSecrets = (server: KeyServer | undefined): boolean =>
  usesItsFile(server) && (server?.status?.providers ?? []).some(({ reads = [] }) => reads.includes(SECRETS));

/** Returns true if the API server of this node is known to write Secrets under claviger. */
export const writesSecrets = (server: KeyServer | undefined): boolean =>
  usesItsFile(server) &&
  (server?.status?.providers ?? []).some(
    ({ resources = [], editNotTakenUp }) => resources.includes(SECRETS) && editNotTakenUp === undefined,
  );

/**
 * API servers before 1.34 do not name the file that they use. Of these it is known only that they ask the
 * plugin for Status, so that they have loaded a file that names its socket.
 */
function usesItsFile(server: KeyServer | undefined): boolean {
  const { apiServer, providers = [] } = server?.status ?? {};
  if (apiServer?.encryptionConfig === "Loaded") return true;
  if (apiServer?.encryptionConfig !== "Unknown") return false;
  return providers.some(
    ({ lastStatusTime, notAskedSince }) => lastStatusTime !== undefined && notAskedSince === undefined,
  );
}

/**
 * Returns the names of the nodes whose API servers are not known to read Secrets under claviger: by their
 * Leases and by their Node objects, so that an API server that is down for a moment counts too.
 */
export function nodesThatDoNotRead({ keyServers, apiServers, controlPlane }: ClusterFacts): string[] {
  const readers = keyServers.filter(readsSecrets);
  const byId = new Set(readers.map(({ status }) => status?.apiServer?.id));
  const byName = new Set(readers.map(({ metadata }) => metadata.name));
  const silent = apiServers.filter(({ id, hostname }) => !byId.has(id) && !byName.has(hostname));
  const missing = controlPlane.filter((name) => !byName.has(name));
  return [...new Set([...silent.map(({ hostname }) => hostname), ...missing])].sort();
}
