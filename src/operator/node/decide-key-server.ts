import { isDeepStrictEqual } from "node:util";
import type { ObservationRow, VersionRow } from "../../keyring/rows.ts";
import { type KeyRef, keyRefText } from "../../names.ts";
import { oneLine } from "../../printable.ts";
import { type Finding, withFindings } from "../../resources/conditions.ts";
import type { KeyServer } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { kmsKeyIdOfRow } from "../../resources/versions.ts";
import type { SocketScope } from "../../storage/scope.ts";
import { isoTime, rfc3339, timeOf } from "../../times.ts";
import type { ApiServerState, ApiServerStatus } from "./decide-api-server.ts";
import { chooseListed, type Listable } from "./listed-versions.ts";
import type { SilentSocket } from "./socket-watch.ts";

/** What this node's operator found after bringing its keyring in step. */
export interface ObservedNode {
  readonly before: KeyServerStatus | undefined;
  readonly nodeUid: string | undefined;
  readonly persistedResourceVersion: string;
  readonly versions: readonly VersionRow[];
  /** Candidates for promotion that are stored, opened and tested here. */
  readonly prepared: readonly Listable[];
  /** Destroyed versions of which nothing is left here. */
  readonly erased?: readonly Listable[];
  /** Why something of this node does not work; the first that others must wait for is shown, else the first. */
  readonly problems: readonly { readonly reason: string; readonly message: string }[];
  readonly seal: { readonly provider: string; readonly rootKeyId: string } | undefined;
  readonly providers: readonly {
    readonly name: string;
    readonly socket: string;
    readonly ref: KeyRef;
    readonly allowImported?: boolean;
    /** What the node's EncryptionConfiguration puts on the socket, where it is known. */
    readonly scope?: SocketScope;
    /** When that file was last edited, in epoch milliseconds. */
    readonly editedAt?: number;
    /** Whether the API server uses it; undefined if it does not tell. */
    readonly takenUp?: boolean;
  }[];
  readonly observations: readonly ObservationRow[];
  /** Those of the providers' sockets on which no plugin listens. */
  readonly silent?: readonly SilentSocket[];
  /** What the API server says of itself; undefined if nobody asks it. */
  readonly apiServer?: ApiServerState;
}

/** As a KeyServer has room for them. Once every node has reported those, they make room for others. */
const listed = (versions: readonly Listable[], now: Date) =>
  chooseListed(versions, now).map(({ name, versionId }) => ({ name, versionId }));

/** The status of this node's KeyServer. */
export function decideKeyServerStatus(observed: ObservedNode, now: Date): KeyServerStatus {
  const providers = observed.providers.map((provider) => describeProvider(provider, observed, now));
  return {
    ...(observed.nodeUid !== undefined && { nodeUid: observed.nodeUid }),
    persistedResourceVersion: observed.persistedResourceVersion,
    versions: observed.versions.length,
    prepared: listed(observed.prepared, now),
    ...(observed.erased !== undefined &&
      observed.erased.length > 0 && {
        erased: listed(observed.erased, now),
      }),
    ...(observed.seal !== undefined && { seal: observed.seal }),
    providers,
    ...(observed.apiServer !== undefined && { apiServer: bounded(observed.apiServer.status) }),
    serving: providers.map(summarize).join(", "),
    conditions: withFindings(
      observed.before?.conditions,
      [readiness(observed), inStep(observed, providers)],
      undefined,
      now,
    ),
  };
}

/** The API server refuses a whole status in which a text is longer, and others' texts are in it. */
const bounded = ({ message, ...rest }: ApiServerStatus): ApiServerStatus => ({
  ...rest,
  ...(message !== undefined && { message: oneLine(message, 900).slice(0, 1_024) }),
});

/** An API server that asks Status every minute is to write a KeyServer no more often than this. */
const HEARD_MILLISECONDS = 120_000;

type ObservedScope = ObservedNode["providers"][number]["scope"];
type ProviderStatus = NonNullable<KeyServerStatus["providers"]>[number];

