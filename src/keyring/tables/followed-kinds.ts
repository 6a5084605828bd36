import type { Sql } from "./sql.ts";

/** The kinds of resources, and of parts of them, that the operator records in the keyring. */
export const FOLLOWED_KINDS = ["MasterKey", "KeyPolicy", "KeyGrant"] as const;

export type FollowedKind = (typeof FOLLOWED_KINDS)[number];

/**
 * Records that the keyring has had all objects of a kind once. Before, the absence of a row says nothing: the node
 * is new, or its keyring was lost.
 */
export function recordFollowed(sql: Sql, kind: FollowedKind): void {
  sql.run("INSERT INTO followed_kinds VALUES (?) ON CONFLICT DO NOTHING", kind);
}

/** Returns true if the keyring has had all objects of a kind once. */
export const isFollowed = (sql: Pick<Sql, "all">, kind: FollowedKind): boolean =>
  sql.all("SELECT 1 FROM followed_kinds WHERE kind = ?", kind).length > 0;
