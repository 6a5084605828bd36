import type { KeyringReader } from "../reader.ts";

/** Counts the commits that were sighted in the file of a keyring, and the files that were opened. */
export class SightedCommits {
  #dataVersion: number | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Sights the file's last commit. Returns true if the reader's last snapshot is older. Throws if the file cannot be read. */
  sight(reader: Pick<KeyringReader, "dataVersion" | "hasRead">): boolean {
    const version = reader.dataVersion();
    if (version !== this.#dataVersion) this.#count += 1;
    this.#dataVersion = version;
    return !reader.hasRead(version);
  }

  /** Another file is opened next. */
  forgetFile(): void {
    this.#dataVersion = undefined;
    this.#count += 1;
  }
}
