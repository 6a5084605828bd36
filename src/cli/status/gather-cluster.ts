import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { leaderSilence } from "../../kube/leader-silence.ts";
import { readLease } from "../../kube/leases.ts";
import { collectionPath } from "../../kube/paths.ts";
import { nameText } from "../../names.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import { LEADER_LEASE } from "../../store/nodes/node-leases.ts";
import { NAMESPACE } from "../site/installation.ts";
import {
  keyFactsOf,
  type NodeReport,
  nodesOf,
  type StoredDataLook,
  storedDataOf,
} from "../site/stored-data.ts";
import type { KeyReport, StatusReport } from "./report.ts";
import { wrongIn } from "./wrong.ts";

export interface ClusterStatus {
  readonly report: StatusReport;
  readonly wrong: readonly string[];
  readonly stored: StoredDataLook;
}

/**
 * Reports on the keys of a namespace, or of all namespaces, as the API server has them. Throws ApiServer if
 * it does not answer or refuses to list MasterKeys.
 */
export async function lookAtCluster(
  client: KubeClient,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<ClusterStatus> {
  const path = collectionPath("MasterKey", namespace);
  // The API server validates every object against its CRD.
  const { items } = (await client.request({ method: "GET", path, signal })) as {
    readonly items: readonly MasterKey[];
  };
  const [nodes, silence] = await Promise.all([readNodes(client, signal), readSilence(client, signal)]);
  const report: StatusReport = {
    providers: [],
    keys: keysOf(items, silence),
    ...(nodes && { nodes }),
    ...(silence !== undefined && { clusterUnknown: silence }),
  };
  const stored: StoredDataLook =
    silence === undefined ? { kind: "seen", keys: storedDataOf(items) } : { kind: "unknown", why: silence };
  return { report, wrong: wrongIn(report, keyFactsOf(items)), stored };
}

/** Returns undefined if this user may not see KeyServers, as a tenant may not. */
const readNodes = (client: KubeClient, signal: AbortSignal): Promise<readonly NodeReport[] | undefined> =>
  unlessForbidden(async () => {
    const answer = await client.request({ method: "GET", path: collectionPath("KeyServer"), signal });
    return nodesOf((answer as { readonly items: readonly KeyServer[] }).items);
  });

const readSilence = (client: KubeClient, signal: AbortSignal): Promise<string | undefined> =>
  unlessForbidden(async () => {
    const lease = await readLease(client, { namespace: NAMESPACE, name: LEADER_LEASE }, signal);
    return leaderSilence(lease?.spec?.renewTime, await client.serverTime(signal));
  });

async function unlessForbidden<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 403) return undefined;
    throw error;
  }
}

function keysOf(masterKeys: readonly MasterKey[], silence: string | undefined): KeyReport[] {
  const stored = storedDataOf(masterKeys);
  return masterKeys.map(({ metadata: { namespace = "", name }, spec, status }) => {
    const key = nameText({ namespace, name });
    const storedData = silence === undefined ? stored.get(key) : { unknown: silence };
    const next = status?.rotation?.nextRotationTime;
    return {
      key,
      keyId: status?.keyId ?? "",
      state: status?.keyState ?? "Creating",
      enabled: spec.enabled,
      keySpec: spec.keySpec,
      ...(status?.currentVersion && {
        currentVersion: status.currentVersion.number,
        kmsKeyId: status.currentVersion.kmsKeyId,
      }),
      ...(next !== undefined && { nextRotation: next }),
      ...(status?.reencryption && { encrypts: status.reencryption.resources }),
      ...(storedData && { storedData }),
    };
  });
}
