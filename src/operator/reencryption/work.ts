import type { Finding } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { Scope } from "../../storage/scope.ts";
import type { Round, StoredCount } from "../../storage/stored-objects.ts";
import { rfc3339 } from "../../times.ts";
import type { Proof, Sockets } from "./ground.ts";

/** What works on the key's stored objects at this moment, in this operator. */
export type Work =
  | { readonly kind: "idle" }
  | { readonly kind: "rewriting" | "rewritten"; readonly round: Round }
  | { readonly kind: "counting" }
  /** `ground`: the sockets as they were when the count began. */
  | { readonly kind: "counted"; readonly ground: Proof; readonly found: StoredCount }
  | { readonly kind: "failed"; readonly message: string };

/** What the leader is to have going on; a round or a census that runs already continues. */
export type ReencryptionTask =
  | { readonly kind: "none" }
  | {
      readonly kind: "rewrite";
      readonly resources: Scope;
      readonly cursor?: ReencryptionStatus["cursor"];
      /** What came of the round before the cursor, under another leader perhaps. */
      readonly before?: Pick<Round, "failed" | "failures">;
    }
  /** A count that began on other sockets than these proves nothing of them. */
  | { readonly kind: "count"; readonly resources: Scope; readonly ground: Proof };

/** What is decided on. */
export interface ObservedReencryption extends Sockets {
  readonly masterKey: MasterKey;
  readonly work: Work;
  /** Whether this operator reaches the stored objects at all; standalone it does not. */
  readonly reachable: boolean;
  /** Whether this operator can count what etcd holds. */
  readonly census: boolean;
  /** How often it counts while all is complete, in milliseconds; an hour if left out. */
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

/** The round as a whole: what failed before its cursor counts too, each named object once. */
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

/** All over again, for this key_id and these resources. */
export function anew(
  { kmsKeyId, resources, round }: Pick<ReencryptionStatus, "kmsKeyId" | "resources" | "round">,
  now: Date,
): ReencryptionStatus {
  return { kmsKeyId, phase: "Switching", verified: false, resources, startedAt: rfc3339(now), round };
}
