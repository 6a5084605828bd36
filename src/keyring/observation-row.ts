import type { KmsKeyId } from "../crypto/ids.ts";
import type { ObservationRow } from "./rows.ts";
import type { RawRow } from "./sqlite.ts";
import { count, integer, shortText } from "./tables/columns.ts";

/**
 * Reads an observation from its record in the file. Throws KeyringCorrupt for a value that no plugin writes.
 */
export function toObservationRow(row: RawRow): ObservationRow {
  const {
    last_encrypt_at: lastEncryptAt,
    last_status_at: lastStatusAt,
    not_asked_since: notAskedSince,
  } = row;
  return {
    provider: shortText(row, "provider", 63),
    kmsKeyId: shortText(row, "kms_key_id", 64) as KmsKeyId,
    servingSince: count(row, "serving_since"),
    encrypts: count(row, "encrypts"),
    ...(typeof lastEncryptAt === "number" && { lastEncryptAt: count(row, "last_encrypt_at") }),
    settled: integer(row, "settled") === 1,
    ...(row.serves !== undefined && { serves: shortText(row, "serves", 600) }),
    ...(row.episode_settled !== undefined && { episodeSettled: row.episode_settled === 1 }),
    ...(row.episode !== undefined && { episode: shortText(row, "episode", 36) }),
    ...(typeof lastStatusAt === "number" && { lastStatusAt: count(row, "last_status_at") }),
    ...(typeof notAskedSince === "number" && { notAskedSince: count(row, "not_asked_since") }),
    ...(row.boot !== undefined && {
      mark: {
        boot: shortText(row, "boot", 64),
        statusAt: count(row, "status_monotonic"),
        whole: row.whole === 1,
      },
    }),
  };
}

/** Makes an observation's record for the file. */
export const toRecord = (row: ObservationRow): RawRow => ({
  provider: row.provider,
  kms_key_id: row.kmsKeyId,
  serving_since: row.servingSince,
  encrypts: row.encrypts,
  last_encrypt_at: row.lastEncryptAt ?? null,
  settled: row.settled ? 1 : 0,
  ...(row.serves !== undefined && { serves: row.serves }),
  ...(row.episodeSettled !== undefined && { episode_settled: row.episodeSettled ? 1 : 0 }),
  ...(row.episode !== undefined && { episode: row.episode }),
  ...(row.lastStatusAt !== undefined && { last_status_at: row.lastStatusAt }),
  ...(row.notAskedSince !== undefined && { not_asked_since: row.notAskedSince }),
  ...(row.mark !== undefined && {
    boot: row.mark.boot,
    status_monotonic: row.mark.statusAt,
    whole: row.mark.whole ? 1 : 0,
  }),
});
