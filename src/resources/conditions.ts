import { oneLine } from "../printable.ts";
import { rfc3339 } from "../times.ts";
import type { Condition } from "./schemas/fields.ts";

/** The limit of a condition's message (metav1.Condition). Escapes can turn one character into six. */
const MAX_MESSAGE_LENGTH = 5_000;

/** A condition as a decision states it; times and generations are added when it is set. */
export interface Finding {
  readonly type: string;
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

/**
 * Returns the conditions after new findings. lastTransitionTime changes only when the status of that type
 * does (Kubernetes API conventions, "Typical status properties").
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
      // kubectl prints it, and it may contain texts of webhooks, nodes and etcd.
      message: oneLine(finding.message, MAX_MESSAGE_LENGTH),
      ...(generation !== undefined && { observedGeneration: generation }),
      lastTransitionTime: unchanged && old ? old.lastTransitionTime : rfc3339(now),
    };
  });
  return [...kept, ...stated].sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** Returns the named condition. */
export const conditionOf = (
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined => conditions?.find((condition) => condition.type === type);
