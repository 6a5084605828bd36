import type { VersionId } from "../../crypto/ids.ts";
import { parseVersionId } from "../../crypto/ids.ts";
import type { RawRow } from "../sqlite.ts";
import { integer, oneOf, text } from "./columns.ts";
import type { Sql } from "./sql.ts";

/** The reasons for which a version was created. */
export const VERSION_TRIGGERS = ["Automatic", "OnDemand", "Imported", "Restored"] as const;

/** This node's record of when and why a version became current. It takes no part in the use of the version. */
export interface VersionDetails {
  readonly versionId: VersionId;
  /** Epoch milliseconds. */
  readonly promotedAt: number;
  /** Left out if it is not known. */
  readonly trigger?: (typeof VERSION_TRIGGERS)[number];
}

export const toVersionDetails = (row: RawRow): VersionDetails => ({
  versionId: parseVersionId(text(row, "version_id")),
  promotedAt: integer(row, "promoted_at"),
  ...(row.trigger !== null && { trigger: oneOf(row, "trigger", VERSION_TRIGGERS) }),
});

/** Returns the record of a version; undefined if there is none. Throws KeyringCorrupt if it cannot be read. */
export function versionDetailsOf(sql: Pick<Sql, "all">, versionId: string): VersionDetails | undefined {
  const [row] = sql.all("SELECT * FROM version_details WHERE version_id = ?", versionId);
  return row && toVersionDetails(row);
}

/** Stores the record of a version, in place of a former one. */
export const putVersionDetails = (sql: Sql, { versionId, promotedAt, trigger }: VersionDetails): number =>
  sql.run("INSERT OR REPLACE INTO version_details VALUES (?, ?, ?)", versionId, promotedAt, trigger ?? null);
