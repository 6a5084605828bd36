import type { KeyServer, MasterKey } from "../kube/resources.ts";
import type { UsageProof } from "./decide-retention.ts";

/**
 * What the nodes and the last re-encryption prove of a key: every provider that
 * `serves` it is settled on the current key_id, and a finished re-encryption under it.
 */
export function proofOf(
  { status }: MasterKey,
  servers: readonly KeyServer[],
  serves: ReadonlySet<string>,
): UsageProof {
  const current = status?.currentVersion?.kmsKeyId;
  const unsettled = servers.flatMap(({ metadata, status: node }) =>
    (node?.providers ?? [])
      .filter((provider) => serves.has(provider.serves))
      .filter(({ settled, kmsKeyId }) => settled !== true || kmsKeyId !== current)
      .map(({ name }) => `provider ${name} of node ${metadata.name}`),
  );
  const { reencryption } = status ?? {};
  if (reencryption === undefined) return { unsettled };
  const { kmsKeyId, verified, completedAt, phase } = reencryption;
  const done = phase === "Complete" && completedAt !== undefined;
  return { unsettled, reencryption: { kmsKeyId, verified, ...(done && { completedAt }) } };
}
