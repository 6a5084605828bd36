import type { DatabaseSync } from "node:sqlite";
import { ClavigerError } from "../errors.ts";
import { COUNT_CHANGES } from "./tables/table-changes.ts";

/**
 * The schema's history: entry N migrates a database from user_version N to N + 1. Released entries are never
 * edited; a change is a new entry.
 *
 * `versions.seq` grows with every insert and re-seal, so that a reader can ask for new rows instead of
 * reading ten thousand rows again.
 * `versions.valid_to` (epoch milliseconds) lets a plugin know the expiry with the API server down.
 * `objects` holds the status of custom resources in standalone mode.
 * `tombstones` names destroyed versions, and never shrinks; `erased` is set once the file was rewritten
 * without the version's bytes.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE versions (
    version_id    TEXT PRIMARY KEY,
    key_id        TEXT NOT NULL,
    number        INTEGER NOT NULL CHECK (number > 0),
    namespace     TEXT NOT NULL,
    name          TEXT NOT NULL,
    key_spec      TEXT NOT NULL,
    key_usage     TEXT NOT NULL,
    origin        TEXT NOT NULL,
    seal_provider TEXT NOT NULL,
    root_key_id   TEXT NOT NULL,
    sealed        BLOB NOT NULL,
    seq           INTEGER NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE keys (
    namespace          TEXT NOT NULL,
    name               TEXT NOT NULL,
    key_id             TEXT NOT NULL,
    enabled            INTEGER NOT NULL,
    current_version_id TEXT REFERENCES versions (version_id),
    current_number     INTEGER NOT NULL DEFAULT 0,
    former_key_ids     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (namespace, name)
  ) STRICT;
  CREATE TABLE aliases (
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    master_key TEXT NOT NULL,
    PRIMARY KEY (namespace, name)
  ) STRICT;
  CREATE TABLE observations (
    provider        TEXT PRIMARY KEY,
    kms_key_id      TEXT NOT NULL,
    serving_since   INTEGER NOT NULL,
    encrypts        INTEGER NOT NULL,
    last_encrypt_at INTEGER
  ) STRICT;
  CREATE TABLE objects (
    kind      TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    json      TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
  ) STRICT;
  `,
  `
  ALTER TABLE versions ADD COLUMN material_id TEXT;
  ALTER TABLE versions ADD COLUMN valid_to INTEGER;
  `,
  "ALTER TABLE aliases ADD COLUMN former_targets TEXT NOT NULL DEFAULT '';",
  // The plugin has a separate file for them (observations.ts).
  "DROP TABLE observations;",
  `
  ALTER TABLE keys ADD COLUMN deletion_date TEXT;
  CREATE TABLE tombstones (
    version_id     TEXT PRIMARY KEY,
    key_id         TEXT NOT NULL,
    number         INTEGER NOT NULL CHECK (number > 0),
    namespace      TEXT NOT NULL,
    name           TEXT NOT NULL,
    key_spec       TEXT NOT NULL,
    key_usage      TEXT NOT NULL,
    origin         TEXT NOT NULL,
    destroyed_at   TEXT NOT NULL,
    reason         TEXT NOT NULL,
    proof_provider TEXT NOT NULL,
    root_key_id    TEXT NOT NULL,
    proof          BLOB NOT NULL,
    erased         INTEGER NOT NULL DEFAULT 0,
    seq            INTEGER NOT NULL UNIQUE
  ) STRICT;
  `,
];

export const SCHEMA_VERSION = migrations.length;

/**
 * Tables that a release may add without a new schema version. An older release refuses a keyring of a later
 * version, but it ignores tables that it does not know, so a downgrade stays possible. Each table may only
 * hold records whose absence an older release can bear. The operator creates them when it opens the file; a
 * reader must expect a file that lacks them (`hasTable`).
 */
