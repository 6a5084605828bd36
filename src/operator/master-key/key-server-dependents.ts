import { isDeepStrictEqual } from "node:util";
import { ALIAS, nameText, parseNameText } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyServer, KeyVersion } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import type { View } from "../../store/view.ts";
import { nodeViews } from "../nodes/node-views.ts";
import { keyAliasWork, masterKeyWork, uniqueWork, type WorkItem } from "../work-item.ts";

type Objects = Pick<View, "keyVersions" | "keyAliases">;
type Provider = NonNullable<KeyServerStatus["providers"]>[number];

/**
 * Returns the leader's work after a change of one KeyServer: on the keys of the versions that it lists or no
 * longer lists, and on the keys that its changed sockets serve. A node that joins, leaves, or whose health
 * changes concerns all.
 */
export function dependentsOf(
  before: KeyServer | undefined,
  after: KeyServer | undefined,
  view: Objects,
): readonly WorkItem[] | "all" {
  if (before === undefined || after === undefined) return "all";
  if (!isDeepStrictEqual(healthOf(before), healthOf(after))) return "all";
  return uniqueWork([...listedKeys(before, after, view), ...servedWork(before, after, view)]);
}

/** Returns the parts of a node's health for which every promotion waits. */
function healthOf(server: KeyServer) {
  const [node] = nodeViews([server], new Map(), new Date(0));
  const { problem, problemReason, rootKeyId, unreported } = node ?? {};
  return { problem, problemReason, rootKeyId, unreported, nodeUid: server.status?.nodeUid };
}

function listedKeys(before: KeyServer, after: KeyServer, { keyVersions }: Objects): WorkItem[] {
  const [were, are] = [namesListed(before), namesListed(after)];
  const changed = ({ metadata: { name } }: KeyVersion) => were.has(name) !== are.has(name);
  return keyVersions.filter(changed).map(({ spec }) => masterKeyWork(spec.masterKey));
}

const namesListed = ({ status }: KeyServer): Set<string> =>
  new Set([
    ...(status?.prepared ?? []).map(({ name }) => name),
    ...(status?.erased ?? []).map(({ name }) => name),
  ]);

function servedWork(before: KeyServer, after: KeyServer, view: Objects): WorkItem[] {
  const changed = changedProviders(before, after);
  const kmsKeyIds = new Set(changed.flatMap(({ kmsKeyId }) => kmsKeyId ?? []));
  return [...new Set(changed.map(({ serves }) => serves))]
    .flatMap((serves) => workOn(serves, view))
    .concat(ownersOf(kmsKeyIds, view));
}

/** Returns the providers whose report differs, as they were and as they are. */
function changedProviders(before: KeyServer, after: KeyServer): Provider[] {
  const [were, are] = [before.status?.providers ?? [], after.status?.providers ?? []];
  const apiServerChanged = !isDeepStrictEqual(apiServerOf(before), apiServerOf(after));
  if (apiServerChanged) return [...were, ...are];
  const differs = (one: Provider, others: readonly Provider[]) => {
    const other = others.find(({ name }) => name === one.name);
    return other === undefined || !isDeepStrictEqual(reportOf(one), reportOf(other));
  };
  return [...were.filter((one) => differs(one, are)), ...are.filter((one) => differs(one, were))];
}

/** A continuing Status is no news: `notAskedSince` shows when it ends. */
function reportOf(provider: Provider) {
  const { lastStatusTime: _, ...report } = provider;
  return report;
}

function apiServerOf({ status }: KeyServer) {
  const conditions = status?.conditions ?? [];
  const inStep = conditions.find(({ type }) => type === "ApiServerInStep");
  return { apiServer: status?.apiServer, inStep: inStep?.status, reason: inStep?.reason };
}

function workOn(serves: string, { keyAliases }: Objects): WorkItem[] {
  if (!serves.startsWith(ALIAS)) return [masterKeyWork(parseNameText(serves))];
  const name = parseNameText(serves.slice(ALIAS.length));
  const alias = keyAliases.find((one) => objectText(one) === nameText(name));
  const targets = [alias?.spec.masterKey, alias?.status?.masterKey].flatMap((target) => target ?? []);
  const { namespace } = name;
  return [keyAliasWork(name), ...targets.map((target) => masterKeyWork({ namespace, name: target }))];
}

/**
 * Returns the MasterKeys of the versions that were or are served. The key that an alias left cannot be found
 * by the alias's name.
 */
function ownersOf(kmsKeyIds: ReadonlySet<string>, { keyVersions }: Objects): WorkItem[] {
  if (kmsKeyIds.size === 0) return [];
  return keyVersions
    .filter((version) => kmsKeyIds.has(kmsKeyIdOf(version)))
    .map(({ spec }) => masterKeyWork(spec.masterKey));
}
