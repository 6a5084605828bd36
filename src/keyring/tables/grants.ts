import type { EncryptionContext } from "../../crypto/context.ts";
import { type KeyId, parseKeyId } from "../../crypto/ids.ts";
import { parsedJson } from "../../json.ts";
import type { ObjectName } from "../../names.ts";
import { GRANT_OPERATIONS, type GrantConstraint, type GrantEnd, type GrantRow } from "../grant-row.ts";
import type { RawRow } from "../sqlite.ts";
import { count, damaged, oneOf, text } from "./columns.ts";
import { named, type ReadRows, readRows } from "./read-rows.ts";
import type { Sql } from "./sql.ts";

export function toGrantRow(row: RawRow): GrantRow {
  const ended = endOf(row);
  const constraint = constraintOf(row);
  return {
    grantId: text(row, "grant_id"),
    namespace: text(row, "namespace"),
    name: text(row, "name"),
    masterKey: text(row, "master_key"),
    keyId: parseKeyId(text(row, "key_id")),
    granteePrincipal: text(row, "grantee"),
    ...(row.retiring !== null && { retiringPrincipal: text(row, "retiring") }),
    operations: text(row, "operations")
      .split(" ")
      .map((operation) => oneOf({ operations: operation }, "operations", GRANT_OPERATIONS)),
    ...(constraint !== undefined && { constraint }),
    ...(row.grant_name !== null && { grantName: text(row, "grant_name") }),
    issuingPrincipal: text(row, "issuer"),
    createdAt: count(row, "created_at"),
    ...(row.expires_at !== null && { expiresAt: count(row, "expires_at") }),
    ...(ended !== undefined && { ended }),
  };
}

function constraintOf(row: RawRow): GrantConstraint | undefined {
  if (row.constraint_kind === null) return undefined;
  const context = parsedJson(text(row, "context"));
  if (!isContext(context)) throw damaged("context");
  return { kind: oneOf(row, "constraint_kind", ["Equals", "Subset"]), context };
}

const isContext = (value: unknown): value is EncryptionContext =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === "string");

const endOf = (row: RawRow): GrantEnd | undefined =>
  row.ended === null
    ? undefined
    : { phase: oneOf(row, "ended", ["Revoked", "Retired"]), at: count(row, "ended_at") };

export const readGrantRows = (rows: readonly RawRow[]): ReadRows<GrantRow> =>
  readRows(rows, toGrantRow, named("KeyGrant"));

/** This node's record of KeyGrants, in a keyring that is open for writing. */
export class GrantTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Returns the rows of KeyGrants of this name: one, and those of deleted KeyGrants that had the name before. */
  named({ namespace, name }: ObjectName): readonly GrantRow[] {
    const rows = this.#sql.all("SELECT * FROM grants WHERE namespace = ? AND name = ?", namespace, name);
    return readGrantRows(rows).rows;
  }

  get(grantId: string): GrantRow | undefined {
    return readGrantRows(this.#sql.all("SELECT * FROM grants WHERE grant_id = ?", grantId)).rows[0];
  }

  /** Returns the names of all KeyGrants that have a row which has not ended. */
  names(): readonly ObjectName[] {
    return this.#sql
      .all("SELECT DISTINCT namespace, name FROM grants WHERE ended IS NULL")
      .map((row) => ({ namespace: text(row, "namespace"), name: text(row, "name") }));
  }

  /** Returns the number of a key's grants that have neither ended nor expired. `now` is in epoch milliseconds. */
  countOf(keyId: KeyId, now: number): number {
    const [row] = this.#sql.all(
      `SELECT count(*) AS n FROM grants
       WHERE key_id = ? AND ended IS NULL AND (expires_at IS NULL OR expires_at > ?)`,
      ...[keyId, now],
    );
    return row === undefined ? 0 : count(row, "n");
  }

  /** Stores a grant under a new `seq`, by which readers find what has changed. */
  put(grant: GrantRow): void {
    const { constraint, ended } = grant;
    this.#sql.run(
      `INSERT OR REPLACE INTO grants (grant_id, namespace, name, master_key, key_id, grantee, retiring, operations,
         constraint_kind, context, grant_name, issuer, created_at, expires_at, ended, ended_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[grant.grantId, grant.namespace, grant.name, grant.masterKey, grant.keyId],
      ...[grant.granteePrincipal, grant.retiringPrincipal ?? null, grant.operations.join(" ")],
      ...[constraint?.kind ?? null, constraint === undefined ? null : JSON.stringify(constraint.context)],
      ...[grant.grantName ?? null, grant.issuingPrincipal, grant.createdAt, grant.expiresAt ?? null],
      ...[ended?.phase ?? null, ended?.at ?? null],
    );
  }

  /** Removes the rows of grants that ended before this time (epoch milliseconds). Returns how many there were. */
  forgetEndedBefore(time: number): number {
    return this.#sql.run("DELETE FROM grants WHERE ended IS NOT NULL AND ended_at < ?", time);
  }
}
