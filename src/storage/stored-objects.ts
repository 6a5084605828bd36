import type { MasterKeySpec } from "../resources/schemas/master-key.ts";
import type { ReencryptionStatus } from "../resources/schemas/reencryption.ts";
import type { Scope } from "./scope.ts";

/** The result of a round over the stored objects. */
export interface Round {
  readonly done: number;
  readonly total?: number;
  readonly ratePerSecond?: number;
  readonly secondsLeft?: number;
  readonly failed: number;
  readonly failures: NonNullable<ReencryptionStatus["failures"]>;
  readonly cursor?: ReencryptionStatus["cursor"];
}

/** The result of a census in the scope of a key. */
export interface StoredCount {
  /** The number of objects under another key_id or none. */
  readonly remaining: number;
  /** The first of these objects. */
  readonly strays: Strays;
  /** The etcd revision of the count. */
  readonly revision: number;
}

export type Strays = NonNullable<ReencryptionStatus["strays"]>;

export type Engine = NonNullable<MasterKeySpec["reencryption"]>["engine"];

/** The operations on the objects that API servers stored. */
export interface StoredObjects {
  /**
   * Rewrites all objects of the resources, from `cursor` on. Throws if it cannot continue. Objects that
   * cannot be written are in the Round.
   */
  rewrite(
    request: RewriteRequest,
    options: { readonly signal: AbortSignal; readonly onProgress: (round: Round) => void },
  ): Promise<Round>;
  /** Counts and names the objects of the resources that are stored under another key_id than this one, or under none. */
  count(resources: readonly string[], kmsKeyId: string, signal: AbortSignal): Promise<StoredCount>;
  /**
   * Returns how many objects of any resource are stored under each key_id, or undefined if this operator has
   * no etcd. Rejects if not all objects can be counted, or if the etcd is not the one in which the API
   * servers store.
   */
  countAll(signal: AbortSignal): Promise<((kmsKeyId: string) => number) | undefined>;
}

export type RewritableObjects = Omit<StoredObjects, "countAll">;

export interface RewriteRequest {
  readonly resources: Scope;
  readonly engine: Engine;
  /** The key_id under which everything must be stored. */
  readonly kmsKeyId: string;
  readonly cursor?: ReencryptionStatus["cursor"];
}
