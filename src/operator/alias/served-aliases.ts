import { ALIAS, parseNameText, servedAlias } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyServer, MasterKey } from "../../resources/resources.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import type { ViewIndex } from "../claims/view-index.ts";

/**
 * The aliases under which nodes serve a MasterKey, as a KeyServer's `serves` names them. Those
 * whose KeyAlias was deleted, or was only just made again, are among them: nodes serve them on,
 * as their key_ids tell, and this one may not know them.
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

/** A node that has not said what it serves may serve it. */
export const mayBeServed = (alias: KeyAlias, keyServers: readonly KeyServer[]): boolean =>
  keyServers.length === 0 ||
  keyServers.some(
    ({ status }) =>
      status?.providers?.some(({ serves }) => serves === servedAlias(objectText(alias))) ?? true,
  );

/** Whether each provider that serves the alias takes imported material, as far as nodes have reported. */
export const importedAllowed = (alias: KeyAlias, keyServers: readonly KeyServer[]): boolean =>
  keyServers.length > 0 &&
  keyServers.every(
    ({ status }) =>
      status?.providers?.every(
        (provider) => provider.serves !== servedAlias(objectText(alias)) || provider.allowImported === true,
      ) === true,
  );
