import type { VersionRow } from "../../keyring/rows.ts";
import { type ErasurePlan, tombstoneSpec } from "../../operator/node/decide-erasure.ts";
import { toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { keyVersion } from "../objects.ts";
import type { Etcd } from "./etcd.ts";
import { withTombstone } from "./model-retirement.ts";

/**
 * Adds versions that the API server has lost, from a node. For a destroyed version, its tombstone is added
 * instead.
 */
export function handedBack(etcd: Etcd, erasure: ErasurePlan, rows: readonly VersionRow[], now: Date): Etcd {
  const again = erasure.destroyAgain.reduce((one, { object }) => withTombstone(one, object, now), etcd);
  const gone = new Set(again.versions.filter((one) => !hasMaterial(one)).map(({ spec }) => spec.versionId));
  const specs = [
    ...rows.filter(({ versionId }) => !gone.has(versionId)).map(toKeyVersionSpec),
    ...erasure.handBack.map(tombstoneSpec),
  ];
  if (specs.length === 0) return again;
  const taken = new Set(again.versions.map(({ metadata }) => metadata.name));
  const returned = specs.map((spec) => {
    const version = keyVersion(spec.number, { spec });
    const { name } = version.metadata;
    const free = taken.has(name) ? `${name}-${spec.versionId}` : name;
    return { ...version, metadata: { ...version.metadata, name: free }, spec };
  });
  return { ...again, versions: [...again.versions, ...returned] };
}