function describeProvider(
  provider: ObservedNode["providers"][number],
  { before, observations, versions, silent = [] }: ObservedNode,
  now: Date,
): ProviderStatus {
  const { name, socket, ref, scope, allowImported } = provider;
  const seen = observations.find((observation) => observation.provider === name);
  const version = seen && versions.find((row) => kmsKeyIdOfRow(row) === seen.kmsKeyId);
  const reported = before?.providers?.find((one) => one.name === name);
  const edit = editNotTakenUp(provider, reported, seen?.lastEncryptAt, now);
  return {
    name,
    socket,
    serves: keyRefText(ref),
    ...(allowImported !== undefined && { allowImported }),
    ...(scope && { ...scope }),
    ...(edit !== undefined && { editNotTakenUp: edit }),
    ...(seen && {
      kmsKeyId: seen.kmsKeyId,
      servingSince: rfc3339(new Date(seen.servingSince)),
      encrypts: seen.encrypts,
      ...(seen.lastEncryptAt !== undefined && { lastEncryptTime: rfc3339(new Date(seen.lastEncryptAt)) }),
      // Of a plugin that does not answer the last word is old: it has seen nothing since.
      settled: seen.settled && !silent.some((one) => one.name === name),
      ...(seen.episode !== undefined && { episode: seen.episode }),
      ...askingOf(seen, reported),
    }),
    ...(version && { version: version.number }),
  };
}

function askingOf(
  { lastStatusAt, notAskedSince }: ObservationRow,
  reported: ProviderStatus | undefined,
): Pick<ProviderStatus, "lastStatusTime" | "notAskedSince"> {
  return {
    ...(lastStatusAt !== undefined && { lastStatusTime: heardTime(lastStatusAt, reported?.lastStatusTime) }),
    ...(notAskedSince !== undefined && { notAskedSince: rfc3339(new Date(notAskedSince)) }),
  };
}

/** The reported time stands until it is two minutes old; a clock that was set back counts as well. */
function heardTime(lastStatusAt: number, reported: string | undefined): string {
  const isLate = !(Math.abs(lastStatusAt - timeOf(reported)) < HEARD_MILLISECONDS);
  return isLate || reported === undefined ? rfc3339(new Date(lastStatusAt)) : reported;
}

/** Whether nothing but the times of the last Status differ, which no decision goes by. */
export function differsInHeardTimesOnly(before: KeyServer, after: KeyServer): boolean {
  return isDeepStrictEqual(withoutHeardTimes(before), withoutHeardTimes(after));
}

function withoutHeardTimes({ metadata, status }: KeyServer) {
  const { persistedResourceVersion: _, providers, ...rest } = status ?? {};
  const { resourceVersion: __, ...meta } = metadata;
  return { meta, rest, providers: providers?.map(({ lastStatusTime: ___, ...provider }) => provider) };
}

/**
 * When the EncryptionConfiguration was edited, if the API server does not use it yet: by its own word,
 * else if no Encrypt has come since. The first report knows of no edit. To the millisecond: an Encrypt may be of the same second.
 * An edit of a time to come is of now: no Encrypt would show that it is taken up for so long.
 */
function editNotTakenUp(
  { scope, editedAt, takenUp }: ObservedNode["providers"][number],
  reported: ProviderStatus | undefined,
  lastEncryptAt = 0,
  now: Date,
): string | undefined {
  if (takenUp === true) return undefined;
  if (takenUp === false) return editOf(editedAt, reported, now);
  const stated = wasEdited(scope, reported) ? isoTimeIf(editedAt) : reported?.editNotTakenUp;
  if (stated === undefined) return undefined;
  const edit = timeOf(stated) > now.getTime() ? now.toISOString() : stated;
  return lastEncryptAt < timeOf(edit) ? edit : undefined;
}

/** A time to come is that of now, and then stands. */
function editOf(editedAt = 0, reported: ProviderStatus | undefined, now: Date): string {
  if (editedAt <= now.getTime()) return isoTime(editedAt);
  const before = reported?.editNotTakenUp;
  return before !== undefined && timeOf(before) <= now.getTime() ? before : now.toISOString();
}

const isoTimeIf = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : isoTime(time);

function wasEdited(scope: ObservedScope, reported: ProviderStatus | undefined): boolean {
  if (scope === undefined || reported?.entries === undefined) return false;
  return (
    reported.entries !== scope.entries ||
    // A release that did not report it says nothing of an edit.
    (reported.namesHash !== undefined && reported.namesHash !== scope.namesHash) ||
    !isDeepStrictEqual(reported.resources ?? [], scope.resources)
  );
}

