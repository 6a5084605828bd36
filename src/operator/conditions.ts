import type { Condition } from "../kube/resources.ts";

/** A condition as a decision states it; times and generations are added when it is set. */
export interface Finding {
  readonly type: string;
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions after new findings: lastTransitionTime moves only when the
 * status of that type does (Kubernetes API conventions, "Typical status properties").
 */
export function withFindings(
  before: readonly Condition[] | undefined,
  findings: readonly Finding[],
  generation: number | undefined,
  now: Date,
): Condition[] {
  const kept = (before ?? []).filter((old) => !findings.some((finding) => finding.type === old.type));
  const stated = findings.map((finding) => {
    const old = before?.find((candidate) => candidate.type === finding.type);
    const unchanged = old?.status === finding.status;
    return {
      ...finding,
      ...(generation !== undefined && { observedGeneration: generation }),
      lastTransitionTime: unchanged && old ? old.lastTransitionTime : rfc3339(now),
    };
  });
  return [...kept, ...stated].sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** A time as Kubernetes writes it: whole seconds, UTC. */
export const rfc3339 = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** The named condition. */
export const conditionOf = (
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined => conditions?.find((condition) => condition.type === type);
