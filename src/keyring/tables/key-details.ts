import { type KeyId, parseKeyId } from "../../crypto/ids.ts";
import {
  KEY_SPECS,
  KEY_USAGES,
  type KeySpec,
  type KeyUsage,
  ORIGINS,
  type Origin,
} from "../../crypto/key-specs.ts";
import { parsedJson } from "../../json.ts";
import type { ObjectName } from "../../names.ts";
import type { RawRow } from "../sqlite.ts";
import { count, damaged, integer, oneOf, text } from "./columns.ts";
import type { Sql } from "./sql.ts";

/** The rotation of a key. Times are epoch milliseconds. */
export interface RotationDetails {
  /** True if the key rotates by itself. */
  readonly enabled: boolean;
  readonly periodInDays: number;
  readonly nextAt?: number;
  /** When a rotation that somebody asked for began, until its version is current. */
  readonly onDemandStartedAt?: number;
}

/** This node's record of what describes a MasterKey. It takes no part in the use of the key. */
export interface KeyDetails extends ObjectName {
  /** The key that the record was made of: the name may have passed to another key since. */
  readonly keyId: KeyId;
  /** Epoch milliseconds. A MasterKey that was created again for the same key keeps the earlier time. */
  readonly createdAt: number;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: Origin;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly rotation: RotationDetails;
}

export function toKeyDetails(row: RawRow): KeyDetails {
  const { next_rotation_at: nextAt, on_demand_started_at: onDemandStartedAt } = row;
  return {
    namespace: text(row, "namespace"),
    name: text(row, "name"),
    keyId: parseKeyId(text(row, "key_id")),
    createdAt: integer(row, "created_at"),
    keySpec: oneOf(row, "key_spec", KEY_SPECS),
    keyUsage: oneOf(row, "key_usage", KEY_USAGES),
    origin: oneOf(row, "origin", ORIGINS),
    description: text(row, "description"),
    tags: tagsOf(row),
    rotation: {
      enabled: integer(row, "rotates") === 1,
      periodInDays: count(row, "rotation_days"),
      ...(nextAt !== null && { nextAt: integer(row, "next_rotation_at") }),
      ...(onDemandStartedAt !== null && { onDemandStartedAt: integer(row, "on_demand_started_at") }),
    },
  };
}

function tagsOf(row: RawRow): Readonly<Record<string, string>> {
  const tags = parsedJson(text(row, "tags"));
  if (!isTags(tags)) throw damaged("tags");
  return tags;
}

const isTags = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === "string");

const SELECT = "SELECT * FROM key_details WHERE namespace = ? AND name = ?";

/** Returns the record of a MasterKey; undefined if there is none. Throws KeyringCorrupt if it cannot be read. */
export function keyDetailsOf(sql: Pick<Sql, "all">, { namespace, name }: ObjectName): KeyDetails | undefined {
  const [row] = sql.all(SELECT, namespace, name);
  return row && toKeyDetails(row);
}

/** Stores the record of a MasterKey, in place of the former one of its name. */
export function putKeyDetails(sql: Sql, details: KeyDetails): void {
  const { rotation } = details;
  sql.run(
    "INSERT OR REPLACE INTO key_details VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[details.namespace, details.name, details.keyId, details.createdAt],
    ...[details.keySpec, details.keyUsage, details.origin],
    ...[details.description, JSON.stringify(details.tags)],
    ...[rotation.enabled ? 1 : 0, rotation.periodInDays],
    ...[rotation.nextAt ?? null, rotation.onDemandStartedAt ?? null],
  );
}
