import { nameText } from "../../names.ts";
import type { KeyringChange } from "../changes.ts";
import { type AliasRow, isLater, type KeyRow, type KeyringImage, type VersionRow } from "../rows.ts";

export interface MergePlan {
  /** A single transaction, with versions before the rows that refer to them. */
  readonly changes: readonly KeyringChange[];
  /** The number of versions that the keyring lacked. */
  readonly versions: number;
  /** The number of versions of the backup that the keyring knows as destroyed, and that are not added. */
  readonly destroyed: number;
  /** Names that have another keyId in the keyring than in the backup, and keep it: a sentence each. */
  readonly kept: readonly string[];
}

/**
 * Decides what a backup adds to a keyring. Nothing is removed, no seal is replaced, no name returns to a key
 * that it left, and a current version only moves forward. Versions that are `destroyed` in the keyring
 * (versionIds) do not come back.
 */
export function planMerge(
  backup: KeyringImage,
  keyring: KeyringImage,
  destroyed: ReadonlySet<string> = new Set(),
): MergePlan {
  const held = new Set<string>(keyring.versions.map(({ versionId }) => versionId));
  const fresh = backup.versions.filter(({ versionId }) => !held.has(versionId) && !destroyed.has(versionId));
  const have = new Map<string, VersionRow>(
    [...keyring.versions, ...fresh].map((row) => [row.versionId, row]),
  );
  const mine = new Map(keyring.keys.map((key) => [nameText(key), key]));
  const plans = backup.keys.map((key) => planKey(key, mine.get(nameText(key)), have));
  return {
    changes: [
      ...fresh.map((version): KeyringChange => ({ kind: "putVersion", version })),
      ...plans.flatMap((plan) => ("changes" in plan ? plan.changes : [])),
      ...backup.aliases.flatMap((alias) => planAlias(alias, keyring.aliases)),
    ],
    versions: fresh.length,
    destroyed: backup.versions.filter(({ versionId }) => destroyed.has(versionId)).length,
    kept: plans.flatMap((plan) => ("kept" in plan ? plan.kept : [])),
  };
}

type KeyPlan = { readonly changes: readonly KeyringChange[] } | { readonly kept: string };

function planKey(theirs: KeyRow, mine: KeyRow | undefined, have: ReadonlyMap<string, VersionRow>): KeyPlan {
  const current = have.get(theirs.current?.versionId ?? "");
  const furtherOn = mine !== undefined && current !== undefined && hasLeft(theirs, mine);
  if (mine !== undefined && mine.keyId !== theirs.keyId && !furtherOn) {
    return {
      kept: `MasterKey ${nameText(mine)} has keyId ${mine.keyId} here and ${theirs.keyId} in the backup: it encrypts under its own on, and what the other one encrypted can be read`,
    };
  }
  const { namespace, name, keyId } = theirs;
  const { enabled } = mine ?? theirs;
  // The date belongs to the key, not to its name.
  const { deletionDate } = mine?.keyId === keyId ? mine : theirs;
  const key = { namespace, name, keyId, enabled, ...(deletionDate !== undefined && { deletionDate }) };
  const left = mine === undefined || mine.keyId === keyId ? [] : [mine.keyId];
  const former = [...new Set([...theirs.formerKeyIds, ...(mine?.formerKeyIds ?? []), ...left])];
  const before = mine?.keyId === keyId ? mine.current : undefined;
  const moves = current !== undefined && (before === undefined || isLater(current, before));
  return {
    changes: [
      { kind: "putKey", key },
      { kind: "putFormerKeyIds", key, keyIds: former },
      ...(moves ? [{ kind: "setCurrent", key, version: current } as const] : []),
    ],
  };
}

/** Returns true if the name had the keyring's key before and left it for the backup's key. */
const hasLeft = (theirs: KeyRow, mine: KeyRow): boolean =>
  theirs.formerKeyIds.includes(mine.keyId) && !mine.formerKeyIds.includes(theirs.keyId);

/** An alias keeps its target here, and its record of the keys that it left is extended by the backup's. */
function planAlias(theirs: AliasRow, aliases: readonly AliasRow[]): KeyringChange[] {
  const mine = aliases.find((held) => nameText(held) === nameText(theirs));
  if (mine === undefined) return [{ kind: "putAlias", alias: theirs }];
  const { formerTargets } = theirs;
  return formerTargets === undefined ? [] : [{ kind: "putAlias", alias: { ...mine, formerTargets } }];
}
