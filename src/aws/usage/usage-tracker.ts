import type { LastUsage } from "./usage-record.ts";

/** The usage of a key. */
export interface TrackedUsage {
  /** The time from which on every usage of the key on this node is known, in epoch milliseconds. */
  readonly since: number;
  /** Left out if the key was not used since then. */
  readonly last?: LastUsage;
}

/** The usage of keys, as operations note it and answer it. */
export interface UsageTracker {
  /** Notes a successful operation. It costs the call an entry of a map. */
  note(keyIds: Iterable<string>, usage: LastUsage): void;
  /** Notes a request that these grants have allowed, at the same cost. `at` is in epoch milliseconds. */
  noteGrants(grantIds: Iterable<string>, at: number): void;
  /** Returns the usage of a key by all processes that serve the API on this node. */
  of(keyId: string): TrackedUsage;
}
