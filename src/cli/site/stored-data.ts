import type { NodeConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import { leaderSilence } from "../../kube/leader-silence.ts";
import { collectionPath } from "../../kube/paths.ts";
import { nameText } from "../../names.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { needsSomebody } from "../../resources/passing-reasons.ts";
import type { KeyServer, Kind, MasterKey } from "../../resources/resources.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";
import { LEADER_LEASE } from "../../store/nodes/node-leases.ts";

/** The leading operator's report about the data stored under a key. */
export interface StoredData {
  /** The reason of the condition Reencrypted: "Verified", "Switching", "NodesDiffer". */
  readonly reason: string;
  readonly message: string;
  /** True if this does not change until somebody acts. */
  readonly needsSomebody: boolean;
  /** The time of the last census of what is stored under the key. */
  readonly censusTime?: string;
  /** The progress of a re-encryption that is running. */
  readonly progress?: { readonly done: number; readonly total: number; readonly secondsLeft?: number };
  /** The last rotations, the latest first. */
  readonly history?: NonNullable<RotationStatus["history"]>;
}

/** A node by its own KeyServer. */
export interface NodeReport {
  readonly name: string;
  readonly ready: string;
  /** The message of the condition Ready, if it is not True. */
  readonly message?: string;
  readonly providers: readonly {
    readonly name: string;
    readonly serves: string;
    readonly version?: number;
    readonly kmsKeyId?: string;
  }[];
}

/** A MasterKey's own statements that do not depend on a leader at this moment. */
export interface KeyFacts {
  readonly nextRotation?: string;
  /** The message of the condition Ready if it is False. */
  readonly notReady?: string;
}

/** The reports by the key's NAMESPACE/NAME, or the reason why there are none. Standalone has none. */
export type StoredDataLook =
  | {
      readonly kind: "seen";
      readonly keys: ReadonlyMap<string, StoredData>;
      readonly cluster?: ClusterReport;
    }
  | { readonly kind: "unknown"; readonly why: string; readonly cluster?: ClusterReport };

/** The objects of the cluster, which may be old if no operator leads. */
export interface ClusterReport {
  readonly nodes: readonly NodeReport[];
  readonly keys: ReadonlyMap<string, KeyFacts>;
}

/** An API server that does not answer must not delay what this node can report by itself. */
const PATIENCE_MILLISECONDS = 5_000;

/** Asks the API server, with the credentials of this node's operator. Never throws. */
export async function lookAtStoredData({ resources, leaseNamespace }: NodeConfig): Promise<StoredDataLook> {
  if (resources.kind === "manifests") return { kind: "seen", keys: new Map() };
  try {
    const { KubeClient, LIKE_KUBECTL } = await import("../../kube/client.ts");
    const { readLease } = await import("../../kube/leases.ts");
    const client = new KubeClient(resources.path, LIKE_KUBECTL);
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    const list = async (kind: Kind) =>
      (await client.request({ method: "GET", path: collectionPath(kind), signal })) as {
        readonly items: readonly unknown[];
      };
    const [masterKeys, keyServers] = await Promise.all([list("MasterKey"), list("KeyServer")]);
    const lease = await readLease(client, { namespace: leaseNamespace, name: LEADER_LEASE }, signal);
    const silence = leaderSilence(lease?.spec?.renewTime, await client.serverTime(signal));
    client.close();
    // The API server validates every object against its CRD.
    const items = masterKeys.items as readonly MasterKey[];
    const cluster = {
      nodes: nodesOf(keyServers.items as readonly KeyServer[]),
      keys: keyFactsOf(items),
    };
    if (silence !== undefined) return { kind: "unknown", why: silence, cluster };
    return { kind: "seen", keys: storedDataOf(items), cluster };
  } catch (error) {
    return { kind: "unknown", why: messageOf(error) };
  }
}

/** Returns the nodes by their own KeyServers. */
export function nodesOf(keyServers: readonly KeyServer[]): NodeReport[] {
  return keyServers.map(({ metadata, status }) => {
    const ready = conditionOf(status?.conditions, "Ready");
    return {
      name: metadata.name,
      ready: ready?.status ?? "Unknown",
      ...(ready?.status !== "True" && { message: ready?.message ?? "it has not reported yet" }),
      providers: (status?.providers ?? []).map(({ name, serves, version, kmsKeyId }) => ({
        name,
        serves,
        ...(version !== undefined && { version }),
        ...(kmsKeyId !== undefined && { kmsKeyId }),
      })),
    };
  });
}

/** Returns the statements of MasterKeys that need no leader. */
export function keyFactsOf(masterKeys: readonly MasterKey[]): ReadonlyMap<string, KeyFacts> {
  return new Map(
    masterKeys.map(({ metadata: { namespace = "", name }, status }) => {
      const ready = conditionOf(status?.conditions, "Ready");
      const next = status?.rotation?.nextRotationTime;
      const facts = {
        ...(next !== undefined && { nextRotation: next }),
        ...(ready?.status === "False" && { notReady: `${ready.reason}: ${ready.message}` }),
      };
      return [nameText({ namespace, name }), facts] as const;
    }),
  );
}

export function storedDataOf(masterKeys: readonly MasterKey[]): ReadonlyMap<string, StoredData> {
  return new Map(
    masterKeys.flatMap(({ metadata: { namespace = "", name }, status }) => {
      const reencrypted = conditionOf(status?.conditions, "Reencrypted");
      if (reencrypted === undefined) return [];
      const { reason, message } = reencrypted;
      const history = status?.rotation?.history;
      const { lastCensusTime, phase, done, total, secondsLeft } = status?.reencryption ?? {};
      const isRunning = phase === "Reencrypting" && done !== undefined && total !== undefined;
      const data = {
        reason,
        message,
        needsSomebody: needsSomebody(reencrypted),
        ...(lastCensusTime !== undefined && { censusTime: lastCensusTime }),
        ...(isRunning && { progress: { done, total, ...(secondsLeft !== undefined && { secondsLeft }) } }),
        ...(history && { history }),
      };
      return [[nameText({ namespace, name }), data] as const];
    }),
  );
}

/** Returns the keys for which nothing proves that all stored data is under them, each with the reason. */
export function unprovenKeys(look: StoredDataLook): string[] {
  if (look.kind !== "seen") return [];
  return [...look.keys]
    .filter(([, data]) => data.needsSomebody)
    .map(([key, { reason, message }]) => `${key} (${reason}: ${message})`);
}
