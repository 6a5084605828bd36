import type { KeyServer, KeyVersion, MasterKey } from "../../resources/resources.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { isSettled } from "../reencryption/settled.ts";
import { type Switch, socketsOf } from "../reencryption/switches.ts";
import type { UsageProof } from "./decide-retention.ts";

/**
 * Returns the proof that the nodes and the last re-encryption give for a key: every provider that `serves` it
 * is settled on the current key_id, no provider that must serve another key still answers with an earlier
 * key_id of `versions`, and a re-encryption under the current key_id is finished.
 */
export function proofOf(
  { status }: MasterKey,
  versions: readonly KeyVersion[],
  servers: readonly KeyServer[],
  nodes: readonly NodeView[],
  serves: ReadonlySet<string>,
): UsageProof {
  const current = status?.currentVersion?.kmsKeyId;
  const own = new Set<string | undefined>(
    versions.filter(({ spec }) => spec.keyId === status?.keyId).map(kmsKeyIdOf),
  );
  const serving = socketsOf(servers, ({ serves: name }) => serves.has(name));
  const leaving = socketsOf(
    servers,
    ({ serves: name, kmsKeyId }) => !serves.has(name) && kmsKeyId !== current && own.has(kmsKeyId),
  );
  const unsettled = [...serving, ...leaving].filter((one) => !isSettled(one, nodes, current)).map(placed);
  const { reencryption } = status ?? {};
  if (reencryption === undefined) return { unsettled };
  const { kmsKeyId, verified, completedAt, provenSince, phase } = reencryption;
  const done = phase === "Complete" && completedAt !== undefined;
  // An API server's restart withdraws Complete for minutes, but a proof that each census since has confirmed
  // continues to count.
  const since = verified ? (provenSince ?? completedAt) : completedAt;
  return { unsettled, reencryption: { kmsKeyId, verified, ...(done && { completedAt: since }) } };
}

/**
 * Returns the providers whose API servers may still write under another key_id than the provider names now.
 * It may belong to a key that the provider has left.
 */
export const unsettledProviders = (servers: readonly KeyServer[], nodes: readonly NodeView[]): string[] =>
  socketsOf(servers, ({ kmsKeyId }) => kmsKeyId !== undefined)
    .filter((one) => !isSettled(one, nodes, one.kmsKeyId))
    .map(placed);

const placed = ({ provider, node }: Switch): string => `provider ${provider} of node ${node}`;
