import { ALIAS, parseNameText, servedAlias } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyServer, MasterKey } from "../../resources/resources.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import type { ViewIndex } from "../claims/view-index.ts";

/**
 * Returns the aliases under which nodes serve a MasterKey, in the form of a KeyServer's `serves`. They
 * include aliases whose KeyAlias was deleted, or was only just created again: their key_ids show that nodes
 * continue to serve them, and this node may not know them.
 */
export function aliasesOf(
  masterKey: MasterKey,
  index: ViewIndex,
  keyServers: readonly KeyServer[],
): ReadonlySet<string> {
  const servedOn = keyServers
    .flatMap(({ status }) => status?.providers ?? [])
    .filter(({ serves }) => serves.startsWith(ALIAS) && !isPointing(serves.slice(ALIAS.length), index));
  const pointing = index.aliasesOf(masterKey);
  if (servedOn.length === 0) return pointing;
  const own = new Set<string | undefined>(index.versionsFor(masterKey).map(kmsKeyIdOf));
  const its = servedOn.filter(({ kmsKeyId }) => own.has(kmsKeyId));
  return new Set([...pointing, ...its.map(({ serves }) => serves)]);
}

const isPointing = (alias: string, index: ViewIndex): boolean =>
  index.alias(parseNameText(alias))?.status?.masterKey !== undefined;

/** A node that has not reported what it serves may serve the alias. */
export const mayBeServed = (alias: KeyAlias, keyServers: readonly KeyServer[]): boolean =>
  keyServers.length === 0 ||
  keyServers.some(
    ({ status }) =>
      status?.providers?.some(({ serves }) => serves === servedAlias(objectText(alias))) ?? true,
  );

/**
 * Returns true if each provider that serves the alias accepts imported material, as far as nodes have
 * reported.
 */
export const importedAllowed = (alias: KeyAlias, keyServers: readonly KeyServer[]): boolean =>
  keyServers.length > 0 &&
  keyServers.every(
    ({ status }) =>
      status?.providers?.every(
        (provider) => provider.serves !== servedAlias(objectText(alias)) || provider.allowImported === true,
      ) === true,
  );
