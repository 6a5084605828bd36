import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { ObservationRow } from "./rows.ts";
import { withKeyringErrors } from "./sqlite.ts";

/**
 * Writes what the plugin saw of its API server: its only write, never on the
 * way of an answer. Throws KeyringUnavailable while the operator is writing or
 * the disk refuses; the caller keeps the rows and tries again.
 */
export function writeObservations(keyringPath: string, rows: readonly ObservationRow[]): void {
  withKeyringErrors(keyringPath, () => {
    // mode=rw: a keyring that was taken away is not made anew. timeout 0: the plugin
    // never waits for a lock, it comes back later.
    const url = pathToFileURL(keyringPath);
    url.searchParams.set("mode", "rw");
    using db = new DatabaseSync(url, { timeout: 0 });
    db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    db.prepare("DELETE FROM observations WHERE provider NOT IN (SELECT value FROM json_each(?))").run(
      JSON.stringify(rows.map((row) => row.provider)),
    );
    const upsert = db.prepare(
      `INSERT INTO observations VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (provider) DO UPDATE SET kms_key_id = excluded.kms_key_id,
         serving_since = excluded.serving_since, encrypts = excluded.encrypts,
         last_encrypt_at = excluded.last_encrypt_at`,
    );
    for (const row of rows) {
      upsert.run(row.provider, row.kmsKeyId, row.servingSince, row.encrypts, row.lastEncryptAt ?? null);
    }
    db.exec("COMMIT");
  });
}
