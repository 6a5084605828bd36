import type { Finding } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { Scope } from "../../storage/scope.ts";
import type { Round, StoredCount } from "../../storage/stored-objects.ts";
import { rfc3339 } from "../../times.ts";
import type { Proof, Sockets } from "./ground.ts";

/** The work on the key's stored objects at this moment, in this operator. */
export type Work =
  | { readonly kind: "idle" }
  | { readonly kind: "rewriting" | "rewritten"; readonly round: Round }
  | { readonly kind: "counting" }
  /** `ground`: the state of the sockets when the count began. */
  | { readonly kind: "counted"; readonly ground: Proof; readonly found: StoredCount }
  | { readonly kind: "failed"; readonly message: string };

/** The work that the leader must have in progress. A round or a census that already runs continues. */
export type ReencryptionTask =
  | { readonly kind: "none" }
  | {
      readonly kind: "rewrite";
      readonly resources: Scope;
      readonly cursor?: ReencryptionStatus["cursor"];
      /** The result of the round before the cursor, perhaps under another leader. */
      readonly before?: Pick<Round, "failed" | "failures">;
    }
  /** A count that began on other sockets proves nothing about these. */
  | { readonly kind: "count"; readonly resources: Scope; readonly ground: Proof };

/** The facts on which re-encryption is decided. */
export interface ObservedReencryption extends Sockets {
  readonly masterKey: MasterKey;
  readonly work: Work;
  /** True if this operator can reach the stored objects; standalone it cannot. */
  readonly reachable: boolean;
  /** True if this operator can count the objects in etcd. */
  readonly census: boolean;
  /** How often it counts while everything is complete, in milliseconds; an hour if left out. */
  readonly censusInterval?: number;
}

export interface ReencryptionPlan {
  readonly task: ReencryptionTask;
  /** Undefined if no API server stores anything under the key. */
  readonly status: ReencryptionStatus | undefined;
  readonly finding: Finding | undefined;
}

export const NO_TASK: ReencryptionTask = { kind: "none" };

const MOST_FAILURES = 20;

/** Returns the round as a whole. Failures before its cursor count too, each named object once. */
export function withEarlier(round: Round, before: Pick<Round, "failed" | "failures"> | undefined): Round {
  if (before === undefined) return round;
  const again = new Set(round.failures.map(({ object }) => object));
  const kept = before.failures.filter(({ object }) => !again.has(object));
  const twice = before.failures.length - kept.length;
  return {
    ...round,
    failed: before.failed - twice + round.failed,
    failures: [...kept, ...round.failures].slice(0, MOST_FAILURES),
  };
}

/** Starts again from the beginning, for this key_id and these resources. */
export function anew(
  { kmsKeyId, resources, round }: Pick<ReencryptionStatus, "kmsKeyId" | "resources" | "round">,
  now: Date,
): ReencryptionStatus {
  return { kmsKeyId, phase: "Switching", verified: false, resources, startedAt: rfc3339(now), round };
}
