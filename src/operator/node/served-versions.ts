import type { ObservationRow, VersionRow } from "../../keyring/rows.ts";
import type { ServedImport } from "../../keyring/tables/served-imports.ts";
import { type KeyRef, keyRefText, nameText } from "../../names.ts";
import { kmsKeyIdOfRow } from "../../resources/versions.ts";
import type { KeyringContents } from "./keyring/keyring-plan.ts";

/**
 * The keys that a node's providers must serve, its keyring, and the answers that its plugin was seen to give.
 */
export interface ObservedService extends KeyringContents {
  readonly providers: readonly { readonly name: string; readonly ref: KeyRef }[];
  readonly observations: readonly Pick<ObservationRow, "kmsKeyId">[];
}

/** Returns the versionIds with which a provider of this node answers, or is about to answer. */
export function servedVersions(observed: ObservedService): ReadonlySet<string> {
  const { providers, keys, versions, observations } = observed;
  // Includes providers that are not in our configuration, because the plugin reloads a changed configuration
  // by itself.
  const answered = new Set<string>(observations.map((observation) => observation.kmsKeyId));
  const targets = new Set(providers.map(({ ref }) => targetOf(ref, observed)));
  const served = versions.filter((row) => answered.has(kmsKeyIdOfRow(row)));
  const current = keys.filter((key) => targets.has(nameText(key))).flatMap((key) => key.current ?? []);
  return new Set<string>([...served, ...current].map(({ versionId }) => versionId));
}

/** Returns the imported material that this node's plugin was seen to serve through aliases. */
export function importsServed(
  providers: ObservedService["providers"],
  observations: readonly ObservationRow[],
  versions: readonly VersionRow[],
): ServedImport[] {
  const imported = versions.filter(({ origin }) => origin === "EXTERNAL");
  const byId = new Map<string, VersionRow>(imported.map((version) => [kmsKeyIdOfRow(version), version]));
  return providers.flatMap(({ name, ref }) => {
    if ("key" in ref) return [];
    const seen = observations.find(
      ({ provider, serves }) => provider === name && (serves ?? keyRefText(ref)) === keyRefText(ref),
    );
    const version = byId.get(seen?.kmsKeyId ?? "");
    return version === undefined ? [] : [{ alias: ref.alias, masterKey: version.masterKey.name }];
  });
}

/** Returns NAMESPACE/NAME of the key that a provider serves; undefined if its alias does not exist. */
function targetOf(ref: KeyRef, { aliases }: ObservedService): string | undefined {
  if ("key" in ref) return nameText(ref.key);
  const alias = aliases.find((row) => nameText(row) === nameText(ref.alias));
  return alias && nameText({ namespace: alias.namespace, name: alias.masterKey });
}