const summarize = ({ name, serves, version }: ProviderStatus): string =>
  `${name}: ${version === undefined ? "nothing yet" : `${serves} v${version}`}`;

/** Whether the node's API server uses claviger as its EncryptionConfiguration says. Keeps no promotion waiting. */
function inStep(observed: ObservedNode, providers: readonly ProviderStatus[]): Finding {
  const { apiServer } = observed;
  const type = "ApiServerInStep";
  if (apiServer?.finding?.status === "False") return apiServer.finding;
  const blind = blindness(observed);
  if (blind !== undefined) return { type, status: "Unknown", ...blind };
  const silent = silentProviders(providers);
  if (silent.length > 0) {
    const where = silent.map(
      ({ name, socket, notAskedSince }) => `${name} at ${socket} (since ${notAskedSince})`,
    );
    const message =
      `no API server has asked for the Status of provider ${where.join(", ")}: it is not started with the EncryptionConfiguration that names this socket, or does not run. ` +
      "What is written meanwhile may be stored plain; look at its flag --encryption-provider-config and its log, and whether the plugin's log says that it cannot write observations.json";
    return { type, status: "False", reason: "ApiServerSilent", message };
  }
  if (apiServer === undefined) {
    const message = "standalone there is no API server to ask which EncryptionConfiguration it uses";
    return { type, status: "Unknown", reason: "NotCompared", message };
  }
  const message =
    "the API server says that it uses the EncryptionConfiguration on the disk, and asks for Status";
  return apiServer.finding ?? { type, status: "True", reason: "InStep", message };
}

/** Why this report of the API server is the last that was known. Ready may have a graver reason, and not this one. */
const blindness = (observed: ObservedNode) =>
  pluginSilent(observed) ?? observed.problems.find(({ reason }) => reason === "EncryptionConfigInvalid");

/** Nobody asks at a socket that no entry names. */
const silentProviders = (providers: readonly ProviderStatus[]): readonly ProviderStatus[] =>
  providers.filter(({ notAskedSince, entries }) => notAskedSince !== undefined && entries !== 0);

function readiness(observed: ObservedNode): Finding {
  const { problems } = observed;
  // The leader has no other sign of what keeps this node from serving a version.
  const grave = problems.find(({ reason }) => !ownAffair.has(reason)) ?? problems[0];
  const problem = grave ?? providerWithoutKey(observed) ?? pluginSilent(observed);
  if (problem !== undefined) return { type: "Ready", status: "False", ...problem };
  const message = `all ${observed.versions.length} versions are stored; those that are current or to become so were opened and tested`;
  return { type: "Ready", status: "True", reason: "InStep", message };
}

function providerWithoutKey({ providers, observations }: ObservedNode) {
  const idle = providers.find(({ name }) => !observations.some(({ provider }) => provider === name));
  if (idle === undefined) return undefined;
  return {
    reason: "ProviderWithoutKey",
    message: `provider ${idle.name} serves nothing yet: ${keyRefText(idle.ref)} has no current version, or the plugin is not running`,
  };
}

/** Of a plugin that stopped or hangs. */
function pluginSilent({ silent = [] }: ObservedNode) {
  if (silent.length === 0) return undefined;
  const where = silent.map(({ name, socket, fault }) => `${name} at ${socket} (${fault})`).join(", ");
  const message = `no plugin answers for provider ${where}: start it, or restart one that hangs; this node's API server writes for three minutes more what goes through it, and after a restart of its own reads none of it`;
  return { reason: "PluginSilent", message };
}

/** Not Ready for reasons that keep nobody from promoting a version. */
export const ownAffair = new Set([
  "Starting",
  "ProviderWithoutKey",
  "PluginSilent",
  "EncryptionConfigInvalid",
  "UnknownVersion",
  "ObjectUnreadable",
  // Whether anything may be destroyed, the leader asks the clocks themselves.
  "ClocksDisagree",
  "ClocksNotCompared",
  "DestructionNotDue",
  "TimeNotSeen",
  // Every node has it at once, and without a Lease a node is silent anyway.
  "LeaseRefused",
]);
