import type { MasterKeySpec } from "../resources/schemas/master-key.ts";
import type { ReencryptionStatus } from "../resources/schemas/reencryption.ts";
import type { Scope } from "./scope.ts";

/** What one round over the stored objects has come to. */
export interface Round {
  readonly done: number;
  readonly total?: number;
  readonly ratePerSecond?: number;
  readonly secondsLeft?: number;
  readonly failed: number;
  readonly failures: NonNullable<ReencryptionStatus["failures"]>;
  readonly cursor?: ReencryptionStatus["cursor"];
}

/** What a census found in the scope of a key. */
export interface StoredCount {
  /** How many objects are under another key_id or none. */
  readonly remaining: number;
  /** The first of them. */
  readonly strays: Strays;
  /** etcd's revision of which this is. */
  readonly revision: number;
}

export type Strays = NonNullable<ReencryptionStatus["strays"]>;

export type Engine = NonNullable<MasterKeySpec["reencryption"]>["engine"];

/** What can be done with the objects that API servers stored. */
export interface StoredObjects {
  /** Writes all objects of the resources again, from `cursor` on. Throws where it cannot go on; what cannot be written is in the Round. */
  rewrite(
    request: RewriteRequest,
    options: { readonly signal: AbortSignal; readonly onProgress: (round: Round) => void },
  ): Promise<Round>;
  /** Counts and names the objects of the resources that are stored under another key_id than this one, or under none. */
  count(resources: readonly string[], kmsKeyId: string, signal: AbortSignal): Promise<StoredCount>;
  /**
   * How many objects of any resource are stored under each key_id; undefined where this
   * operator has no etcd. Rejects where not all can be counted, or the etcd is not the one
   * that API servers store in.
   */
  countAll(signal: AbortSignal): Promise<((kmsKeyId: string) => number) | undefined>;
}

export type RewritableObjects = Omit<StoredObjects, "countAll">;

export interface RewriteRequest {
  readonly resources: Scope;
  readonly engine: Engine;
  /** What everything is to be stored under. */
  readonly kmsKeyId: string;
  readonly cursor?: ReencryptionStatus["cursor"];
}
