import type { ArnPrefixes } from "../../keys/arn.ts";
import { nameText } from "../../names.ts";
import type { KeyAlias, MasterKey } from "../../resources/resources.ts";
import { findIn } from "../claims/indexed.ts";
import { keyRowOf, type LeaderKeyring } from "../claims/leader-keyring.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import type { Lack } from "../master-key/namespace-room.ts";
import { nodeViews } from "../nodes/node-views.ts";
import type { ObservedKeyAlias } from "./decide-key-alias.ts";
import { type HeldAlias, rememberAlias } from "./remembered-alias.ts";
import { importedAllowed, mayBeServed } from "./served-aliases.ts";

export interface KeyAliasSources extends ArnPrefixes {
  readonly alias: KeyAlias;
  readonly index: ViewIndex;
  readonly keyring: LeaderKeyring;
  /** Returns the lack of room in the namespace. Only called for an alias that does not point to a key yet. */
  readonly lack: () => Lack | undefined;
}

/** Gathers the facts for decideKeyAlias. `now` is the time by which nodes are silent. */
export function gatherKeyAlias(sources: KeyAliasSources, now: Date): ObservedKeyAlias {
  const { alias, index, keyring, lack, arnPrefix, formerArnPrefix } = sources;
  const { keyServers, heardOf } = index.view;
  const { namespace = "" } = alias.metadata;
  const named = (name: string | undefined) =>
    name === undefined ? undefined : index.masterKey({ namespace, name });
  const known = rememberAlias(alias, heldAlias(alias, keyring), named(alias.status?.masterKey));
  const target = named(alias.spec.masterKey);
  const nodes = nodeViews(keyServers, heardOf, now);
  // Nobody knows if a node without KeyServer serves the alias.
  const unknown = nodes.some(({ unreported }) => unreported === true);
  return {
    alias: known,
    target,
    targetVersion: target && currentVersionOf(target, index),
    served: named(known.status?.masterKey),
    inService: unknown || mayBeServed(alias, keyServers),
    importedAllowed: !unknown && importedAllowed(alias, keyServers),
    lack: known.status?.masterKey === undefined ? lack() : undefined,
    nodes,
    arnPrefix,
    ...(formerArnPrefix !== undefined && { formerArnPrefix }),
  };
}

const currentVersionOf = (masterKey: MasterKey, index: ViewIndex) =>
  index
    .versionsFor(masterKey)
    .find(({ spec }) => spec.versionId === masterKey.status?.currentVersion?.versionId);

function heldAlias({ metadata }: KeyAlias, keyring: LeaderKeyring): HeldAlias | undefined {
  const { namespace = "", name } = metadata;
  const row = findIn(keyring.aliases(), nameText({ namespace, name }), nameText);
  if (row === undefined) return undefined;
  const key = keyRowOf(nameText({ namespace, name: row.masterKey }), keyring);
  return { ...row, ...(key && { keyId: key.keyId }) };
}
