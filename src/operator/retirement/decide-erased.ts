import { isDeepStrictEqual } from "node:util";
import type { Finding } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { KeyVersionStatus } from "../../resources/schemas/key-version.ts";
import { hasMaterial, listNumbers, versionsOf } from "../../resources/versions.ts";
import { rfc3339 } from "../../times.ts";
import type { NodeView } from "../nodes/node-view.ts";

/**
 * Returns the status of a tombstone once every node has erased it, or undefined if the status is already
 * right.
 */
export function decideErased(
  version: KeyVersion,
  status: KeyVersionStatus,
  nodes: readonly NodeView[],
  now: Date,
): KeyVersionStatus | undefined {
  const everywhere = nodes.length > 0 && lacking(version, nodes).length === 0;
  const erasedAt = status.erasedAt ?? (everywhere ? rfc3339(now) : undefined);
  const next = { ...status, ...(erasedAt !== undefined && { erasedAt }) };
  return isDeepStrictEqual(next, version.status) ? undefined : next;
}

/** Returns a finding that says if every node has erased the destroyed versions of a key. */
export function erasureFinding(
  { status }: MasterKey,
  versions: readonly KeyVersion[],
  nodes: readonly NodeView[],
): Finding | undefined {
  const tombstones = versionsOf(status?.keyId, versions).filter((version) => !hasMaterial(version));
  if (tombstones.length === 0) return undefined;
  const type = "Destroyed";
  const numbers = listNumbers(tombstones);
  const waiting = tombstones.filter((version) => version.status?.erasedAt === undefined);
  if (waiting.length === 0) {
    const message = `of version ${numbers} nothing is left on any node; etcd snapshots and backups from before hold it sealed`;
    return { type, status: "True", reason: "ErasedOnEveryNode", message };
  }
  const names = new Set(waiting.flatMap((version) => lacking(version, nodes).map(describe)));
  const message = `version ${numbers} was destroyed; to be erased by ${[...names].sort().join(", ") || "the nodes"}`;
  return { type, status: "False", reason: "WaitingForNodes", message };
}

const lacking = ({ spec }: KeyVersion, nodes: readonly NodeView[]): NodeView[] =>
  nodes.filter((node) => node.erased?.has(spec.versionId) !== true);

const describe = ({ name, stale, problem }: NodeView): string => {
  if (stale) return `${name} (not heard of)`;
  return problem === undefined ? name : `${name} (${problem})`;
};
