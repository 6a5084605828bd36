import type { GrantUse, GrantUses } from "../../keyring/usage/grant-usage.ts";
import { type KeyGrantStatus, MOST_NODES } from "../../resources/schemas/key-grant.ts";
import { rfc3339, timeOf } from "../../times.ts";

/** The last report of a grant by this node, and its time (epoch milliseconds). */
export interface Reported {
  /** Undefined if the report was not possible at that time. */
  readonly uses: number | undefined;
  readonly at: number;
}

/**
 * Returns the uses that are to be reported: those that have changed, the grants whose last report is oldest first,
 * at most `most`.
 */
export function dueReports(
  used: GrantUses,
  reported: ReadonlyMap<string, Reported>,
  most: number,
): readonly (readonly [grantId: string, use: GrantUse])[] {
  const at = (grantId: string) => reported.get(grantId)?.at ?? 0;
  return [...used]
    .filter(([grantId, { uses }]) => reported.get(grantId)?.uses !== uses)
    .sort(([a], [b]) => at(a) - at(b))
    .slice(0, most);
}

/** Returns a KeyGrant's status with the count of one node; undefined if the status has it already. */
export function statusWithUse(
  status: KeyGrantStatus,
  node: string,
  { uses, lastAt }: GrantUse,
): KeyGrantStatus | undefined {
  const lastUsed = rfc3339(new Date(lastAt));
  const before = status.usage ?? [];
  const own = before.find((entry) => entry.node === node);
  if (own?.uses === uses && own.lastUsed === lastUsed) return undefined;
  const others = before.filter((entry) => entry.node !== node);
  const usage = [...others, { node, uses, lastUsed }]
    .sort((a, b) => timeOf(b.lastUsed) - timeOf(a.lastUsed))
    .slice(0, MOST_NODES);
  const [last] = usage;
  return {
    ...status,
    uses: usage.reduce((sum, entry) => sum + entry.uses, 0),
    ...(last !== undefined && { lastUsed: last.lastUsed }),
    usage,
  };
}
