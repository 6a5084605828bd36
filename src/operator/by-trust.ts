import type { KeyVersion } from "../kube/resources.ts";
import { keyVersionName } from "./key-version-rows.ts";
import { byAge } from "./versions.ts";

/**
 * The order in which KeyVersions that share a versionId are believed: those whose ownership is
 * proven first, then that of the version's usual name, which nobody else can have taken, then by age.
 */
export function byTrust(proven: ReadonlySet<string>): (a: KeyVersion, b: KeyVersion) => number {
  const rank = ({ metadata, spec }: KeyVersion): number => {
    if (proven.has(metadata.name)) return 0;
    return metadata.name === keyVersionName(spec) ? 1 : 2;
  };
  return (a, b) => rank(a) - rank(b) || byAge(a, b);
}
