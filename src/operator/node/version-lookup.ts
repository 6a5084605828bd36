import type { KeyVersion } from "../../resources/resources.ts";
import { difference } from "../claims/view-index.ts";

/**
 * Finds KeyVersions by versionId and by name, in the latest view, for callers that create thousands, one by
 * one.
 */
export class VersionLookup {
  #versions: readonly KeyVersion[] = [];
  readonly #byId = new Map<string, Set<KeyVersion>>();
  readonly #names = new Set<string>();

  /** Call this before each look. */
  follow(versions: readonly KeyVersion[]): void {
    const { gone, come } = difference(this.#versions, versions);
    this.#versions = versions;
    for (const version of gone) {
      this.#byId.get(version.spec.versionId)?.delete(version);
      this.#names.delete(version.metadata.name);
    }
    for (const version of come) {
      const { versionId } = version.spec;
      this.#byId.set(versionId, (this.#byId.get(versionId) ?? new Set()).add(version));
      this.#names.add(version.metadata.name);
    }
  }

  withId(versionId: string): readonly KeyVersion[] {
    return [...(this.#byId.get(versionId) ?? [])];
  }

  isTaken(name: string): boolean {
    return this.#names.has(name);
  }
}
