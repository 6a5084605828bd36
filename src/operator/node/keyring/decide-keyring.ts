import { parseKeyId } from "../../../crypto/ids.ts";
import type { KeyringChange } from "../../../keyring/changes.ts";
import { nameText } from "../../../names.ts";
import { sameIdentity, toVersionRow } from "../../../resources/key-version-rows.ts";
import { objectName } from "../../../resources/object-text.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { ImportedGuard, importedUnderName } from "../../alias/imported-guard.ts";
import { currentsAfter, planAlias } from "../../alias/plan-alias.ts";
import { type Claim, keyIdOwners } from "../../claims/owners.ts";
import { inOrderOfTrust } from "../../master-key/by-trust.ts";
import { keyChanges } from "./key-changes.ts";
import { isImported, keyIdContradictions, ledAstray } from "./key-contradictions.ts";
import type {
  CheckedResources,
  KeyringContents,
  KeyringPlan,
  Match,
  ObservedResources,
} from "./keyring-plan.ts";
import {
  firstOfEach,
  isBetterProven,
  partition,
  sameExpiry,
  sameOwnership,
  sealDifferences,
  versionIdOf,
  withoutProof,
} from "./matches.ts";

/**
 * Decides the changes that update this node's keyring to the resources. Nothing that encrypted is removed: a MasterKey,
 * alias or KeyVersion that was deleted continues to be served, because the API server's data may still need
 * it.
 *
 * The fields that a version's seal does not bind (its MasterKey, its validTo) are believed if they are proven
 * (seal/ownership.ts), or otherwise as this node recorded them first. If several KeyVersions share a
 * versionId, a proven one is the version, or otherwise the oldest; the others contradict it.
 */
export function decideKeyring(
  resources: ObservedResources,
  keyring: KeyringContents,
  { acceptable, proven, served, guarded = new Set() }: CheckedResources,
): KeyringPlan {
  const held = new Map(keyring.versions.map((version) => [version.versionId, version]));
  const offers = inOrderOfTrust(resources.keyVersions, proven).map((object) => ({
    object,
    theirs: toVersionRow(object),
  }));
  const fresh = firstOfEach(
    offers.filter(
      ({ object, theirs }) => !held.has(theirs.versionId) && acceptable.has(object.metadata.name),
    ),
  ).map(({ theirs, object }) => (proven.has(object.metadata.name) ? theirs : withoutProof(theirs)));
  const have = new Map([...held, ...fresh.map((row) => [row.versionId, row] as const)]);
  const known = offers.flatMap((offer): Match[] => {
    const mine = have.get(offer.theirs.versionId);
    return mine === undefined ? [] : [{ mine, ...offer }];
  });
  const taken = firstOfEach(known.filter((match) => isBetterProven(match, proven)));
  const isTaken = new Set(taken);
  const isConsistent = (match: Match) => isTaken.has(match) || sameIdentity(match.mine, match.theirs);
  const [consistent, inconsistent] = partition(known, isConsistent);
  const there = new Set(consistent.map(versionIdOf));
  for (const { mine, theirs } of taken) have.set(mine.versionId, { ...theirs, sealed: mine.sealed });
  const everKnown = [...have.values(), ...(keyring.tombstones ?? [])];
  const guard = new ImportedGuard(guarded, keyring.aliases, everKnown);
  const rows = new Map(keyring.keys.map((row) => [nameText(row), row]));
  const claims = resources.masterKeys.flatMap(claimOf);
  const { policies = new Map<string, never>() } = keyring;
  const facts = { have, rows, owners: keyIdOwners(everKnown, keyring.keys, claims), served, guard, policies };
  const keys = resources.masterKeys.flatMap((masterKey) => keyChanges(masterKey, facts));
  const currents = currentsAfter(keyring.keys, keys, have);
  const aliasRows = new Map(keyring.aliases.map((row) => [nameText(row), row]));
  const aliases = resources.keyAliases.map((alias) => planAlias(alias, aliasRows, currents, guard));
  return {
    changes: [
      ...fresh.map((version): KeyringChange => ({ kind: "putVersion", version })),
      ...taken.map(
        ({ mine, theirs }): KeyringChange => ({
          kind: "putVersion",
          version: { ...theirs, sealed: mine.sealed },
        }),
      ),
      ...keys,
      ...aliases.flatMap(({ changes }) => changes),
    ],
    handBack: keyring.versions.filter((version) => !there.has(version.versionId)),
    sealsDiffer: sealDifferences(consistent),
    bindingsDiffer: consistent.filter((match) => !isTaken.has(match) && !sameOwnership(match)),
    unproven: firstOfEach(consistent).filter(
      ({ mine, theirs, object }) =>
        mine.ownership === undefined && sameExpiry(mine, theirs) && !proven.has(object.metadata.name),
    ),
    contradictions: [
      ...inconsistent.map(altered),
      ...keyring.keys.flatMap((key) => ledAstray(key, have)),
      ...resources.masterKeys.flatMap((masterKey) => keyIdContradictions(masterKey, facts)),
      ...resources.masterKeys.filter((masterKey) => isImported(masterKey, facts)).map(importedUnderName),
      ...aliases.flatMap(({ contradictions }) => contradictions),
    ],
  };
}

const claimOf = (masterKey: MasterKey): Claim[] => {
  const keyId = masterKey.status?.keyId;
  return keyId === undefined ? [] : [{ ...objectName(masterKey), keyId: parseKeyId(keyId) }];
};

const altered = ({ mine, object }: Match): string =>
  `KeyVersion ${object.metadata.name} does not match what this node holds under versionId ${mine.versionId}`;
