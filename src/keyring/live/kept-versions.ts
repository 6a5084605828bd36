import type { ClavigerError } from "../../errors.ts";
import type { KeyringReader, StoredVersion } from "../reader.ts";
import type { TombstoneRow, VersionRow } from "../rows.ts";

/** Rows per turn of the event loop while the rest of the keyring is read: about a millisecond. */
const LOAD_CHUNK = 100;

/** The versions of a keyring in memory, still sealed, and those that were destroyed. */
export class KeptVersions {
  readonly #versions = new Map<string, VersionRow>();
  readonly #unreadable = new Map<string, ClavigerError>();
  readonly #destroyed = new Map<string, TombstoneRow>();
  #seq = 0;
  #tombstoneSeq = 0;

  get count(): number {
    return this.#versions.size;
  }

  /** The versions that this release cannot read, by versionId. */
  get unreadable(): ReadonlyMap<string, ClavigerError> {
    return this.#unreadable;
  }

  get(versionId: string): VersionRow | undefined {
    return this.#versions.get(versionId);
  }

  put(version: VersionRow): void {
    this.#versions.set(version.versionId, version);
  }

  destroyed(versionId: string): TombstoneRow | undefined {
    return this.#destroyed.get(versionId);
  }

  /** Another file is read next, from its beginning. */
  startAgain(): void {
    this.#seq = 0;
    this.#tombstoneSeq = 0;
    this.#unreadable.clear();
  }

  /** Reads the next rows. Returns true if there may be more. */
  readNext(reader: KeyringReader): boolean {
    const rows = reader.rowsAfter(this.#seq, LOAD_CHUNK);
    for (const row of rows) this.#take(row);
    return rows.length === LOAD_CHUNK;
  }

  /** Removes the versions that were destroyed since the last call, and returns their ids. */
  removeDestroyed(reader: KeyringReader): readonly string[] {
    const tombstones = reader.tombstonesAfter(this.#tombstoneSeq);
    for (const { seq, tombstone } of tombstones) {
      this.#tombstoneSeq = seq;
      this.#destroyed.set(tombstone.versionId, tombstone);
      this.#versions.delete(tombstone.versionId);
      // If the row with the highest seq was removed, that seq is used again, so all rows are read again.
      this.#seq = 0;
    }
    return tombstones.map(({ tombstone }) => tombstone.versionId);
  }

  /**
   * Adds a row to the versions in memory. If the row cannot be read now, the version that was read before
   * stays there, so that its ciphertexts can still be decrypted.
   */
  #take(row: StoredVersion): void {
    this.#seq = row.seq;
    if ("error" in row) {
      this.#unreadable.set(row.versionId, row.error);
      return;
    }
    this.#unreadable.delete(row.version.versionId);
    if (!this.#destroyed.has(row.version.versionId)) this.put(row.version);
  }
}
