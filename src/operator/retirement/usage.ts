import { nameText, type ObjectName, servedAlias } from "../../names.ts";
import { firstFew } from "../../resources/first-few.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyServer } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";

/** A user of a key: a word for programs, a phrase for people. */
export interface Use {
  readonly reason: "ProviderUsesKey" | "AliasPointsToKey" | "ObjectsUnderKey" | "NodeNotReported";
  readonly text: string;
}

/** A key, by the name that others use. */
export interface NamedKey extends ObjectName {
  /** Absent before the first keyId is given. */
  readonly keyId?: string;
  /** The key_ids of its versions. */
  readonly kmsKeyIds: ReadonlySet<string>;
}

/** Returns how many stored objects are under a key_id, if a census has counted all of them. */
export type StoredObjects = (kmsKeyId: string) => number;

export interface UsageSources {
  readonly keyServers: readonly KeyServer[];
  readonly keyAliases: readonly KeyAlias[];
  readonly stored?: StoredObjects;
}

/** Returns the users of a key in a fixed order: providers, aliases, stored objects. */
export function usesOf(key: NamedKey, { keyServers, keyAliases, stored }: UsageSources): Use[] {
  const aliases = keyAliases.filter((alias) => pointsTo(alias, key));
  const names = new Set([nameText(key), ...aliases.map((alias) => servedAlias(objectText(alias)))]);
  return [
    ...keyServers.flatMap((server) => providerUses(server, names, key)).sort(byText),
    ...aliases.map(aliasUse).sort(byText),
    ...storedUses(key, stored),
  ];
}

/** Formats "a, b and 3 more". */
export function listUses(uses: readonly Use[], most = 5): string {
  return firstFew(
    uses.map(({ text }) => text),
    most,
  );
}

/** The key that the alias should point to counts just as the key to which it points. */
const pointsTo = ({ metadata, spec, status }: KeyAlias, key: NamedKey): boolean =>
  metadata.namespace === key.namespace &&
  (spec.masterKey === key.name ||
    status?.masterKey === key.name ||
    (key.keyId !== undefined && status?.keyId === key.keyId));

type Provider = NonNullable<KeyServerStatus["providers"]>[number];

/**
 * Returns true if the API server next to a provider may need the provider's key. It does not need it if
 * neither the file that it uses nor the file on the disk has an entry on the socket, and it has not asked for
 * Status for three minutes, as it would for every entry. A KeyServer that does not report all of this proves
 * nothing.
 */
export const isNeeded = ({ entries, notAskedSince, editNotTakenUp }: Provider): boolean =>
  entries !== 0 || notAskedSince === undefined || editNotTakenUp !== undefined;

/**
 * Returns the providers that name the key, or that still serve one of its versions before their plugin has
 * followed.
 */
function providerUses({ metadata, status }: KeyServer, names: ReadonlySet<string>, key: NamedKey): Use[] {
  return (status?.providers ?? [])
    .filter(isNeeded)
    .filter(({ serves, kmsKeyId }) => names.has(serves) || key.kmsKeyIds.has(kmsKeyId ?? ""))
    .map(({ name, serves }) => ({
      reason: "ProviderUsesKey",
      text: `provider ${name} of node ${metadata.name} (serves ${serves})`,
    }));
}

const aliasUse = (alias: KeyAlias): Use => ({
  reason: "AliasPointsToKey",
  text: `KeyAlias ${objectText(alias)}`,
});

function storedUses({ kmsKeyIds }: NamedKey, stored: StoredObjects | undefined): Use[] {
  if (stored === undefined) return [];
  return [...kmsKeyIds].sort().flatMap((kmsKeyId) => {
    const count = stored(kmsKeyId);
    return count === 0
      ? []
      : [{ reason: "ObjectsUnderKey" as const, text: `${count} stored objects under key_id ${kmsKeyId}` }];
  });
}
const byText = (a: Use, b: Use): number => (a.text < b.text ? -1 : 1);
