import { keyVersionName } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { byAge } from "../../resources/versions.ts";

/**
 * Orders KeyVersions that share a versionId by trust: first those whose ownership is proven, then the one
 * with the version's usual name, which nobody else can have taken, then by age.
 */
export function inOrderOfTrust(versions: readonly KeyVersion[], proven: ReadonlySet<string>): KeyVersion[] {
  // If none share a versionId there is nothing to choose, and ten thousand versions need not be sorted.
  if (new Set(versions.map(({ spec }) => spec.versionId)).size === versions.length) return [...versions];
  const rank = ({ metadata, spec }: KeyVersion): number => {
    if (proven.has(metadata.name)) return 0;
    return metadata.name === keyVersionName(spec) ? 1 : 2;
  };
  const ranked = versions.map((version) => ({ version, rank: rank(version) }));
  return ranked.sort((a, b) => a.rank - b.rank || byAge(a.version, b.version)).map(({ version }) => version);
}
