import type { NodeConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import { collectionPath } from "../../kube/paths.ts";
import { nameText } from "../../names.ts";
import { needsSomebody } from "../../operator/reencryption/findings.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";
import { LEADER_LEASE } from "../../store/nodes/node-leases.ts";
import { timeOf } from "../../times.ts";

/** The leading operator's report about the data stored under a key. */
export interface StoredData {
  /** The reason of the condition Reencrypted: "Verified", "Switching", "NodesDiffer". */
  readonly reason: string;
  readonly message: string;
  /** True if this does not change until somebody acts. */
  readonly needsSomebody: boolean;
  /** The last rotations, the latest first. */
  readonly history?: NonNullable<RotationStatus["history"]>;
}

/** The reports by the key's NAMESPACE/NAME, or the reason why there are none. Standalone has none. */
export type StoredDataLook =
  | { readonly kind: "seen"; readonly keys: ReadonlyMap<string, StoredData> }
  | { readonly kind: "unknown"; readonly why: string };

/** A leader renews its Lease every few seconds, and clocks may differ by some seconds. */
const LEADER_SILENCE_MILLISECONDS = 120_000;

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
    const path = collectionPath("MasterKey");
    const answer = await client.request({ method: "GET", path, signal });
    const lease = await readLease(client, { namespace: leaseNamespace, name: LEADER_LEASE }, signal);
    const silence = leaderSilence(lease?.spec?.renewTime, await client.serverTime(signal));
    if (silence !== undefined) return { kind: "unknown", why: silence };
    // The API server validates every object against its CRD.
    const { items } = answer as { readonly items: readonly MasterKey[] };
    return { kind: "seen", keys: storedDataOf(items) };
  } catch (error) {
    return { kind: "unknown", why: messageOf(error) };
  }
}

/**
 * Returns why no leader keeps the reports about stored data true, if so. `now` is by the API server's clock.
 */
export function leaderSilence(renewTime: string | undefined, now: number): string | undefined {
  if (Math.abs(now - timeOf(renewTime)) <= LEADER_SILENCE_MILLISECONDS) return undefined;
  const since = renewTime === undefined ? "" : ` since ${renewTime}`;
  return `no operator leads${since}, so the reports about stored data are old: start the operators, and see their logs`;
}

export function storedDataOf(masterKeys: readonly MasterKey[]): ReadonlyMap<string, StoredData> {
  return new Map(
    masterKeys.flatMap(({ metadata: { namespace = "", name }, status }) => {
      const reencrypted = conditionOf(status?.conditions, "Reencrypted");
      if (reencrypted === undefined) return [];
      const { reason, message } = reencrypted;
      const history = status?.rotation?.history;
      const data = {
        reason,
        message,
        needsSomebody: needsSomebody(reencrypted),
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