const additions: readonly string[] = [
  // The proof of each version's MasterKey and validTo (seal/ownership.ts).
  `
  CREATE TABLE IF NOT EXISTS ownership (
    version_id     TEXT PRIMARY KEY,
    revision       INTEGER NOT NULL,
    proof_provider TEXT NOT NULL,
    root_key_id    TEXT NOT NULL,
    proof          BLOB NOT NULL
  ) STRICT;
  `,
  // This node's own record of waiting periods and of time (waiting-periods.ts). Without it every period
  // starts again, which is later and therefore safe.
  `
  CREATE TABLE IF NOT EXISTS waiting_periods (
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    length    INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL,
    agreed    INTEGER NOT NULL,
    asked     INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS operator_time (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    seen      INTEGER NOT NULL,
    agreed_at INTEGER NOT NULL,
    doubted   INTEGER NOT NULL
  ) STRICT;
  `,
  // The aliases through which providers served imported material (served-imports.ts). The same statement adds
  // the aliases that do so at this moment: a release that did not know `allowImported` refused none of them,
  // and the plugin must not stop the API server now.
  `
  CREATE TABLE IF NOT EXISTS served_imports AS
  SELECT aliases.namespace, aliases.name AS alias, aliases.master_key
  FROM aliases
  JOIN keys ON keys.namespace = aliases.namespace AND keys.name = aliases.master_key
  JOIN versions ON versions.version_id = keys.current_version_id
  WHERE versions.origin = 'EXTERNAL';
  `,
  // What describes a key and its versions, for the AWS-compatible API (key-details.ts). No key is used by it, and
  // the operator records it again from the resources.
  `
  CREATE TABLE IF NOT EXISTS key_details (
    namespace            TEXT NOT NULL,
    name                 TEXT NOT NULL,
    key_id               TEXT NOT NULL,
    created_at           INTEGER NOT NULL,
    key_spec             TEXT NOT NULL,
    key_usage            TEXT NOT NULL,
    origin               TEXT NOT NULL,
    description          TEXT NOT NULL,
    tags                 TEXT NOT NULL,
    rotates              INTEGER NOT NULL,
    rotation_days        INTEGER NOT NULL,
    next_rotation_at     INTEGER,
    on_demand_started_at INTEGER,
    PRIMARY KEY (namespace, name)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS version_details (
    version_id  TEXT PRIMARY KEY,
    promoted_at INTEGER NOT NULL,
    trigger     TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS versions_of_key ON versions (key_id);
  `,
  // The aliases whose KeyAlias is gone (removed-aliases.ts). Providers are served through them all the same.
  `
  CREATE TABLE IF NOT EXISTS removed_aliases (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (namespace, name)
  ) STRICT;
  `,
  // KeyGrants that this node follows (grants.ts). Without them nothing is allowed by a grant, until the operator
  // has read the KeyGrants again. `seq` never comes again, so that a reader can ask for new rows.
  `
  CREATE TABLE IF NOT EXISTS grants (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    grant_id        TEXT NOT NULL UNIQUE,
    namespace       TEXT NOT NULL,
    name            TEXT NOT NULL,
    master_key      TEXT NOT NULL,
    key_id          TEXT NOT NULL,
    grantee         TEXT NOT NULL,
    retiring        TEXT,
    operations      TEXT NOT NULL,
    constraint_kind TEXT,
    context         TEXT,
    grant_name      TEXT,
    issuer          TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    ended           TEXT,
    ended_at        INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS grants_by_name ON grants (namespace, name);
  CREATE INDEX IF NOT EXISTS grants_of_key ON grants (key_id) WHERE ended IS NULL;
  `,
  // The kinds of resources of which the keyring has had all objects once (followed-kinds.ts). A backup does not have
  // it: an API waits for the operator's next pass.
  "CREATE TABLE IF NOT EXISTS followed_kinds (kind TEXT PRIMARY KEY) STRICT;",
  // The key policies of MasterKeys that have one of their own (key-policies.ts). A key's row and its policy are written
  // in one transaction. A backup has none: an API waits until the operator has recorded all of them again.
  `
  CREATE TABLE IF NOT EXISTS key_policies (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    key_id    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    document  TEXT,
    PRIMARY KEY (namespace, name)
  ) STRICT;
  `,
  // How often the tables that plugins keep in memory were written (table-changes.ts). Without the counts a plugin
  // reads these tables again after each commit.
  COUNT_CHANGES,
];

/** The schema version that added the table of tombstones. */
export const TOMBSTONES_SINCE = 1 + migrations.findIndex((step) => step.includes("CREATE TABLE tombstones"));

/** A keyring appears complete under its name, so a keyring without a schema was truncated. */
export const emptyKeyring = (path: string): ClavigerError =>
  new ClavigerError(
    "KeyringCorrupt",
    `keyring ${path} is damaged: it is empty; move it away, with its -wal and -shm, and keep it.` +
      " In a cluster the operator builds it again from the API server; standalone, put a backup in its place",
  );

/** Migrates a database to this release's schema, each step in its own transaction. */
export function migrate(db: DatabaseSync, path: string): void {
  for (let version = schemaVersion(db, path); version < SCHEMA_VERSION; version++) {
    db.exec(`BEGIN IMMEDIATE; ${migrations[version]} PRAGMA user_version = ${version + 1}; COMMIT`);
  }
  for (const addition of additions) db.exec(`BEGIN IMMEDIATE; ${addition} COMMIT`);
}

/** Returns true if the keyring has a table of this name (see `additions`). */
export const hasTable = (db: DatabaseSync, name: string): boolean =>
  db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined;

/** Returns the schema version of a database. Throws KeyringCorrupt if a newer release wrote it. */
export function schemaVersion(db: DatabaseSync, path: string): number {
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (version > SCHEMA_VERSION) {
    throw new ClavigerError(
      "KeyringCorrupt",
      `keyring ${path} has schema ${version} and this release knows ${SCHEMA_VERSION}: run the newer release that wrote it`,
    );
  }
  return version;
}
