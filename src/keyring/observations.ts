import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { ClavigerError } from "../errors.ts";
import type { ObservationRow } from "./rows.ts";
import { SCHEMA_VERSION, schemaVersion } from "./schema.ts";
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
    // After an upgrade the operator brings the schema up to date; until then there is no place for what is new.
    if (schemaVersion(db, keyringPath) < SCHEMA_VERSION) {
      const text = `keyring ${keyringPath} has an older schema: start this release's operator`;
      throw new ClavigerError("KeyringUnavailable", text);
    }
    db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    db.prepare("DELETE FROM observations WHERE provider NOT IN (SELECT value FROM json_each(?))").run(
      JSON.stringify(rows.map((row) => row.provider)),
    );
    const upsert = db.prepare(
      `INSERT INTO observations (provider, kms_key_id, serving_since, encrypts, last_encrypt_at, settled)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (provider) DO UPDATE SET kms_key_id = excluded.kms_key_id,
         serving_since = excluded.serving_since, encrypts = excluded.encrypts,
         last_encrypt_at = excluded.last_encrypt_at, settled = excluded.settled`,
    );
    for (const { provider, kmsKeyId, servingSince, encrypts, lastEncryptAt, settled } of rows) {
      upsert.run(provider, kmsKeyId, servingSince, encrypts, lastEncryptAt ?? null, settled ? 1 : 0);
    }
    db.exec("COMMIT");
  });
}
