import { join } from "node:path";
import type { NodeConfig } from "../../config/config.ts";
import { readObservations } from "../../keyring/observations.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import { KEYRING_FILE } from "../../keyring/state-folder.ts";
import { askApiServer } from "../../kube/api-server-metrics.ts";
import type { KubeClient } from "../../kube/client.ts";
import { ApiServerWatch, thisMachine } from "../../operator/node/api-server-watch.ts";
import { type ApiServerState, decideApiServer } from "../../operator/node/decide-api-server.ts";
import { SocketScopes } from "../../operator/node/socket-scopes.ts";

/** Asks this node's API server which EncryptionConfiguration it uses, without the operator. Never rejects. */
export async function apiServerOfNode(
  config: NodeConfig,
  client: KubeClient,
  signal: AbortSignal,
): Promise<ApiServerState> {
  const watch = new ApiServerWatch({
    ask: (stop) => askApiServer(client, stop),
    machine: thisMachine(config.nodeName),
    uptime: () => performance.now(),
  });
  await watch.tick(false, signal);
  const times = observationsOfNode(config).flatMap(({ lastStatusAt }) => lastStatusAt ?? []);
  return decideApiServer({
    heard: watch.heard,
    file: new SocketScopes(config.encryptionConfig).file(),
    lastStatusAt: times.length === 0 ? undefined : Math.max(...times),
  });
}

/** Returns the plugin's observations of its API server, or none if this user may not read the file. */
export function observationsOfNode({ stateDir }: NodeConfig): readonly ObservationRow[] {
  try {
    return readObservations(join(stateDir, KEYRING_FILE));
  } catch {
    return [];
  }
}
