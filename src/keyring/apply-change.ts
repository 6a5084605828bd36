import type { KeyringChange } from "./changes.ts";
import type { Table } from "./kept-rows.ts";
import { putAlias } from "./tables/aliases.ts";
import { putKeyPolicy, removeKeyPolicy } from "./tables/key-policies.ts";
import { forgetKey, putFormerKeyIds, putKey, reclaimKey, setCurrent } from "./tables/keys.ts";
import type { Sql } from "./tables/sql.ts";
import { destroyVersion } from "./tables/tombstones.ts";
import { putVersion } from "./tables/versions.ts";

/** Returns the small tables that a change writes to. */
export function tablesOf({ kind }: KeyringChange): readonly Table[] {
  switch (kind) {
    case "putVersion":
      return [];
    case "putKey":
    case "setCurrent":
    case "forgetKey":
    case "reclaimKey":
    case "putFormerKeyIds":
      return ["keys"];
    case "putAlias":
      return ["aliases"];
    case "putPolicy":
    case "removePolicy":
      return ["key_policies"];
    case "destroyVersion":
      return ["keys", "tombstones"];
  }
}

/** Returns the versionId of the row that a change writes or deletes in the tables of versions and their proofs. */
export function changedVersion(change: KeyringChange): string | undefined {
  if (change.kind === "putVersion") return change.version.versionId;
  return change.kind === "destroyVersion" ? change.tombstone.versionId : undefined;
}

/** Carries out one change, within a transaction. */
export function applyChange(sql: Sql, change: KeyringChange): void {
  switch (change.kind) {
    case "putVersion":
      putVersion(sql, change.version);
      break;
    case "putKey":
      putKey(sql, change.key);
      break;
    case "setCurrent":
      setCurrent(sql, change.key, change.version);
      break;
    case "forgetKey":
      forgetKey(sql, change.key);
      break;
    case "reclaimKey":
      reclaimKey(sql, change.key, change.version);
      break;
    case "putAlias":
      putAlias(sql, change.alias);
      break;
    case "putPolicy":
      putKeyPolicy(sql, change.policy);
      break;
    case "removePolicy":
      removeKeyPolicy(sql, change.key);
      break;
    case "putFormerKeyIds":
      putFormerKeyIds(sql, change.key, change.keyIds);
      break;
    case "destroyVersion":
      destroyVersion(sql, change.tombstone);
      break;
  }
}
